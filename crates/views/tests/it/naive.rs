//! The obvious views: every fact is kept for ever in a list, and every question is answered by going through all of them.
//! Shares no code with the real ones, calendar included.

use std::collections::BTreeMap;

use model::{
    AccountId, Amount, ClientOrderId, EndReason, Event, EventBatch, MarketId, MarketTerms, OrderAccepted,
    OrderFilled, OrderId, OrderKind, PriceTicks, QtyLots, Side, TimeNs, TradeId, Traded,
};
use views::{AggTrade, Candle, CandleQuery, Interval, OrderStatus, Page, UtcOffset, ViewSettings};

#[derive(Clone, Debug)]
pub struct NaiveOrder {
    pub accepted: OrderAccepted,
    pub accepted_ns: TimeNs,
    pub updated_ns: TimeNs,
    pub name: ClientOrderId,
    pub qty: i64,
    pub executed: i64,
    pub prevented: i64,
    pub quote: i128,
    pub amends: u16,
    pub end: Option<EndReason>,
}

impl NaiveOrder {
    pub fn status(&self) -> OrderStatus {
        match (self.end, self.executed) {
            (None, 0) => OrderStatus::New,
            (None, _) => OrderStatus::PartiallyFilled,
            (Some(EndReason::Filled), _) => OrderStatus::Filled,
            (Some(EndReason::Canceled), _) => OrderStatus::Canceled,
            (Some(EndReason::Expired(_)), _) => OrderStatus::Expired,
            (Some(EndReason::ExpiredInMatch), _) => OrderStatus::ExpiredInMatch,
        }
    }
}

#[derive(Default)]
pub struct Naive {
    pub settings: ViewSettings,
    pub terms: Vec<MarketTerms>,
    pub orders: BTreeMap<OrderId, NaiveOrder>,
    /// Finished orders that are kept, oldest end first.
    finished: Vec<OrderId>,
    /// Who took a name last.
    names: BTreeMap<(AccountId, MarketId, ClientOrderId), OrderId>,
    /// Own trades that are kept, oldest first.
    pub fills: Vec<(OrderFilled, TimeNs)>,
    pub traded: Vec<(Traded, TimeNs)>,
}

/// The documented rule for parts of histories.
pub fn page<T, Id: Copy + PartialOrd>(
    all: Vec<T>,
    key: impl Fn(&T) -> (Id, TimeNs),
    asked: &Page<Id>,
) -> Vec<T> {
    let mut left = Vec::new();
    for entry in all {
        let (id, time) = key(&entry);
        let from = asked.from.is_none_or(|from| id >= from);
        let start = asked.start_ns.is_none_or(|start| time >= start);
        let end = asked.end_ns.is_none_or(|end| time <= end);
        if from && start && end {
            left.push(entry);
        }
    }
    if asked.from.is_some() || asked.start_ns.is_some() {
        left.truncate(asked.limit);
    } else {
        left = left.split_off(left.len().saturating_sub(asked.limit));
    }
    left
}

impl Naive {
    pub fn new(settings: ViewSettings) -> Self {
        Self { settings, ..Self::default() }
    }

    pub fn apply(&mut self, batch: &EventBatch) {
        for event in &batch.events {
            self.apply_event(event, batch.time_ns);
        }
    }

    fn apply_event(&mut self, event: &Event, time_ns: TimeNs) {
        match event {
            Event::MarketAdded { market, terms } => {
                let index = usize::try_from(market.0).unwrap();
                self.terms.truncate(self.terms.len().max(index));
                if index == self.terms.len() {
                    self.terms.push(**terms);
                } else {
                    self.terms[index] = **terms;
                }
            }
            Event::OrderAccepted(accepted) => {
                let order = NaiveOrder {
                    accepted: accepted.clone(),
                    accepted_ns: time_ns,
                    updated_ns: time_ns,
                    name: accepted.client_order_id,
                    qty: accepted.kind.qty_lots().map_or(0, |qty| qty.0),
                    executed: 0,
                    prevented: 0,
                    quote: 0,
                    amends: 0,
                    end: None,
                };
                self.orders.insert(accepted.order, order);
                let name = (accepted.account, accepted.market, accepted.client_order_id);
                self.names.insert(name, accepted.order);
            }
            Event::OrderFilled(filled) => {
                self.fill(filled, time_ns);
                let terms = self.terms[usize::try_from(filled.market.0).unwrap()];
                let order = self.orders.get_mut(&filled.order).unwrap();
                order.executed += filled.qty_lots.0;
                order.quote += i128::from(filled.price_ticks.0)
                    * i128::from(filled.qty_lots.0)
                    * terms.quote_atoms_per_tick_lot.0;
                order.updated_ns = time_ns;
            }
            Event::OrderPrevented(prevented) => {
                let order = self.orders.get_mut(&prevented.order).unwrap();
                order.prevented += prevented.prevented_lots.0;
                order.updated_ns = time_ns;
            }
            Event::OrderTracks(_) | Event::OrderTriggered(_) => {
                unreachable!("nobody in this world waits for a price")
            }
            Event::OrderAmended(amended) => {
                let order = self.orders.get_mut(&amended.order).unwrap();
                order.qty = amended.qty_lots.0;
                order.amends += 1;
                order.updated_ns = time_ns;
                let (before, after) = (order.name, amended.client_order_id);
                order.name = after;
                self.names.remove(&(amended.account, amended.market, before));
                self.names.insert((amended.account, amended.market, after), amended.order);
            }
            Event::OrderEnded(ended) => {
                let order = self.orders.get_mut(&ended.order).unwrap();
                order.end = Some(ended.reason);
                order.updated_ns = time_ns;
                self.finish(ended.order, ended.account, ended.market);
            }
            Event::Traded(traded) => self.traded.push((traded.clone(), time_ns)),
            Event::AssetAdded { .. }
            | Event::AccountCreated { .. }
            | Event::ApiKeyCreated(_)
            | Event::ApiKeyAdded(_)
            | Event::ApiKeyChanged(_)
            | Event::ApiKeyResealed { .. }
            | Event::PartitionAdded { .. }
            | Event::MarketPlaced { .. }
            | Event::MarketMoving { .. }
            | Event::MarketLeft { .. }
            | Event::Heard { .. }
            | Event::SourceRegistered { .. }
            | Event::EntryTaken { .. }
            | Event::EntryOpen { .. }
            | Event::EntryAnswered { .. }
            | Event::EntryRepeated { .. }
            | Event::EntryOutOfOrder { .. }
            | Event::ApiKeyRevoked { .. }
            | Event::Deposited(_)
            | Event::WithdrawalRequested(_)
            | Event::WithdrawalSettled(_)
            | Event::Rejected { .. }
            | Event::LevelChanged(_)
            | Event::ContractAdded { .. }
            | Event::FundsMoved(_)
            | Event::ContractOrderAccepted(_)
            | Event::ContractFilled(_)
            | Event::LeverageChanged { .. }
            | Event::MarkPriceChanged(_)
            | Event::IndexPriceSet { .. }
            | Event::FundingSettled(_)
            | Event::FundingPaid(_)
            | Event::LiquidationBegun { .. }
            | Event::LiquidationEnded { .. }
            | Event::ClearancePaid { .. }
            | Event::FundReceived { .. }
            | Event::PositionForced(_)
            | Event::DebtCovered { .. }
            | Event::MarginTypeChanged { .. }
            | Event::PositionMarginChanged(_)
            | Event::PositionDebtCovered { .. }
            | Event::PositionLiquidationBegun { .. }
            | Event::PositionLiquidationEnded { .. }
            | Event::PositionModeChanged { .. }
            | Event::AlgoOrderAccepted(_)
            | Event::AlgoOrderTracks(_)
            | Event::AlgoOrderTriggered(_)
            | Event::AlgoOrderEnded(_)
            | Event::CountdownSet { .. }
            | Event::CountdownFired { .. }
            | Event::GoodTillDate { .. }
            | Event::ContractOrderModified(_)
            | Event::Skipped { .. } => {}
        }
    }

    fn finish(&mut self, order: OrderId, account: AccountId, market: MarketId) {
        self.finished.push(order);
        let group: Vec<usize> = (0..self.finished.len())
            .filter(|place| {
                let accepted = &self.orders[&self.finished[*place]].accepted;
                (accepted.account, accepted.market) == (account, market)
            })
            .collect();
        if group.len() > self.settings.orders_kept_per_account {
            self.finished.remove(group[0]);
        }
        if self.finished.len() > self.settings.orders_kept {
            self.finished.remove(0);
        }
    }

    pub fn is_kept(&self, order: OrderId) -> bool {
        self.orders[&order].end.is_none() || self.finished.contains(&order)
    }

    pub fn orders_of(&self, account: AccountId, market: MarketId, asked: &Page<OrderId>) -> Vec<&NaiveOrder> {
        let all = self
            .orders
            .values()
            .filter(|order| (order.accepted.account, order.accepted.market) == (account, market))
            .filter(|order| self.is_kept(order.accepted.order))
            .collect();
        page(all, |order| (order.accepted.order, order.accepted_ns), asked)
    }

    /// The order that took the name last, while it is kept and has it.
    pub fn by_name(&self, account: AccountId, market: MarketId, name: &ClientOrderId) -> Option<&NaiveOrder> {
        let order = self.names.get(&(account, market, *name)).filter(|_| !name.is_empty())?;
        self.is_kept(*order).then(|| &self.orders[order])
    }

    fn fill(&mut self, filled: &OrderFilled, time_ns: TimeNs) {
        self.fills.push((filled.clone(), time_ns));
        let group: Vec<usize> = (0..self.fills.len())
            .filter(|place| {
                let (fill, _) = &self.fills[*place];
                (fill.account, fill.market) == (filled.account, filled.market)
            })
            .collect();
        if group.len() > self.settings.own_trades_kept_per_account {
            self.fills.remove(group[0]);
        }
        if self.fills.len() > self.settings.own_trades_kept {
            self.fills.remove(0);
        }
    }

    pub fn own_trades(
        &self,
        account: AccountId,
        market: MarketId,
        order: Option<OrderId>,
        asked: &Page<TradeId>,
    ) -> Vec<&(OrderFilled, TimeNs)> {
        let mut own: Vec<&(OrderFilled, TimeNs)> = self.fills.iter().collect();
        own.retain(|(fill, _)| {
            (fill.account, fill.market) == (account, market) && order.is_none_or(|order| fill.order == order)
        });
        page(own, |(fill, time)| (fill.trade, *time), asked)
    }

    pub fn traded_in(&self, market: MarketId) -> Vec<&(Traded, TimeNs)> {
        self.traded.iter().filter(|(traded, _)| traded.market == market).collect()
    }

    pub fn trades(&self, market: MarketId, asked: &Page<TradeId>) -> Vec<(Traded, TimeNs)> {
        let all = self.traded_in(market);
        let kept = all[all.len().saturating_sub(self.settings.trades_kept.max(1))..].to_vec();
        page(kept, |(traded, time)| (traded.trade, *time), asked).into_iter().cloned().collect()
    }

    /// As (number, price, quantity, first, last, time, buyer is maker).
    pub fn agg_trades(&self, market: MarketId, asked: &Page<u64>) -> Vec<NaiveAgg> {
        let mut aggs: Vec<(OrderId, NaiveAgg)> = Vec::new();
        for (traded, time) in self.traded_in(market) {
            let number = u64::try_from(aggs.len()).unwrap() + 1;
            match aggs.last_mut() {
                Some((taker, agg))
                    if (*taker, agg.price, agg.time) == (traded.taker_order, traded.price_ticks, *time) =>
                {
                    agg.qty += traded.qty_lots.0;
                    agg.last = traded.trade;
                }
                _ => aggs.push((
                    traded.taker_order,
                    NaiveAgg {
                        number,
                        price: traded.price_ticks,
                        qty: traded.qty_lots.0,
                        first: traded.trade,
                        last: traded.trade,
                        time: *time,
                        buyer_is_maker: traded.taker_side == Side::Sell,
                    },
                )),
            }
        }
        let from = aggs.len().saturating_sub(self.settings.agg_trades_kept.max(1));
        let kept = aggs.split_off(from).into_iter().map(|(_, agg)| agg).collect();
        page(kept, |agg: &NaiveAgg| (agg.number, agg.time), asked)
    }

    /// Candles by going from one to the next since the first trade, with no bound on what is kept.
    pub fn candles(&self, market: MarketId, query: &CandleQuery, present: TimeNs) -> Vec<Candle> {
        let trades = self.traded_in(market);
        let Some((_, first)) = trades.first() else { return Vec::new() };
        let now = millis(query.now.max(present));
        let mut candles = Vec::new();
        let mut open = open_of(query.interval, query.offset, millis(*first));
        let mut price = trades[0].0.price_ticks;
        let mut done = 0;
        while open <= now {
            let next = next_open(query.interval, query.offset, open);
            let inside: Vec<&Traded> = trades[done..]
                .iter()
                .take_while(|(_, time)| millis(*time) < next)
                .map(|(traded, _)| traded)
                .collect();
            done += inside.len();
            candles.push(candle(&self.terms[usize::try_from(market.0).unwrap()], &inside, price, open, next));
            price = inside.last().map_or(price, |traded| traded.price_ticks);
            open = next;
        }
        let start = query.start.map_or(0, |start| i128::from(start.0));
        let end = query.end.map_or(i128::MAX, |end| i128::from(end.0));
        candles.retain(|candle| {
            let open = i128::from(candle.open_time.0);
            start <= open && open <= end
        });
        let limit = query.limit.min(1_000);
        if query.start.is_some() {
            candles.truncate(limit);
        } else {
            candles = candles.split_off(candles.len().saturating_sub(limit));
        }
        candles
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NaiveAgg {
    pub number: u64,
    pub price: PriceTicks,
    pub qty: i64,
    pub first: TradeId,
    pub last: TradeId,
    pub time: TimeNs,
    pub buyer_is_maker: bool,
}

impl From<AggTrade> for NaiveAgg {
    fn from(agg: AggTrade) -> Self {
        Self {
            number: agg.id,
            price: agg.price_ticks,
            qty: agg.qty_lots.0,
            first: agg.first,
            last: agg.last,
            time: agg.time_ns,
            buyer_is_maker: agg.is_buyer_maker(),
        }
    }
}

pub fn candle(
    terms: &MarketTerms,
    inside: &[&Traded],
    price: PriceTicks,
    open_ms: i128,
    next_ms: i128,
) -> Candle {
    let prices: Vec<PriceTicks> = inside.iter().map(|traded| traded.price_ticks).collect();
    let base = |traded: &&&Traded| i128::from(traded.qty_lots.0) * terms.base_atoms_per_lot.0;
    let quote = |traded: &&&Traded| terms.notional(traded.price_ticks, traded.qty_lots).0;
    let bought = |traded: &&&Traded| traded.taker_side == Side::Buy;
    Candle {
        open_time: nanos(open_ms),
        close_time: nanos(next_ms - 1),
        open: prices.first().copied().unwrap_or(price),
        high: prices.iter().max().copied().unwrap_or(price),
        low: prices.iter().min().copied().unwrap_or(price),
        close: prices.last().copied().unwrap_or(price),
        volume: Amount(inside.iter().map(|traded| base(&traded)).sum()),
        quote_volume: Amount(inside.iter().map(|traded| quote(&traded)).sum()),
        trades: u64::try_from(inside.len()).unwrap(),
        taker_buy_base: Amount(inside.iter().filter(bought).map(|traded| base(&traded)).sum()),
        taker_buy_quote: Amount(inside.iter().filter(bought).map(|traded| quote(&traded)).sum()),
        first_trade: inside.first().map(|traded| traded.trade),
        last_trade: inside.last().map(|traded| traded.trade),
    }
}

pub fn millis(time: TimeNs) -> i128 {
    i128::from(time.0 / 1_000_000)
}

fn nanos(millis: i128) -> TimeNs {
    TimeNs(u64::try_from(millis * 1_000_000).unwrap())
}

const DAY_MS: i128 = 86_400_000;

fn length_ms(interval: Interval) -> i128 {
    let (number, unit) = interval.name().split_at(interval.name().len() - 1);
    let unit = match unit {
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => DAY_MS,
        "w" => 7 * DAY_MS,
        other => panic!("a month has no fixed length: {other}"),
    };
    number.parse::<i128>().unwrap() * unit
}

fn is_leap(year: i128) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// The first day of each month from 1970 on, counted from 1970-01-01.
fn months() -> impl Iterator<Item = i128> {
    let mut day = 0;
    (1970..).flat_map(|year| (1..=12).map(move |month| (year, month))).map(move |(year, month)| {
        let first = day;
        day += match month {
            2 if is_leap(year) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        first
    })
}

fn open_of(interval: Interval, offset: UtcOffset, time_ms: i128) -> i128 {
    let zone = i128::from(offset.minutes()) * 60_000;
    let local = time_ms + zone;
    let open = if interval == Interval::Month1 {
        months().take_while(|first| first * DAY_MS <= local).last().unwrap() * DAY_MS
    } else if interval == Interval::Week1 {
        // The epoch was a Thursday: three days after Monday.
        let day = local.div_euclid(DAY_MS);
        (day - (day + 3).rem_euclid(7)) * DAY_MS
    } else {
        local - local.rem_euclid(length_ms(interval))
    };
    open - zone
}

fn next_open(interval: Interval, offset: UtcOffset, open_ms: i128) -> i128 {
    if interval == Interval::Month1 {
        // No month is longer than 31 days, and the one after is no shorter than 28.
        open_of(interval, offset, open_ms + 31 * DAY_MS + 1).min(open_of(
            interval,
            offset,
            open_ms + 32 * DAY_MS,
        ))
    } else {
        open_ms + length_ms(interval)
    }
}

/// Quantity of an order as it is shown.
pub fn shown_qty(order: &NaiveOrder) -> QtyLots {
    QtyLots(match order.accepted.kind {
        OrderKind::MarketQuote { .. } => order.executed + order.prevented,
        OrderKind::Limit { .. }
        | OrderKind::LimitMaker { .. }
        | OrderKind::Market { .. }
        | OrderKind::StopMarket { .. }
        | OrderKind::StopLimit { .. } => order.qty,
    })
}
