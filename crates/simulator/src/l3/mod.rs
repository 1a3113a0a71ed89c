//! Real order flow: half an hour of Bitstamp's BTC/USD market, every order by its number.
//!
//! The recording is not part of this project (`tools/fetch-l3-sample` brings it). [`rows`] reads it, [`rules`] turns rows
//! into steps that an exchange can carry out, [`setup`] prepares the exchange for them, [`replay`] carries them out, and
//! [`observer`] and [`compare`] hold what came of it against the recorded trades and against [`reference`], a book rebuilt
//! from the rows by code that shares nothing with the rules or the exchange. [`naive`] shows what happens without rules, and
//! [`traps`] counts what makes them necessary. The rules, their reasons and their counts are explained in `docs/replay.md`.

pub mod compare;
pub mod naive;
pub mod observer;
pub mod reference;
pub mod replay;
pub mod rows;
pub mod rules;
pub mod setup;
pub mod traps;

use std::path::{Path, PathBuf};

use reference::Moment;
use rows::{ReadError, RecordedTrade, Row};
use rules::Flow;

/// A recording with what follows from its rows alone.
#[derive(Clone, Debug)]
pub struct Recording {
    /// Its rows, in the order of the file.
    pub rows: Vec<Row>,
    /// The trades that were recorded beside them. The rules never look at them.
    pub trades: Vec<RecordedTrade>,
    /// What the rows ask of an exchange.
    pub flow: Flow,
    /// The book as the rows tell it, from time to time.
    pub moments: Vec<Moment>,
}

impl Recording {
    /// About so many times the books are held against each other.
    pub const MOMENTS: u32 = 1_000;
    /// So many levels a side, each time.
    pub const DEPTH: usize = 10;

    /// Reads both files.
    pub fn read(orders: &Path, trades: &Path) -> Result<Self, ReadError> {
        Ok(Self::new(rows::read_orders(orders)?, rows::read_trades(trades)?))
    }

    /// Where the trades of an orders file are: in the same folder, in `trades.csv`.
    pub fn trades_beside(orders: &Path) -> PathBuf {
        orders.with_file_name("trades.csv")
    }

    /// Makes sense of rows that were read already.
    pub fn new(rows: Vec<Row>, trades: Vec<RecordedTrade>) -> Self {
        let flow = rules::steps(&rows);
        let (first, last) = (flow.span.made_up_creates + 1, flow.span.last_live_row());
        let moments = reference::moments(&rows, first, last, Self::MOMENTS, Self::DEPTH);
        Self { rows, trades, flow, moments }
    }
}
