//! Candles: what traded in each second, minute, quarter, hour and day is kept; all other intervals are put together from
//! those when they are asked for, and so are the intervals without a trade.

use std::collections::VecDeque;

use codec::{Coded, DecodeError, Reader, coded_struct};
use model::{Amount, MarketTerms, PriceTicks, Side, TimeNs, TradeId, Traded};

use crate::ViewSettings;
use crate::interval::{Interval, UtcOffset, seconds_down, seconds_up, time_ns};
use crate::trades::{load_ring, save_ring};

/// What traded in an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candle {
    /// Its first moment.
    pub open_time: TimeNs,
    /// Its last millisecond.
    pub close_time: TimeNs,
    /// The first price; without trades the price before.
    pub open: PriceTicks,
    /// The highest price; without trades the price before.
    pub high: PriceTicks,
    /// The lowest price; without trades the price before.
    pub low: PriceTicks,
    /// The last price; without trades the price before.
    pub close: PriceTicks,
    /// What traded, in base atoms. This and the other amounts stop at the end of their type rather than overflow.
    pub volume: Amount,
    /// What it cost, in quote atoms.
    pub quote_volume: Amount,
    /// How many trades.
    pub trades: u64,
    /// What arriving orders bought, in base atoms.
    pub taker_buy_base: Amount,
    /// What it cost them, in quote atoms.
    pub taker_buy_quote: Amount,
    /// The first trade; `None` without trades, which is -1 on the wire.
    pub first_trade: Option<TradeId>,
    /// The last trade; `None` without trades, which is -1 on the wire.
    pub last_trade: Option<TradeId>,
}

/// Which candles are asked for: those that begin from `start` to `end`. With `start` the answer is the first `limit` of them,
/// otherwise the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CandleQuery {
    /// How long they are.
    pub interval: Interval,
    /// In which time zone days begin.
    pub offset: UtcOffset,
    /// None that begins before this.
    pub start: Option<TimeNs>,
    /// None that begins after this.
    pub end: Option<TimeNs>,
    /// At most so many, and at most [`CandleQuery::MAX_LIMIT`].
    pub limit: usize,
    /// The present: none begins after it. A clock behind that of the latest event counts as that.
    pub now: TimeNs,
}

impl CandleQuery {
    /// The most that one query answers.
    pub const MAX_LIMIT: usize = 1_000;
}

/// Trades added up. Quantities are wide enough never to overflow: one trade takes at most 2^44 lots and 2^88 tick-lots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bar {
    open_s: i64,
    pub(crate) open: PriceTicks,
    pub(crate) high: PriceTicks,
    pub(crate) low: PriceTicks,
    pub(crate) close: PriceTicks,
    pub(crate) first: TradeId,
    pub(crate) last: TradeId,
    pub(crate) trades: u64,
    lots: i128,
    tick_lots: i128,
    taker_buy_lots: i128,
    taker_buy_tick_lots: i128,
}

coded_struct!(Bar {
    open_s,
    open,
    high,
    low,
    close,
    first,
    last,
    trades,
    lots,
    tick_lots,
    taker_buy_lots,
    taker_buy_tick_lots,
});

impl Bar {
    fn of(traded: &Traded, open_s: i64) -> Self {
        let lots = i128::from(traded.qty_lots.0);
        let tick_lots = lots.saturating_mul(i128::from(traded.price_ticks.0));
        let (taker_buy_lots, taker_buy_tick_lots) = match traded.taker_side {
            Side::Buy => (lots, tick_lots),
            Side::Sell => (0, 0),
        };
        Self {
            open_s,
            open: traded.price_ticks,
            high: traded.price_ticks,
            low: traded.price_ticks,
            close: traded.price_ticks,
            first: traded.trade,
            last: traded.trade,
            trades: 1,
            lots,
            tick_lots,
            taker_buy_lots,
            taker_buy_tick_lots,
        }
    }

    /// Adds what traded later.
    pub(crate) fn join(&mut self, later: &Self) {
        self.high = self.high.max(later.high);
        self.low = self.low.min(later.low);
        self.close = later.close;
        self.last = later.last;
        self.trades = self.trades.saturating_add(later.trades);
        self.lots = self.lots.saturating_add(later.lots);
        self.tick_lots = self.tick_lots.saturating_add(later.tick_lots);
        self.taker_buy_lots = self.taker_buy_lots.saturating_add(later.taker_buy_lots);
        self.taker_buy_tick_lots = self.taker_buy_tick_lots.saturating_add(later.taker_buy_tick_lots);
    }

    /// In base atoms.
    pub(crate) fn volume(&self, terms: &MarketTerms) -> Amount {
        Amount(self.lots.saturating_mul(terms.base_atoms_per_lot.0))
    }

    /// In quote atoms.
    pub(crate) fn quote_volume(&self, terms: &MarketTerms) -> Amount {
        Amount(self.tick_lots.saturating_mul(terms.quote_atoms_per_tick_lot.0))
    }
}

/// The bars of one length, in the order of time; those without a trade are left out.
#[derive(Clone, Debug)]
pub(crate) struct Level {
    length_s: i64,
    kept: usize,
    bars: VecDeque<Bar>,
    evicted: Option<Evicted>,
}

/// The latest bar that is no longer kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Evicted {
    end_s: i64,
    close: PriceTicks,
}

coded_struct!(Evicted { end_s, close });

impl Level {
    fn new(length_s: i64, kept: usize) -> Self {
        Self { length_s, kept: kept.max(1), bars: VecDeque::new(), evicted: None }
    }

    fn add(&mut self, trade: &Bar) {
        let open_s = trade.open_s.div_euclid(self.length_s).saturating_mul(self.length_s);
        if let Some(last) = self.bars.back_mut()
            && last.open_s == open_s
        {
            last.join(trade);
            return;
        }
        if self.bars.len() >= self.kept {
            self.evict();
        }
        self.bars.push_back(Bar { open_s, ..*trade });
    }

    fn evict(&mut self) {
        let oldest = self.bars.pop_front().expect("a ring that is full is not empty");
        self.evicted =
            Some(Evicted { end_s: oldest.open_s.saturating_add(self.length_s), close: oldest.close });
    }

    fn put_behind(&mut self, earlier: &Self) {
        if self.evicted.is_some() {
            // There was no room for all of the later ones already.
            return;
        }
        let mut bars = earlier.bars.clone();
        let mut later = std::mem::take(&mut self.bars);
        if let (Some(last), Some(first)) = (bars.back_mut(), later.front())
            && last.open_s == first.open_s
        {
            last.join(first);
            later.pop_front();
        }
        bars.append(&mut later);
        self.bars = bars;
        self.evicted = earlier.evicted;
        while self.bars.len() > self.kept {
            self.evict();
        }
    }

    /// Where the first bar is that begins at `from_s` or later.
    fn place(&self, from_s: i64) -> usize {
        self.bars.partition_point(|bar| bar.open_s < from_s)
    }

    /// The last price before `from_s`, as far back as bars are kept.
    pub(crate) fn close_before(&self, from_s: i64) -> Option<PriceTicks> {
        match self.place(from_s).checked_sub(1) {
            Some(before) => Some(self.bars[before].close),
            None => self.evicted.filter(|evicted| evicted.end_s <= from_s).map(|evicted| evicted.close),
        }
    }

    /// Adds up the bars that begin from `from_s` to before `to_s`.
    pub(crate) fn sum(&self, from_s: i64, to_s: i64, sum: &mut Option<Bar>) {
        let bars = self.bars.range(self.place(from_s)..);
        for bar in bars.take_while(|bar| bar.open_s < to_s) {
            match sum {
                Some(sum) => sum.join(bar),
                None => *sum = Some(*bar),
            }
        }
    }

    /// The number of the first candle that is whole.
    fn first_index(&self, interval: Interval, offset: UtcOffset) -> Option<i64> {
        let first = self.bars.front()?;
        Some(match self.evicted {
            Some(evicted) => interval.index_from(evicted.end_s, offset),
            None => interval.index_of(first.open_s, offset),
        })
    }

    fn save(&self, out: &mut Vec<u8>) {
        save_ring(&self.bars, out);
        self.evicted.encode(out);
    }

    fn load(&mut self, input: &mut Reader<'_>) -> Result<(), DecodeError> {
        self.bars = load_ring(input, usize::MAX)?;
        self.evicted = Coded::decode(input)?;
        while self.bars.len() > self.kept {
            self.evict();
        }
        Ok(())
    }
}

/// What traded in one market, by time.
#[derive(Clone, Debug)]
pub(crate) struct Candles {
    pub(crate) seconds: Level,
    pub(crate) minutes: Level,
    pub(crate) quarters: Level,
    pub(crate) hours: Level,
    pub(crate) days: Level,
}

impl Candles {
    pub(crate) fn new(settings: &ViewSettings) -> Self {
        Self {
            seconds: Level::new(1, settings.seconds_kept),
            // The 24-hour ticker needs the minutes of 24 hours and a quarter, the quarters of 25 hours, 25 hours.
            minutes: Level::new(60, settings.minutes_kept.max(1_500)),
            quarters: Level::new(900, settings.quarters_kept.max(104)),
            hours: Level::new(3_600, settings.hours_kept.max(170)),
            days: Level::new(86_400, settings.days_kept),
        }
    }

    /// Longest first.
    fn levels(&self) -> [&Level; 5] {
        [&self.days, &self.hours, &self.quarters, &self.minutes, &self.seconds]
    }

    fn levels_mut(&mut self) -> [&mut Level; 5] {
        [&mut self.days, &mut self.hours, &mut self.quarters, &mut self.minutes, &mut self.seconds]
    }

    pub(crate) fn traded(&mut self, traded: &Traded, time: TimeNs) {
        let trade = Bar::of(traded, seconds_down(time));
        for level in self.levels_mut() {
            level.add(&trade);
        }
    }

    /// `present` is the time of the latest event.
    pub(crate) fn query(&self, terms: &MarketTerms, query: &CandleQuery, present: TimeNs) -> Vec<Candle> {
        let CandleQuery { interval, offset, .. } = *query;
        let level = self.levels().into_iter().find(|level| interval.divides_into(level.length_s, offset));
        let level = level.expect("every interval is a whole number of seconds, every time zone of minutes");
        let Some(mut first) = level.first_index(interval, offset) else { return Vec::new() };
        let mut last = interval.index_of(seconds_down(query.now.max(present)), offset);
        if let Some(start) = query.start {
            first = first.max(interval.index_from(seconds_up(start), offset));
        }
        if let Some(end) = query.end {
            last = last.min(interval.index_of(seconds_down(end), offset));
        }
        let limit = i64::try_from(query.limit.min(CandleQuery::MAX_LIMIT)).expect("at most 1,000");
        if query.start.is_some() {
            last = last.min(first.saturating_add(limit).saturating_sub(1));
        } else {
            first = first.max(last.saturating_sub(limit).saturating_add(1));
        }
        if limit == 0 || last < first {
            return Vec::new();
        }
        level.candles(terms, interval, offset, first, last)
    }

    /// Puts what was traded earlier before it.
    pub(crate) fn put_behind(&mut self, earlier: &Self) {
        for (level, earlier) in self.levels_mut().into_iter().zip(earlier.levels()) {
            level.put_behind(earlier);
        }
    }

    pub(crate) fn save(&self, out: &mut Vec<u8>) {
        for level in self.levels() {
            level.save(out);
        }
    }

    pub(crate) fn load(settings: &ViewSettings, input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut candles = Self::new(settings);
        for level in candles.levels_mut() {
            level.load(input)?;
        }
        Ok(candles)
    }
}

impl Level {
    /// The candles from one number to another, both included.
    fn candles(
        &self,
        terms: &MarketTerms,
        interval: Interval,
        offset: UtcOffset,
        first: i64,
        last: i64,
    ) -> Vec<Candle> {
        let mut open_s = interval.open_s(first, offset);
        let mut close = self.close_before(open_s);
        let mut bars = self.bars.range(self.place(open_s)..).peekable();
        let mut candles = Vec::new();
        for index in first..=last {
            let next_s = interval.open_s(index.saturating_add(1), offset);
            let mut sum: Option<Bar> = None;
            while let Some(bar) = bars.next_if(|bar| bar.open_s < next_s) {
                match &mut sum {
                    Some(sum) => sum.join(bar),
                    None => sum = Some(*bar),
                }
            }
            let times = (time_ns(open_s), TimeNs(time_ns(next_s).0.saturating_sub(1_000_000)));
            close = sum.as_ref().map(|sum| sum.close).or(close);
            candles.push(match sum {
                Some(sum) => sum.candle(terms, times),
                None => flat(close.expect("candles begin with the first trade"), times),
            });
            open_s = next_s;
        }
        candles
    }
}

impl Bar {
    fn candle(&self, terms: &MarketTerms, (open_time, close_time): (TimeNs, TimeNs)) -> Candle {
        Candle {
            open_time,
            close_time,
            open: self.open,
            high: self.high,
            low: self.low,
            close: self.close,
            volume: self.volume(terms),
            quote_volume: self.quote_volume(terms),
            trades: self.trades,
            taker_buy_base: Amount(self.taker_buy_lots.saturating_mul(terms.base_atoms_per_lot.0)),
            taker_buy_quote: Amount(
                self.taker_buy_tick_lots.saturating_mul(terms.quote_atoms_per_tick_lot.0),
            ),
            first_trade: Some(self.first),
            last_trade: Some(self.last),
        }
    }
}

/// Nothing traded.
const fn flat(price: PriceTicks, (open_time, close_time): (TimeNs, TimeNs)) -> Candle {
    Candle {
        open_time,
        close_time,
        open: price,
        high: price,
        low: price,
        close: price,
        volume: Amount::ZERO,
        quote_volume: Amount::ZERO,
        trades: 0,
        taker_buy_base: Amount::ZERO,
        taker_buy_quote: Amount::ZERO,
        first_trade: None,
        last_trade: None,
    }
}
