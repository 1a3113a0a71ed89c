//! The public tape of a market: single trades, and trades of one taker at one price as one.

use std::collections::VecDeque;

use codec::{Coded, DecodeError, Reader, coded_struct};
use model::{Amount, MarketTerms, OrderId, PriceTicks, QtyLots, Side, TimeNs, TradeId, Traded};

use crate::ViewSettings;
use crate::page::Page;

/// A trade as the public sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// Its number in its market.
    pub id: TradeId,
    /// When.
    pub time_ns: TimeNs,
    /// At which price.
    pub price_ticks: PriceTicks,
    /// How much.
    pub qty_lots: QtyLots,
    /// Which way the arriving order went.
    pub taker_side: Side,
}

impl Trade {
    /// Price times quantity, in quote atoms. `terms` are those of its market.
    pub fn quote_amount(&self, terms: &MarketTerms) -> Amount {
        terms.notional(self.price_ticks, self.qty_lots)
    }

    /// True when the buyer's order rested.
    pub const fn is_buyer_maker(&self) -> bool {
        matches!(self.taker_side, Side::Sell)
    }
}

/// Trades of one arriving order at one price and time. Source: semantics section 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AggTrade {
    /// Its number in its market, from 1.
    pub id: u64,
    /// When.
    pub time_ns: TimeNs,
    /// At which price.
    pub price_ticks: PriceTicks,
    /// How much in all.
    pub qty_lots: QtyLots,
    /// The first of its trades.
    pub first: TradeId,
    /// The last of its trades.
    pub last: TradeId,
    /// Which way the arriving order went.
    pub taker_side: Side,
    /// The arriving order.
    taker_order: OrderId,
}

impl AggTrade {
    /// True when the buyers' orders rested.
    pub const fn is_buyer_maker(&self) -> bool {
        matches!(self.taker_side, Side::Sell)
    }
}

coded_struct!(Trade { id, time_ns, price_ticks, qty_lots, taker_side });
coded_struct!(AggTrade { id, time_ns, price_ticks, qty_lots, first, last, taker_side, taker_order });

/// The latest trades of one market.
#[derive(Clone, Debug)]
pub struct Tape {
    trades: VecDeque<Trade>,
    aggs: VecDeque<AggTrade>,
    last_id: TradeId,
    last_agg_id: u64,
    trades_kept: usize,
    aggs_kept: usize,
}

impl Tape {
    pub(crate) fn new(settings: &ViewSettings) -> Self {
        Self {
            trades: VecDeque::new(),
            aggs: VecDeque::new(),
            last_id: TradeId(0),
            last_agg_id: 0,
            trades_kept: settings.trades_kept.max(1),
            aggs_kept: settings.agg_trades_kept.max(1),
        }
    }

    /// Number of the latest trade; 0 before the first.
    pub const fn last_id(&self) -> TradeId {
        self.last_id
    }

    /// The latest trade.
    pub fn latest(&self) -> Option<&Trade> {
        self.trades.back()
    }

    /// The latest aggregated trade; it still grows while its taker trades on at this price.
    pub fn latest_agg(&self) -> Option<&AggTrade> {
        self.aggs.back()
    }

    /// Trades by ascending number.
    pub fn trades(&self, page: &Page<TradeId>) -> Vec<Trade> {
        page.cut(self.trades.iter().filter(|trade| page.covers(trade.id, trade.time_ns)).copied().collect())
    }

    /// Aggregated trades by ascending number.
    pub fn agg_trades(&self, page: &Page<u64>) -> Vec<AggTrade> {
        page.cut(self.aggs.iter().filter(|agg| page.covers(agg.id, agg.time_ns)).copied().collect())
    }

    pub(crate) fn traded(&mut self, traded: &Traded, time_ns: TimeNs) {
        assert!(self.last_id < traded.trade, "trades of a market are numbered upwards");
        self.last_id = traded.trade;
        if self.trades.len() >= self.trades_kept {
            self.trades.pop_front();
        }
        self.trades.push_back(Trade {
            id: traded.trade,
            time_ns,
            price_ticks: traded.price_ticks,
            qty_lots: traded.qty_lots,
            taker_side: traded.taker_side,
        });
        self.aggregate(traded, time_ns);
    }

    fn aggregate(&mut self, traded: &Traded, time_ns: TimeNs) {
        if let Some(last) = self.aggs.back_mut()
            && (last.taker_order, last.price_ticks, last.time_ns)
                == (traded.taker_order, traded.price_ticks, time_ns)
        {
            last.qty_lots += traded.qty_lots;
            last.last = traded.trade;
            return;
        }
        self.last_agg_id = self.last_agg_id.checked_add(1).expect("a counter never runs out");
        if self.aggs.len() >= self.aggs_kept {
            self.aggs.pop_front();
        }
        self.aggs.push_back(AggTrade {
            id: self.last_agg_id,
            time_ns,
            price_ticks: traded.price_ticks,
            qty_lots: traded.qty_lots,
            first: traded.trade,
            last: traded.trade,
            taker_side: traded.taker_side,
            taker_order: traded.taker_order,
        });
    }

    /// Puts what was traded earlier before it.
    pub(crate) fn put_behind(&mut self, earlier: &Self) {
        for agg in &mut self.aggs {
            agg.id = agg.id.saturating_add(earlier.last_agg_id);
        }
        self.last_agg_id = self.last_agg_id.saturating_add(earlier.last_agg_id);
        self.last_id = self.last_id.max(earlier.last_id);
        put_before(&mut self.trades, &earlier.trades, self.trades_kept);
        put_before(&mut self.aggs, &earlier.aggs, self.aggs_kept);
    }

    pub(crate) fn save(&self, out: &mut Vec<u8>) {
        self.last_id.encode(out);
        self.last_agg_id.encode(out);
        save_ring(&self.trades, out);
        save_ring(&self.aggs, out);
    }

    pub(crate) fn load(settings: &ViewSettings, input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut tape = Self::new(settings);
        tape.last_id = Coded::decode(input)?;
        tape.last_agg_id = Coded::decode(input)?;
        tape.trades = load_ring(input, tape.trades_kept)?;
        tape.aggs = load_ring(input, tape.aggs_kept)?;
        Ok(tape)
    }
}

/// Puts the latest of `earlier` before a ring, as many as fit.
fn put_before<T: Copy>(ring: &mut VecDeque<T>, earlier: &VecDeque<T>, kept: usize) {
    for entry in earlier.iter().rev().take(kept.saturating_sub(ring.len())) {
        ring.push_front(*entry);
    }
}

/// Saves a ring from its front.
pub(crate) fn save_ring<T: Coded>(ring: &VecDeque<T>, out: &mut Vec<u8>) {
    u32::try_from(ring.len()).expect("fewer than 2^32 entries are kept").encode(out);
    for entry in ring {
        entry.encode(out);
    }
}

/// Loads a ring and leaves out what is too much at its front.
pub(crate) fn load_ring<T: Coded>(input: &mut Reader<'_>, kept: usize) -> Result<VecDeque<T>, DecodeError> {
    let mut ring = VecDeque::from(Vec::<T>::decode(input)?);
    ring.drain(..ring.len().saturating_sub(kept));
    Ok(ring)
}
