//! Holds what our matching made of the flow against the recording: trades one by one, and levels moment by moment. It
//! decides nothing but whether the bounds hold; every difference is kept, to be printed.

use std::collections::HashMap;
use std::fmt;

use model::{PriceTicks, QtyLots, Side};

use super::reference::{Level, Levels};
use super::rows::RecordedTrade;

/// A trade of our own matching, in the venue's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OurTrade {
    /// The row that brought the arriving order.
    pub row: u32,
    /// At which price.
    pub price: PriceTicks,
    /// How much.
    pub qty: QtyLots,
    /// The buyer's order.
    pub buy_order: u64,
    /// The seller's order.
    pub sell_order: u64,
    /// Which way the arriving order went.
    pub taker_side: Side,
}

/// A trade on which recording and matching do not agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TradeDifference {
    /// Recorded, and not made by us.
    Missing(RecordedTrade),
    /// Made by us, and not recorded.
    Unrecorded(OurTrade),
    /// The same two orders traded, at another price or another quantity.
    Otherwise(RecordedTrade, OurTrade),
}

impl fmt::Display for TradeDifference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(trade) => write!(
                out,
                "missing: trade {}: {} lots at {}, buyer's order {}, seller's order {}",
                trade.trade, trade.qty, trade.price, trade.buy_order, trade.sell_order
            ),
            Self::Unrecorded(trade) => write!(
                out,
                "unrecorded: row {}: {} lots at {}, buyer's order {}, seller's order {}",
                trade.row, trade.qty, trade.price, trade.buy_order, trade.sell_order
            ),
            Self::Otherwise(recorded, ours) => write!(
                out,
                "otherwise: trade {}: {} lots at {}, by row {} {} lots at {}, buyer's order {}, seller's order {}",
                recorded.trade,
                recorded.qty,
                recorded.price,
                ours.row,
                ours.qty,
                ours.price,
                ours.buy_order,
                ours.sell_order
            ),
        }
    }
}

/// How our trades and the recorded ones agree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TradeComparison {
    /// Recorded trades.
    pub recorded: usize,
    /// Our trades.
    pub ours: usize,
    /// Recorded trades that we made too: the same two orders, price and quantity.
    pub agreed: usize,
    /// All others.
    pub differences: Vec<TradeDifference>,
}

impl TradeComparison {
    /// Of 284 recorded trades, 256 have to agree.
    pub const fn within_bounds(&self) -> bool {
        self.agreed * 284 >= self.recorded * 256
    }
}

/// Pairs recorded trades with ours, each at most once.
pub fn trades(recorded: &[RecordedTrade], ours: &[OurTrade]) -> TradeComparison {
    let mut open: HashMap<(u64, u64), Vec<OurTrade>> = HashMap::new();
    for trade in ours {
        open.entry((trade.buy_order, trade.sell_order)).or_default().push(*trade);
    }
    let mut unpaired = Vec::new();
    let mut comparison =
        TradeComparison { recorded: recorded.len(), ours: ours.len(), ..TradeComparison::default() };
    for trade in recorded {
        let between = open.get_mut(&(trade.buy_order, trade.sell_order));
        let same = between
            .and_then(|trades| Some((trades.iter().position(|our| agrees(trade, our))?, trades)))
            .map(|(at, trades)| trades.remove(at));
        match same {
            Some(_) => comparison.agreed += 1,
            None => unpaired.push(*trade),
        }
    }
    for trade in unpaired {
        let other = open
            .get_mut(&(trade.buy_order, trade.sell_order))
            .filter(|trades| !trades.is_empty())
            .map(|trades| trades.remove(0));
        comparison.differences.push(match other {
            Some(our) => TradeDifference::Otherwise(trade, our),
            None => TradeDifference::Missing(trade),
        });
    }
    let mut unrecorded: Vec<OurTrade> = open.into_values().flatten().collect();
    unrecorded.sort_by_key(|trade| (trade.row, trade.buy_order, trade.sell_order, trade.price, trade.qty));
    comparison.differences.extend(unrecorded.into_iter().map(TradeDifference::Unrecorded));
    comparison
}

fn agrees(recorded: &RecordedTrade, our: &OurTrade) -> bool {
    recorded.price == our.price && recorded.qty == our.qty && recorded.taker_side == our.taker_side
}

/// One place in the list of best levels where the two books differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelDifference {
    /// After this row.
    pub row: u32,
    /// On which side.
    pub side: Side,
    /// Which level, from 1, the best.
    pub rank: usize,
    /// What the exchange has there.
    pub ours: Option<Level>,
    /// What the rows say.
    pub reference: Option<Level>,
}

impl fmt::Display for LevelDifference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::Buy => "bid",
            Side::Sell => "ask",
        };
        let words = |level: Option<Level>| {
            level.map_or_else(|| "nothing".to_owned(), |(price, open)| format!("{open} lots at {price}"))
        };
        write!(
            out,
            "row {}: {side} level {}: exchange {}, rows {}",
            self.row,
            self.rank,
            words(self.ours),
            words(self.reference)
        )
    }
}

/// How the exchange's book and the rebuilt one agree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LevelComparison {
    /// How often the two were held against each other.
    pub moments: usize,
    /// Levels compared.
    pub compared: usize,
    /// Those that differ.
    pub differences: Vec<LevelDifference>,
}

impl LevelComparison {
    /// Holds the two books against each other after `row`.
    pub fn add(&mut self, row: u32, ours: &Levels, reference: &Levels) {
        self.moments += 1;
        self.add_side(row, Side::Buy, &ours.bids, &reference.bids);
        self.add_side(row, Side::Sell, &ours.asks, &reference.asks);
    }

    fn add_side(&mut self, row: u32, side: Side, ours: &[Level], reference: &[Level]) {
        let levels = ours.len().max(reference.len());
        self.compared += levels;
        for at in 0..levels {
            let (ours, reference) = (ours.get(at).copied(), reference.get(at).copied());
            if ours != reference {
                self.differences.push(LevelDifference { row, side, rank: at + 1, ours, reference });
            }
        }
    }

    /// At 20 moments or more, at most 5 % of the levels may differ.
    pub fn within_bounds(&self) -> bool {
        self.moments >= 20 && self.differences.len() * 20 <= self.compared
    }
}
