//! Counts of what makes the recording treacherous, over all of its rows: so that a file which is not the known one shows it.
//! What is done about each is in [`super::rules`].

use std::collections::HashMap;
use std::fmt;

use model::PriceTicks;

use super::rows::{Row, RowKind};
use super::rules::{MARKET_BUY_PRICE, MARKET_SELL_PRICE, Span};

/// How many rows of each kind there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traps {
    /// Rows.
    pub rows: u32,
    /// Creates at the front that the recorder made up.
    pub made_up_creates: u32,
    /// Deletes at the end that the recorder made up.
    pub made_up_deletes: u32,
    /// Deletes of an order that no row created.
    pub deletes_without_create: u32,
    /// Prices 0 and 999999999.
    pub prices_of_no_limit: u32,
    /// Quantities 0.
    pub quantities_zero: u32,
    /// Prices other than the one of the order's last row.
    pub prices_moved: u32,
    /// As many of them as are in changes.
    pub prices_moved_in_changes: u32,
}

impl Traps {
    /// Counts them.
    pub fn count(rows: &[Row]) -> Self {
        let span = Span::of(rows);
        let mut traps = Self {
            rows: u32::try_from(rows.len()).expect("row numbers have 32 bits"),
            made_up_creates: span.made_up_creates,
            made_up_deletes: span.made_up_deletes,
            ..Self::default()
        };
        let mut last_price: HashMap<u64, PriceTicks> = HashMap::with_capacity(rows.len() / 2);
        for row in rows {
            traps.prices_of_no_limit += u32::from([MARKET_SELL_PRICE, MARKET_BUY_PRICE].contains(&row.price));
            traps.quantities_zero += u32::from(row.open.is_zero());
            match last_price.insert(row.order, row.price) {
                None => traps.deletes_without_create += u32::from(row.kind == RowKind::Deleted),
                Some(last) if last != row.price => {
                    traps.prices_moved += 1;
                    traps.prices_moved_in_changes += u32::from(row.kind == RowKind::Changed);
                }
                Some(_) => {}
            }
        }
        traps
    }
}

impl fmt::Display for Traps {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{:>8}  rows", self.rows)?;
        writeln!(out, "{:>8}  made-up creates at the front", self.made_up_creates)?;
        writeln!(out, "{:>8}  made-up deletes at the end", self.made_up_deletes)?;
        writeln!(out, "{:>8}  deletes without a create", self.deletes_without_create)?;
        writeln!(out, "{:>8}  prices 0 and 999999999", self.prices_of_no_limit)?;
        writeln!(out, "{:>8}  quantities 0", self.quantities_zero)?;
        writeln!(out, "{:>8}  prices other than the order's last", self.prices_moved)?;
        writeln!(out, "{:>8}  of these in changes", self.prices_moved_in_changes)
    }
}
