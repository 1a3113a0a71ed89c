//! The thread that writes the messages of all streams, each once for all who get it: what has happened as soon as it is told,
//! and what the clock asks for, every 100 milliseconds and every second.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use model::{AccountId, LevelChanged, MarkPriceChanged, MarketId, PriceTicks, QtyLots, Seq, Side, TimeNs};
use views::{BookTicker, CandleQuery, Interval, Ticker, UtcOffset, Views};

use crate::decimal::Decimal;
use crate::futures::listen_keys::ListenKeys;
use crate::futures::margins::{Prices, standings};
use crate::gateway::{TimeUnit, now_ns};
use crate::listings::{Listing, Listings};
use crate::market_data::average;
use crate::read_model::ReadModels;
use crate::streams::contract_messages;
use crate::streams::feed::{Fact, Told};
use crate::streams::hub::{Half, Hub};
use crate::streams::margin_calls::MarginCalls;
use crate::streams::market_messages::{self as messages, BestLevels, CandleState};
use crate::streams::topic::{Kind, Realm, Speed, Subject, Topic};
use crate::streams::user_messages;

/// How often the clock asks for the fast streams.
const TICK: Duration = Duration::from_millis(100);
/// Every how many ticks it asks for the slow ones.
const TICKS_A_SECOND: u64 = 10;
/// Every how many ticks it asks for the slowest ones.
const TICKS_OF_THREE_SECONDS: u64 = 30;

/// Starts the thread; it ends with the senders of what it is to tell, or with the read models.
pub(crate) fn start(models: &Arc<ReadModels>) -> io::Result<Sender<Told>> {
    let (sender, told) = channel();
    let publisher = Publisher {
        models: Arc::downgrade(models),
        hub: Arc::clone(models.hub()),
        diffs: HashMap::new(),
        told_before: HashMap::new(),
        margin_calls: MarginCalls::default(),
    };
    thread::Builder::new().name("streams".to_owned()).spawn(move || publisher.run(&told))?;
    Ok(sender)
}

/// Changes of a book that were not told yet.
#[derive(Debug)]
struct Diff {
    /// Numbers of the first and the last of them.
    first: u64,
    last: u64,
    bids: BTreeMap<PriceTicks, QtyLots>,
    asks: BTreeMap<PriceTicks, QtyLots>,
}

impl Diff {
    const fn starting_at(first: u64) -> Self {
        Self { first, last: first, bids: BTreeMap::new(), asks: BTreeMap::new() }
    }

    fn add(&mut self, changed: &LevelChanged) {
        if changed.update_id > self.last + 1 {
            // Nobody listened in between, so nobody waits for what was collected before.
            *self = Self::starting_at(changed.update_id);
        }
        if changed.update_id < self.last {
            // Told late by the former home of a market that has moved, whose new home began behind it.
            return;
        }
        self.last = changed.update_id;
        let levels = match changed.side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        };
        levels.insert(changed.price_ticks, changed.open_lots);
    }
}

/// What was told last of a topic of the clock: what is the same is not told again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    Book(u64),
    Ticker(TickerFigures),
    Average(Decimal),
    Candle { open_time: TimeNs, trades: u64 },
}

/// A ticker without its times, which change always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct TickerFigures(Ticker);

impl TickerFigures {
    const fn of(ticker: Ticker) -> Self {
        Self(Ticker { open_time: TimeNs(0), close_time: TimeNs(0), ..ticker })
    }

    /// What the short form shows.
    fn mini(ticker: Ticker) -> Self {
        Self::of(Ticker { book: BookTicker::default(), ..ticker })
    }
}

struct Publisher {
    models: Weak<ReadModels>,
    hub: Arc<Hub>,
    diffs: HashMap<(MarketId, Speed), Diff>,
    told_before: HashMap<(Topic, Option<MarketId>), Before>,
    margin_calls: MarginCalls,
}

impl Publisher {
    fn run(mut self, told: &Receiver<Told>) {
        let mut next_tick = Instant::now() + TICK;
        let mut ticks = 0;
        loop {
            match told.recv_timeout(next_tick.saturating_duration_since(Instant::now())) {
                Ok(told) => {
                    let Some(models) = self.models.upgrade() else { return };
                    self.tell(&models, &told);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let now = Instant::now();
            if now >= next_tick {
                let Some(models) = self.models.upgrade() else { return };
                ticks += 1;
                self.tick(&models, Speed::Fast);
                if ticks % TICKS_A_SECOND == 0 {
                    self.tick(&models, Speed::Slow);
                    if let Some(watched) = models.watched() {
                        self.call_for_margin(&models, watched.margin_call_ppm);
                        self.end_listen_keys(&watched.listen_keys);
                    }
                }
                if ticks % TICKS_OF_THREE_SECONDS == 0 {
                    self.tick(&models, Speed::Slowest);
                }
                // Ticks that were missed are not made up for.
                next_tick = (next_tick + TICK).max(now);
            }
        }
    }

    /// Writes to those who listen to `kind` of a market, in their units of time.
    fn publish(&self, market: MarketId, kind: Kind, write: impl Fn(TimeUnit) -> String) {
        for unit in [TimeUnit::Millis, TimeUnit::Micros] {
            let topic = Topic { subject: Subject::Market(market, kind), unit };
            self.hub.publish_with(topic, || write(unit));
        }
    }

    /// Writes to those who listen to a half of an account, in their units of time.
    fn publish_to(
        &self,
        (account, of_futures): (AccountId, bool),
        seq: Seq,
        write: impl Fn(TimeUnit) -> String,
    ) {
        let mut written: [Option<String>; 2] = [None, None];
        self.hub.publish_to(account, |listener| {
            if seq <= listener.since || matches!(listener.half, Half::Futures { .. }) != of_futures {
                return;
            }
            let place = match listener.unit {
                TimeUnit::Millis => &mut written[0],
                TimeUnit::Micros => &mut written[1],
            };
            let event = place.get_or_insert_with(|| write(listener.unit));
            listener.outbox.push(match &listener.half {
                Half::Spot(subscription) => user_messages::wrapped(*subscription, event).into(),
                Half::Futures { form, .. } => form.of(event),
            });
        });
    }

    fn tell(&mut self, models: &ReadModels, told: &Told) {
        // What is listed now: what a partition tells of has been listed before.
        let listings = &*models.listings();
        let (seq, time_ns) = (told.seq, told.time_ns);
        let listing = |market| listings.market(market).expect("an event names listed markets");
        for fact in &told.facts {
            match fact {
                Fact::Trade(market, trade) => {
                    self.publish(*market, Kind::Trade, |unit| messages::trade(listing(*market), unit, trade));
                }
                Fact::AggTrade(market, agg) => {
                    self.publish(*market, Kind::AggTrade, |unit| {
                        messages::agg_trade(listing(*market), unit, agg)
                    });
                }
                Fact::BestPrices(market, update_id, best) => {
                    self.publish(*market, Kind::BookTicker, |unit| {
                        messages::book_ticker(listing(*market), unit.of(time_ns), *update_id, *best)
                    });
                }
                Fact::Level(changed) => {
                    for speed in [Speed::Fast, Speed::Slow] {
                        let diff = self.diffs.entry((changed.market, speed));
                        diff.or_insert_with(|| Diff::starting_at(changed.update_id)).add(changed);
                    }
                }
                Fact::Report(report) => {
                    self.publish_to((report.order.account, false), seq, |unit| {
                        user_messages::execution_report(listing(report.order.market), unit, time_ns, report)
                    });
                }
                Fact::Position(account, balances) => {
                    self.publish_to((*account, false), seq, |unit| {
                        user_messages::account_position(listings, unit, time_ns, balances)
                    });
                }
                Fact::Moved { account, asset, delta } => {
                    self.publish_to((*account, false), seq, |unit| {
                        user_messages::balance_update(listings, unit, time_ns, *asset, *delta)
                    });
                }
                Fact::ContractReport(report) => {
                    self.publish_to((report.order.account, true), seq, |unit| {
                        contract_messages::order_update(listing(report.order.market), unit, time_ns, report)
                    });
                }
                Fact::Update(update) => {
                    let mut prices = Prices::new();
                    for market in update.positions.iter().map(|changed| changed.market) {
                        prices.extend(prices_of(models, listing(market)).map(|told| (market, told)));
                    }
                    self.publish_to((update.account, true), seq, |unit| {
                        contract_messages::account_update(listings, unit, time_ns, &prices, update)
                    });
                }
                Fact::Algo(order) => {
                    let (account, listing) = (order.accepted.account, listing(order.accepted.market));
                    self.publish_to((account, true), seq, |unit| {
                        contract_messages::algo_update(listing, unit, time_ns, order)
                    });
                    if order.reject.is_some() {
                        self.publish_to((account, true), seq, |unit| {
                            let told = contract_messages::trigger_rejected(listing, unit, time_ns, order);
                            told.expect("it was refused")
                        });
                    }
                }
                Fact::Leverage { account, market, leverage } => {
                    self.publish_to((*account, true), seq, |unit| {
                        contract_messages::leverage(listing(*market), unit, time_ns, *leverage)
                    });
                }
                Fact::ForceOrder(order) => {
                    let listing = listing(order.market);
                    for unit in [TimeUnit::Millis, TimeUnit::Micros] {
                        let write = || contract_messages::force_order(listing, unit, time_ns, order);
                        let of_one = Subject::Market(order.market, Kind::ForceOrder);
                        for subject in [of_one, Subject::AllForceOrders] {
                            self.hub.publish_with(Topic { subject, unit }, write);
                        }
                    }
                }
            }
        }
    }

    /// Tells what the streams of this speed have to tell.
    fn tick(&mut self, models: &ReadModels, speed: Speed) {
        let listings = models.listings();
        let topics = self.hub.topics_now(|topic| topic.speed() == Some(speed));
        for (topic, fresh) in &topics {
            match topic.subject {
                Subject::Market(market, kind) => {
                    let listing = listings.market(market).expect("topics are of listed markets");
                    self.tick_market(models, listing, *topic, kind, *fresh);
                }
                Subject::AllMiniTickers(realm) => {
                    let markets = of_realm(&listings, realm);
                    self.tick_all(models, markets, *topic, *fresh, |listing, now, ticker| {
                        messages::mini_ticker(listing, topic.unit.of(now), ticker)
                    });
                }
                Subject::AllTickers => {
                    let markets = of_realm(&listings, Realm::Futures);
                    self.tick_all(models, markets, *topic, *fresh, |listing, now, ticker| {
                        messages::ticker(listing, topic.unit, topic.unit.of(now), ticker)
                    });
                }
                Subject::AllMarkPrices(_) => self.tick_mark_prices(models, &listings, *topic),
                // Told when they happen.
                Subject::AllForceOrders => {}
            }
        }
        // What nobody listens to is forgotten; diffs are told to all units of time at once.
        self.diffs.retain(|(_, of), _| *of != speed);
        let wanted: HashSet<Topic> = topics.iter().map(|(topic, _)| *topic).collect();
        self.told_before.retain(|(topic, _), _| topic.speed() != Some(speed) || wanted.contains(topic));
    }

    /// Keeps what is told now, and says whether it is new.
    fn is_new(&mut self, topic: Topic, market: Option<MarketId>, now: Before) -> bool {
        self.told_before.insert((topic, market), now) != Some(now)
    }

    fn tick_market(&mut self, models: &ReadModels, listing: &Listing, topic: Topic, kind: Kind, fresh: bool) {
        let (market, unit) = (listing.market, topic.unit);
        let now = now_ns();
        match kind {
            Kind::DiffDepth(speed) => {
                if let Some(diff) = self.diffs.get(&(market, speed)) {
                    let levels = |(price, open): (&PriceTicks, &QtyLots)| (*price, *open);
                    let message = messages::diff_depth(
                        listing,
                        (unit.of(now), unit.of(now)),
                        (diff.first, diff.last),
                        diff.bids.iter().rev().map(levels),
                        diff.asks.iter().map(levels),
                    );
                    self.hub.publish(topic, &message);
                }
            }
            Kind::PartialDepth(levels, _) => {
                let Some(best) = models.with_market(listing, |views| best_levels(views, market, levels))
                else {
                    return;
                };
                if self.is_new(topic, None, Before::Book(best.last_update_id)) || fresh {
                    let message = if listing.contract.is_some() {
                        let last = best.last_update_id;
                        let (bids, asks) = (best.bids.iter().copied(), best.asks.iter().copied());
                        messages::diff_depth(listing, (unit.of(now), unit.of(now)), (last, last), bids, asks)
                    } else {
                        messages::partial_depth(listing, &best)
                    };
                    self.hub.publish(topic, &message);
                }
            }
            Kind::MiniTicker => {
                let ticker = models.with_market(listing, |views| views.ticker(market, now));
                let Some(ticker) = ticker else { return };
                if self.is_new(topic, None, Before::Ticker(TickerFigures::mini(ticker))) || fresh {
                    self.hub.publish(topic, &messages::mini_ticker(listing, unit.of(now), &ticker));
                }
            }
            Kind::Ticker => {
                let ticker = models.with_market(listing, |views| views.ticker(market, now));
                let Some(ticker) = ticker else { return };
                if self.is_new(topic, None, Before::Ticker(TickerFigures::of(ticker))) || fresh {
                    self.hub.publish(topic, &messages::ticker(listing, unit, unit.of(now), &ticker));
                }
            }
            Kind::AveragePrice => {
                let average = models.with_market(listing, |views| average(views, listing, now));
                let Some((price, last_trade)) = average else { return };
                if self.is_new(topic, None, Before::Average(price)) || fresh {
                    let message = messages::average_price(listing, unit, unit.of(now), price, last_trade);
                    self.hub.publish(topic, &message);
                }
            }
            Kind::Kline(interval, offset) => {
                self.tick_kline(models, listing, topic, (interval, offset), fresh);
            }
            Kind::ContinuousKline(interval) => {
                self.tick_kline(models, listing, topic, (interval, UtcOffset::UTC), fresh);
            }
            Kind::MarkPrice(_) => {
                if let Some(prices) = prices_of(models, listing) {
                    let message = contract_messages::mark_price(listing, unit, unit.of(now), &prices);
                    self.hub.publish(topic, &message);
                }
            }
            // Told when they happen.
            Kind::Trade | Kind::AggTrade | Kind::BookTicker | Kind::ForceOrder => {}
        }
    }

    /// The candle that is under way, and before it the ends of those that have closed since. Only the time of the latest event
    /// closes a candle: by the clock, a trade of a moment ago could still come.
    fn tick_kline(
        &mut self,
        models: &ReadModels,
        listing: &Listing,
        topic: Topic,
        (interval, offset): (Interval, UtcOffset),
        fresh: bool,
    ) {
        let since = match self.told_before.get(&(topic, None)) {
            Some(Before::Candle { open_time, .. }) => Some(*open_time),
            Some(Before::Book(_) | Before::Ticker(_) | Before::Average(_)) | None => None,
        };
        let limit = if since.is_some() { CandleQuery::MAX_LIMIT } else { 1 };
        let candles = models.with_market(listing, |views| {
            let query =
                CandleQuery { interval, offset, start: since, end: None, limit, now: views.time_ns() };
            views.candles(listing.market, &query)
        });
        let event_time = topic.unit.of(now_ns());
        let tell = |candle, state| match topic.subject {
            Subject::Market(_, Kind::ContinuousKline(_)) => {
                messages::continuous_kline(listing, topic.unit, event_time, interval, candle, state)
            }
            _ => messages::kline(listing, topic.unit, event_time, interval, candle, state),
        };
        let Some((current, closed)) = candles.as_deref().and_then(<[_]>::split_last) else { return };
        for candle in closed {
            self.hub.publish(topic, &tell(candle, CandleState::Closed));
        }
        let now = Before::Candle { open_time: current.open_time, trades: current.trades };
        if self.is_new(topic, None, now) || fresh {
            self.hub.publish(topic, &tell(current, CandleState::UnderWay));
        }
    }

    /// Tells those who listen to accounts which of these have come near a liquidation.
    fn call_for_margin(&mut self, models: &ReadModels, ratio_ppm: u32) {
        let heard = if ratio_ppm == 0 { Vec::new() } else { self.hub.heard_at_contracts() };
        self.margin_calls.keep(&heard);
        if heard.is_empty() {
            return;
        }
        let listings = models.listings();
        let told = |listing: &Listing| prices_of(models, listing).map(|prices| (listing.market, prices));
        let prices: Prices = listings.contracts().filter_map(told).collect();
        let now = now_ns();
        for account in heard {
            let look = |views: &Views| standings(views, &listings, &prices, account);
            let standings = models.of_account(account).with_views(look);
            for standing in self.margin_calls.crossed(account, &standings, ratio_ppm) {
                // It goes back to no command: whoever listens may hear it.
                self.publish_to((account, true), Seq(u64::MAX), |unit| {
                    contract_messages::margin_call(unit, now, standing)
                });
            }
        }
    }

    /// Tells those who listen under listen keys that have run out.
    fn end_listen_keys(&self, listen_keys: &ListenKeys) {
        let now = now_ns();
        for (name, account) in listen_keys.take_expired(now) {
            self.hub.publish_under(account, &name, |listener, form| {
                let event = contract_messages::listen_key_expired(listener.unit, now, &name);
                listener.outbox.push(form.of(&event));
            });
        }
    }

    fn tick_mark_prices(&self, models: &ReadModels, listings: &Listings, topic: Topic) {
        let now = topic.unit.of(now_ns());
        let told: Vec<String> = listings
            .contracts()
            .filter_map(|listing| {
                let prices = prices_of(models, listing)?;
                Some(contract_messages::mark_price(listing, topic.unit, now, &prices))
            })
            .collect();
        if !told.is_empty() {
            self.hub.publish(topic, &format!("[{}]", told.join(",")));
        }
    }

    fn tick_all(
        &mut self,
        models: &ReadModels,
        markets: Vec<&Listing>,
        topic: Topic,
        fresh: bool,
        write: impl Fn(&Listing, TimeNs, &Ticker) -> String,
    ) {
        let now = now_ns();
        let mut told = Vec::new();
        for listing in markets {
            let ticker = models.with_market(listing, |views| views.ticker(listing.market, now));
            let Some(ticker) = ticker else { continue };
            let figures = Before::Ticker(TickerFigures::mini(ticker));
            if self.is_new(topic, Some(listing.market), figures) || fresh {
                told.push(write(listing, now, &ticker));
            }
        }
        if !told.is_empty() {
            self.hub.publish(topic, &format!("[{}]", told.join(",")));
        }
    }
}

fn of_realm(listings: &Listings, realm: Realm) -> Vec<&Listing> {
    match realm {
        Realm::Spot => listings.markets().collect(),
        Realm::Futures => listings.contracts().collect(),
    }
}

/// The prices of a contract beside those of its trades, once they were told.
fn prices_of(models: &ReadModels, listing: &Listing) -> Option<MarkPriceChanged> {
    models.with_market(listing, |views| views.futures().prices(listing.market).cloned()).flatten()
}

fn best_levels(views: &Views, market: MarketId, levels: u8) -> BestLevels {
    let depth = views.depth(market);
    let levels = usize::from(levels);
    BestLevels {
        last_update_id: depth.last_update_id(),
        bids: depth.bids().take(levels).collect(),
        asks: depth.asks().take(levels).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(update_id: u64, open: i64) -> LevelChanged {
        LevelChanged {
            market: MarketId(0),
            update_id,
            side: Side::Buy,
            price_ticks: PriceTicks(100),
            open_lots: QtyLots(open),
        }
    }

    #[test]
    fn changes_are_collected_only_as_far_back_as_none_is_missing() {
        let mut diff = Diff::starting_at(5);
        for (update_id, open) in [(5, 3), (6, 0)] {
            diff.add(&changed(update_id, open));
        }
        assert_eq!((diff.first, diff.last, diff.bids[&PriceTicks(100)]), (5, 6, QtyLots(0)));
        // While nobody listened, 7 to 9 were not picked out: who comes now must not be told of 5 to 10.
        diff.add(&changed(10, 4));
        assert_eq!((diff.first, diff.last, diff.bids[&PriceTicks(100)]), (10, 10, QtyLots(4)));
        // The market has moved, and its former home is told of behind its new one.
        diff.add(&changed(9, 7));
        assert_eq!((diff.first, diff.last, diff.bids[&PriceTicks(100)]), (10, 10, QtyLots(4)));
    }
}
