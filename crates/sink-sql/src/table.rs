//! The tables as the writer fills them: columns in their order, and values on their way. A test holds them against the schema.

use std::fmt;

use crate::decimal::Decimal;
use crate::dialect::Words;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number of 32 bits.
    Int,
    /// A whole number of 64 bits.
    Big,
    /// An exact decimal.
    Amount,
    /// Visible ASCII.
    Text,
    /// A time, to the microsecond.
    Moment,
    /// Bytes.
    Bytes,
}

/// A table.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its columns; the first `key` of them are the primary key.
    pub columns: &'static [(&'static str, Kind)],
    /// See `columns`.
    pub key: usize,
}

impl Table {
    /// The names of all columns, with commas.
    pub fn column_list(&self) -> String {
        self.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }

    /// What all columns are asked for by, with commas: times in microseconds.
    pub fn columns_read(&self, words: &Words) -> String {
        let columns = self.columns.iter().map(|(name, kind)| match kind {
            Kind::Moment => (words.micros)(name),
            Kind::Int | Kind::Big | Kind::Amount | Kind::Text | Kind::Bytes => (*name).to_owned(),
        });
        columns.collect::<Vec<_>>().join(", ")
    }

    /// The names of the columns of the primary key, with commas.
    pub fn key_list(&self) -> String {
        self.columns[..self.key].iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }

    /// For each column beside the key, what it is set to when the row is there already.
    pub fn assignments(&self, new_value: impl Fn(&str) -> String) -> String {
        let others = self.columns[self.key..].iter();
        others.map(|(name, _)| format!("{name} = {}", new_value(name))).collect::<Vec<_>>().join(", ")
    }
}

/// What stands in a row at a column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// Nothing.
    Null,
    /// For [`Kind::Int`] and [`Kind::Big`].
    Int(i64),
    /// For [`Kind::Amount`].
    Amount(Decimal),
    /// For [`Kind::Text`].
    Text(&'a str),
    /// For [`Kind::Moment`].
    Moment(Moment),
    /// For [`Kind::Bytes`].
    Bytes(&'a [u8]),
}

impl Value<'_> {
    /// A number that is given out by a counter: all of them stay below 2^53.
    pub fn id(number: u64) -> Self {
        Self::Int(i64::try_from(number).expect("counters stay below 2^53"))
    }

    /// What is there, or nothing.
    pub fn or_null<T>(value: Option<T>, of: impl FnOnce(T) -> Self) -> Self {
        value.map_or(Self::Null, of)
    }
}

/// Microseconds since 1970-01-01 UTC. Databases keep no more; nanoseconds are rounded down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub i64);

impl From<model::TimeNs> for Moment {
    fn from(time: model::TimeNs) -> Self {
        Self(i64::try_from(time.0 / 1_000).expect("64 bits of nanoseconds are 54 bits of microseconds"))
    }
}

/// `2026-03-14 15:09:26.535897`, in UTC.
impl fmt::Display for Moment {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DAY_S: i64 = 86_400;
        let seconds = self.0.div_euclid(1_000_000);
        let (days, second) = (seconds.div_euclid(DAY_S), seconds.rem_euclid(DAY_S));
        // The calendar from the first of March of year 0: leap days come last. Source: "chrono-Compatible Low-Level Date
        // Algorithms", H. Hinnant.
        let from_march = days + 719_468;
        let era = from_march.div_euclid(146_097);
        let day_of_era = from_march.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        write!(
            out,
            "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}.{:06}",
            second / 3_600,
            second / 60 % 60,
            second % 60,
            self.0.rem_euclid(1_000_000)
        )
    }
}

use Kind::{Amount, Big, Bytes, Int, Moment as Time, Text};

pub static ASSETS: Table = Table {
    name: "assets",
    columns: &[("asset_id", Int), ("name", Text), ("scale", Int), ("listed_at", Time)],
    key: 1,
};

pub static MARKETS: Table = Table {
    name: "markets",
    columns: &[
        ("market_id", Int),
        ("name", Text),
        ("base_asset_id", Int),
        ("quote_asset_id", Int),
        ("tick_size", Amount),
        ("lot_size", Amount),
        ("min_price", Amount),
        ("max_price", Amount),
        ("min_quantity", Amount),
        ("max_quantity", Amount),
        ("min_notional", Amount),
        ("max_notional", Amount),
        ("status", Text),
        ("updated_at", Time),
        ("kind", Text),
    ],
    key: 1,
};

pub static FEE_SETTINGS: Table = Table {
    name: "fee_settings",
    columns: &[
        ("market_id", Int),
        ("maker_fee", Amount),
        ("taker_fee", Amount),
        ("fee_rounding", Text),
        ("updated_at", Time),
    ],
    key: 1,
};

pub static ACCOUNTS: Table = Table {
    name: "accounts",
    columns: &[("account_id", Big), ("name", Text), ("trade_group", Big), ("created_at", Time)],
    key: 1,
};

pub static BALANCES: Table = Table {
    name: "balances",
    columns: &[
        ("account_id", Big),
        ("asset_id", Int),
        ("free", Amount),
        ("held", Amount),
        ("updated_at", Time),
    ],
    key: 2,
};

pub static ORDERS: Table = Table {
    name: "orders",
    columns: &[
        ("order_id", Big),
        ("account_id", Big),
        ("market_id", Int),
        ("client_order_id", Text),
        ("side", Text),
        ("type", Text),
        ("time_in_force", Text),
        ("self_trade_prevention", Text),
        ("price", Amount),
        ("quantity", Amount),
        ("quote_amount", Amount),
        ("executed_quantity", Amount),
        ("executed_quote", Amount),
        ("prevented_quantity", Amount),
        ("held", Amount),
        ("amendments", Int),
        ("status", Text),
        ("end_reason", Text),
        ("created_at", Time),
        ("updated_at", Time),
        ("ended_at", Time),
        ("position_side", Text),
        ("reduce_only", Int),
        ("good_till", Time),
        ("placed_by", Text),
        ("stop_price", Amount),
        ("trailing_delta", Int),
        ("trailing_at", Time),
        ("triggered_at", Time),
        ("prevented_match_id", Big),
    ],
    key: 1,
};

pub static TRADES: Table = Table {
    name: "trades",
    columns: &[
        ("market_id", Int),
        ("trade_id", Big),
        ("price", Amount),
        ("quantity", Amount),
        ("quote_quantity", Amount),
        ("taker_side", Text),
        ("maker_order_id", Big),
        ("taker_order_id", Big),
        ("traded_at", Time),
    ],
    key: 2,
};

pub static LEDGER_POSTINGS: Table = Table {
    name: "ledger_postings",
    columns: &[
        ("partition_id", Int),
        ("event_seq", Big),
        ("leg", Int),
        ("account_id", Big),
        ("asset_id", Int),
        ("kind", Text),
        ("amount", Amount),
        ("fee", Amount),
        ("total_after", Amount),
        ("market_id", Int),
        ("trade_id", Big),
        ("order_id", Big),
        ("withdrawal_id", Big),
        ("reference", Text),
        ("posted_at", Time),
    ],
    key: 3,
};

pub static CONTRACTS: Table = Table {
    name: "contracts",
    columns: &[
        ("market_id", Int),
        ("default_leverage", Int),
        ("max_leverage", Int),
        ("max_position", Amount),
        ("funding_interval_hours", Int),
        ("funding_cap", Amount),
        ("funding_floor", Amount),
        ("clearance_fee", Amount),
        ("fund_account_id", Big),
        ("updated_at", Time),
    ],
    key: 1,
};

pub static FUTURES_WALLETS: Table = Table {
    name: "futures_wallets",
    columns: &[("account_id", Big), ("asset_id", Int), ("balance", Amount), ("updated_at", Time)],
    key: 2,
};

pub static POSITIONS: Table = Table {
    name: "positions",
    columns: &[
        ("account_id", Big),
        ("market_id", Int),
        ("position_side", Text),
        ("quantity", Amount),
        ("cost", Amount),
        ("margin", Amount),
        ("updated_at", Time),
    ],
    key: 3,
};

pub static POSITION_SETTINGS: Table = Table {
    name: "position_settings",
    columns: &[
        ("account_id", Big),
        ("market_id", Int),
        ("leverage", Int),
        ("margin_type", Text),
        ("updated_at", Time),
    ],
    key: 2,
};

pub static INCOME: Table = Table {
    name: "income",
    columns: &[
        ("partition_id", Int),
        ("event_seq", Big),
        ("leg", Int),
        ("account_id", Big),
        ("asset_id", Int),
        ("market_id", Int),
        ("kind", Text),
        ("amount", Amount),
        ("trade_id", Big),
        ("order_id", Big),
        ("posted_at", Time),
    ],
    key: 3,
};

pub static FUNDING_RATES: Table = Table {
    name: "funding_rates",
    columns: &[("market_id", Int), ("settled_at", Time), ("rate", Amount), ("mark_price", Amount)],
    key: 2,
};

pub static WRITER_POSITION: Table = Table {
    name: "writer_position",
    columns: &[
        ("partition_id", Int),
        ("command_seq", Big),
        ("event_seq", Big),
        ("event_chain", Text),
        ("batch_time", Time),
        ("writer", Text),
        ("listed", Bytes),
    ],
    key: 1,
};

/// All of them.
pub static TABLES: [&Table; 15] = [
    &ASSETS,
    &MARKETS,
    &FEE_SETTINGS,
    &ACCOUNTS,
    &BALANCES,
    &ORDERS,
    &TRADES,
    &LEDGER_POSTINGS,
    &CONTRACTS,
    &FUTURES_WALLETS,
    &POSITIONS,
    &POSITION_SETTINGS,
    &INCOME,
    &FUNDING_RATES,
    &WRITER_POSITION,
];

#[cfg(test)]
mod tests {
    use super::Moment;

    #[test]
    fn moments_are_shown_as_dates() {
        assert_eq!(Moment(0).to_string(), "1970-01-01 00:00:00.000000");
        assert_eq!(Moment(951_782_400_000_000).to_string(), "2000-02-29 00:00:00.000000");
        assert_eq!(Moment(951_868_799_999_999).to_string(), "2000-02-29 23:59:59.999999");
        assert_eq!(Moment(1_773_500_966_535_897).to_string(), "2026-03-14 15:09:26.535897");
        assert_eq!(Moment(4_107_542_400_000_000).to_string(), "2100-03-01 00:00:00.000000");
    }
}
