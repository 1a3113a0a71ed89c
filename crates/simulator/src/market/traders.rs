//! All traders in all markets, step by step.

use model::{MarketTerms, OrderKind, PriceTicks, QtyLots, Side, TimeInForce};

use super::fair::{Basis, MICRO, Walk};
use super::gamblers::{Gamblers, Move};
use super::ladder::{Ladder, Place, SHAPES};
use super::record::{Record, Resting};
use super::takers::Takers;
use super::{
    Action, CROWD, Listing, MAKERS, Order, OrderName, Pace, PriceSource, Request, Step, TAKERS, TraderId,
    crowd,
};
use crate::random::Random;

/// A small order is worth so many whole units of the quote asset, in a market that walks by itself.
const UNIT_QUOTE: i128 = 20;
/// Quotes that were traded away and come back in one beat, at the most, per market.
const REFILLS: usize = 3;

/// The traders. An iterator that never ends.
#[derive(Clone, Debug)]
pub struct Traders {
    seed: u64,
    pace: Pace,
    random: Random,
    /// For what happens at contracts: markets beside them are the same with and without them.
    at_contracts: Random,
    markets: Vec<Market>,
    /// The step that is being made.
    step: u64,
    has_begun: bool,
    requests: Vec<Request>,
    orders_named: u32,
}

#[derive(Clone, Debug)]
struct Market {
    listing: Listing,
    fair: Fair,
    /// Between the best quotes, in ticks; nobody of the traders' own ever rests on it.
    middle_ticks: i64,
    /// The makers follow when the fair price is so far from the middle.
    patience_ticks: i64,
    /// In thousandths of what the pace says: where prices move more, they may move farther.
    patience_permille: i64,
    /// A small order.
    unit_lots: i64,
    ladders: Vec<Ladder>,
    record: Record,
    takers: Takers,
    gamblers: Gamblers,
}

#[derive(Clone, Debug)]
enum Fair {
    Walk { walk: Walk, unrest_permille: i64 },
    Ratio { over: usize, under: usize },
    Contract { of: usize, basis: Basis },
}

impl Traders {
    /// What happens at contracts follows from the seed with these bits turned.
    const AT_CONTRACTS: u64 = 0xC0_4712_AC75;

    /// The traders of a seed, who come to these markets with the step of this number. With another first step they are
    /// others, whose orders have other names.
    ///
    /// Panics when a ratio is not of two listings before it that walk, or a contract is not at one.
    pub fn new(seed: u64, first_step: u64, pace: Pace, listings: &[Listing]) -> Self {
        let mut traders = Self {
            seed,
            pace,
            random: Random::new(seed, first_step),
            at_contracts: Random::new(seed ^ Self::AT_CONTRACTS, first_step),
            markets: Vec::with_capacity(listings.len()),
            step: first_step,
            has_begun: false,
            requests: Vec::new(),
            orders_named: 0,
        };
        for listing in listings {
            let market = traders.market(listing);
            traders.markets.push(market);
        }
        traders
    }

    /// What the markets are worth, in ticks, in the order of the listings.
    pub fn fair_prices(&self) -> Vec<PriceTicks> {
        (0..self.markets.len()).map(|market| PriceTicks(self.fair_ticks(market))).collect()
    }

    fn market(&mut self, listing: &Listing) -> Market {
        let terms = &listing.terms;
        let (fair, micro_ticks, unit_lots) = match listing.price {
            PriceSource::Walk { start, home, unrest_permille } => {
                let walk = Walk::new(start, home);
                let micro_ticks = walk.micro_ticks();
                let one = terms.notional(start, QtyLots(1)).0.max(1);
                let lots = i64::try_from(UNIT_QUOTE * power(listing.quote_scale) / one).unwrap_or(i64::MAX);
                (Fair::Walk { walk, unrest_permille }, micro_ticks, lots)
            }
            PriceSource::Ratio { over, under } => {
                let (top, bottom) = (&self.markets[over], &self.markets[under]);
                let micro_ticks = ratio(&listing.terms, top, bottom);
                // The same quantity as in the market with the same base asset.
                let atoms = i128::from(top.unit_lots) * top.listing.terms.base_atoms_per_lot.0;
                let lots = i64::try_from(atoms / terms.base_atoms_per_lot.0).unwrap_or(i64::MAX);
                (Fair::Ratio { over, under }, micro_ticks, lots)
            }
            PriceSource::Contract { of } => {
                let basis = Basis::new(&mut self.at_contracts);
                let micro_ticks = beside(terms, &self.markets[of], &basis);
                let one = terms.notional(PriceTicks(nearest_tick(micro_ticks)), QtyLots(1)).0.max(1);
                // Lots are large here; twice the least is still an order when the price has fallen.
                let units = (UNIT_QUOTE * power(listing.quote_scale)).max(2 * terms.min_notional.0);
                (
                    Fair::Contract { of, basis },
                    micro_ticks,
                    i64::try_from(units / one).unwrap_or(i64::MAX) + 1,
                )
            }
        };
        let middle_ticks = nearest_tick(micro_ticks);
        Market {
            listing: listing.clone(),
            fair,
            middle_ticks,
            patience_ticks: (middle_ticks * self.pace.patience_ppm / 1_000_000).max(1),
            patience_permille: match listing.price {
                PriceSource::Walk { unrest_permille, .. } => unrest_permille,
                PriceSource::Ratio { .. } => 1_000,
                PriceSource::Contract { .. } => 1_500,
            },
            unit_lots: unit_lots.max(terms.min_qty_lots.0).max(1),
            ladders: SHAPES.iter().map(|shape| Ladder::new(shape, middle_ticks)).collect(),
            record: Record::default(),
            takers: Takers::default(),
            gamblers: Gamblers::default(),
        }
    }

    fn fair_ticks(&self, market: usize) -> i64 {
        nearest_tick(match &self.markets[market].fair {
            Fair::Walk { walk, .. } => walk.micro_ticks(),
            Fair::Ratio { over, under } => {
                ratio(&self.markets[market].listing.terms, &self.markets[*over], &self.markets[*under])
            }
            Fair::Contract { of, basis } => {
                beside(&self.markets[market].listing.terms, &self.markets[*of], basis)
            }
        })
    }

    fn is_contract(&self, market: usize) -> bool {
        self.markets[market].listing.is_contract()
    }

    /// The places of the spot markets, and those of the contracts.
    fn places(&self) -> (Vec<usize>, Vec<usize>) {
        (0..self.markets.len()).partition(|market| !self.is_contract(*market))
    }

    /// Everything that rests before the first trade: at the contracts in the end, as in every step.
    fn build(&mut self) {
        let (spot, contracts) = self.places();
        for market in spot {
            self.build_at(market);
        }
        self.turn_to_contracts(|traders| {
            for market in contracts {
                traders.build_at(market);
            }
        });
    }

    /// What happens in a beat.
    fn beat(&mut self) {
        self.walk();
        let (spot, contracts) = self.places();
        for market in spot {
            self.trade_at(market);
        }
        if self.step.is_multiple_of(self.pace.contracts_once_in) {
            self.turn_to_contracts(|traders| {
                for market in contracts {
                    if let Fair::Contract { basis, .. } = &mut traders.markets[market].fair {
                        basis.beat(&mut traders.random);
                    }
                    traders.trade_at(market);
                    traders.gamble(market);
                }
            });
        }
    }

    /// Does something with the random numbers of contracts.
    fn turn_to_contracts(&mut self, does: impl FnOnce(&mut Self)) {
        std::mem::swap(&mut self.random, &mut self.at_contracts);
        does(self);
        std::mem::swap(&mut self.random, &mut self.at_contracts);
    }

    /// What rests at one of them before the first trade.
    fn build_at(&mut self, market: usize) {
        for maker in 0..SHAPES.len() {
            for side in [Side::Sell, Side::Buy] {
                for place in self.markets[market].ladders[maker].places(side) {
                    self.quote(market, maker, place);
                }
            }
        }
        for nth in 0..30 {
            let trader = TraderId(CROWD.start + nth % CROWD.len());
            let place = crowd::place(trader, self.middle(market), self.unit(market), &mut self.random);
            self.follow(market, place);
        }
    }

    /// What happens at one of them in a beat.
    fn trade_at(&mut self, market: usize) {
        let middle_ticks = self.middle(market);
        let fair_ticks = self.fair_ticks(market);
        let Pace { refreshed_permille, crowd_permille, taken_permille, .. } = self.pace;
        let activity = self.markets[market].listing.activity_permille;

        let taken = taken_permille * activity / 1_000;
        let drift = fair_ticks - middle_ticks;
        if let Some(side) = self.markets[market].takers.next_side(taken, drift, &mut self.random) {
            self.take(market, side);
        }
        if drift.abs() >= self.markets[market].patience_ticks {
            self.move_to(market, fair_ticks);
        }
        self.refill(market);
        for _ in 0..self.random.count(refreshed_permille * activity / 1_000) {
            let maker = self.random.below(3) as usize;
            let place = self.markets[market].ladders[maker].any_place(&mut self.random);
            self.quote(market, maker, place);
        }
        for _ in 0..self.random.count(crowd_permille * activity / 1_000) {
            let Market { record, middle_ticks, unit_lots, .. } = &self.markets[market];
            let whim = crowd::whim(record, *middle_ticks, *unit_lots, &mut self.random);
            self.follow(market, whim);
        }
    }

    fn gamble(&mut self, market: usize) {
        let Market { gamblers, unit_lots, .. } = &mut self.markets[market];
        for step in gamblers.beat(*unit_lots, &mut self.random) {
            let (Move::Open { trader, bet } | Move::Close { trader, bet }) = step;
            let kind = OrderKind::Market { qty_lots: QtyLots(bet.lots) };
            match step {
                Move::Open { .. } => self.place(market, trader, bet.side, kind),
                Move::Close { .. } => {
                    let order = self.next_order(market, trader, bet.side.opposite(), kind);
                    self.ask(market, trader, Action::ReduceAtContract(order));
                }
            }
        }
    }

    /// Fair prices move together for the most part.
    fn walk(&mut self) {
        let together = self.random.bell();
        for market in &mut self.markets {
            if let Fair::Walk { walk, unrest_permille } = &mut market.fair {
                // 0.8 and 0.6: the squares add up to one.
                let draw = (8 * together + 6 * self.random.bell()) / 10;
                let unrest_ppb = self.pace.unrest_ppb * *unrest_permille / 1_000;
                walk.beat(draw, unrest_ppb, &mut self.random);
            }
        }
    }

    fn take(&mut self, market: usize, side: Side) {
        let Market { listing, record, unit_lots, .. } = &self.markets[market];
        let order = Takers::order(side, &listing.terms, *unit_lots, record, &mut self.random);
        if let Some(kind) = order {
            let kind = if self.is_contract(market) { self.by_quantity(market, side, kind) } else { kind };
            let trader = self.any_taker(market);
            self.place(market, trader, side, kind);
        }
    }

    /// At contracts nobody orders by amount.
    fn by_quantity(&self, market: usize, side: Side, kind: OrderKind) -> OrderKind {
        let Market { listing, record, unit_lots, .. } = &self.markets[market];
        match (kind, record.best(side.opposite())) {
            (OrderKind::MarketQuote { quote_amount }, Some(touch_ticks)) => {
                let lots = quote_amount.0 / listing.terms.notional(PriceTicks(touch_ticks), QtyLots(1)).0;
                let lots = i64::try_from(lots).unwrap_or(i64::MAX).max(*unit_lots);
                OrderKind::Market { qty_lots: QtyLots(lots) }
            }
            _ => kind,
        }
    }

    /// The price has run away. First somebody who knows takes a part of the quotes that have become too good; then the makers
    /// move them out of the way, and only then others into the gap, so that no maker ever meets an own quote.
    fn move_to(&mut self, market: usize, fair_ticks: i64) {
        let (side, step_back) =
            if fair_ticks > self.middle(market) { (Side::Buy, -1) } else { (Side::Sell, 1) };
        let limit_ticks = fair_ticks + step_back;
        let stale_lots = self.markets[market].record.open_to(side.opposite(), limit_ticks);
        let lots = stale_lots * i64::from(50 + self.random.below(500)) / 1_000;
        if lots >= self.unit(market) {
            let trader = self.any_taker(market);
            let kind = OrderKind::Limit {
                price_ticks: PriceTicks(limit_ticks),
                qty_lots: QtyLots(lots),
                time_in_force: TimeInForce::Ioc,
            };
            self.place(market, trader, side, kind);
        }

        self.markets[market].middle_ticks = fair_ticks;
        for quoted in [side.opposite(), side] {
            for maker in 0..SHAPES.len() {
                for place in self.markets[market].ladders[maker].places(quoted) {
                    if self.markets[market].ladders[maker].is_astray(place, fair_ticks) {
                        self.quote(market, maker, place);
                    }
                }
            }
        }
        let Market { patience_permille, patience_ticks, .. } = &mut self.markets[market];
        let usual_micro = fair_ticks * self.pace.patience_ppm * *patience_permille / 1_000;
        let drawn = usual_micro / 1_000 * i64::from(500 + self.random.below(1_001));
        *patience_ticks = drawn / 1_000_000 + 1;
    }

    /// Puts quotes back where some were traded away, nearest first, not all at once.
    fn refill(&mut self, market: usize) {
        let mut left = REFILLS;
        for maker in 0..SHAPES.len() {
            for side in [Side::Buy, Side::Sell] {
                for place in self.markets[market].ladders[maker].places(side) {
                    let Market { ladders, record, .. } = &self.markets[market];
                    if left > 0 && ladders[maker].is_taken(place, record) && self.random.permille(500) {
                        self.quote(market, maker, place);
                        left -= 1;
                    }
                }
            }
        }
    }

    fn quote(&mut self, market: usize, maker: usize, place: Place) {
        let name = self.next_name();
        let Market { listing, ladders, record, middle_ticks, unit_lots, .. } = &mut self.markets[market];
        let quote = ladders[maker].quote(place, *middle_ticks, *unit_lots, name, &mut self.random);
        let trader = TraderId(MAKERS + maker);
        let kind = limit(&listing.terms, quote.price_ticks, quote.lots);
        let order = Order { name, side: place.side, kind };
        if let Some(cancel) = quote.instead_of {
            record.remove(cancel);
        }
        record_order(record, &listing.terms, trader, &order);
        // At contracts one request does not do both.
        match (quote.instead_of, listing.is_contract()) {
            (Some(cancel), false) => self.ask(market, trader, Action::Replace { cancel, order }),
            (Some(cancel), true) => {
                self.ask(market, trader, Action::Cancel(cancel));
                self.ask(market, trader, Action::PlaceAtContract(order));
            }
            (None, false) => self.ask(market, trader, Action::Place(order)),
            (None, true) => self.ask(market, trader, Action::PlaceAtContract(order)),
        }
    }

    fn follow(&mut self, market: usize, whim: crowd::Whim) {
        let Market { listing, record, .. } = &mut self.markets[market];
        let (trader, action) = match whim {
            crowd::Whim::Place { trader, side, price_ticks, lots } => {
                let kind = limit(&listing.terms, price_ticks, lots);
                return self.place(market, trader, side, kind);
            }
            crowd::Whim::Cancel { trader, name } => {
                record.remove(name);
                (trader, Action::Cancel(name))
            }
            // At contracts the connection has no request for all of them.
            crowd::Whim::Leave { trader } if listing.is_contract() => {
                let own = record.orders().iter().filter(|order| order.trader == trader);
                let names: Vec<OrderName> = own.map(|order| order.name).collect();
                record.remove_all_of(trader);
                for name in names {
                    self.ask(market, trader, Action::Cancel(name));
                }
                return;
            }
            crowd::Whim::Leave { trader } => {
                record.remove_all_of(trader);
                (trader, Action::CancelAll)
            }
        };
        self.ask(market, trader, action);
    }

    fn place(&mut self, market: usize, trader: TraderId, side: Side, kind: OrderKind) {
        let order = self.next_order(market, trader, side, kind);
        let is_contract = self.is_contract(market);
        let action = if is_contract { Action::PlaceAtContract(order) } else { Action::Place(order) };
        self.ask(market, trader, action);
    }

    /// An order with a name, which the record knows from now on.
    fn next_order(&mut self, market: usize, trader: TraderId, side: Side, kind: OrderKind) -> Order {
        let order = Order { name: self.next_name(), side, kind };
        let Market { listing, record, .. } = &mut self.markets[market];
        record_order(record, &listing.terms, trader, &order);
        order
    }

    fn ask(&mut self, market: usize, trader: TraderId, action: Action) {
        let market = self.markets[market].listing.market;
        self.requests.push(Request { trader, market, action });
    }

    fn next_name(&mut self) -> OrderName {
        let nth = self.orders_named;
        self.orders_named += 1;
        OrderName { seed: self.seed, step: self.step, nth }
    }

    fn any_taker(&mut self, market: usize) -> TraderId {
        let takers = if self.is_contract(market) { CROWD } else { TAKERS };
        let count = u32::try_from(takers.len()).expect("a few");
        TraderId(takers.start + self.random.below(count) as usize)
    }

    fn middle(&self, market: usize) -> i64 {
        self.markets[market].middle_ticks
    }

    fn unit(&self, market: usize) -> i64 {
        self.markets[market].unit_lots
    }
}

impl Iterator for Traders {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        self.orders_named = 0;
        if self.has_begun {
            self.beat();
        } else {
            self.build();
            self.has_begun = true;
        }
        let number = self.step;
        self.step += 1;
        // From nothing to twice a beat: one beat on the average.
        let wait_us = self.random.below(2 * self.pace.beat_us + 1);
        Some(Step { number, requests: std::mem::take(&mut self.requests), wait_us })
    }
}

/// A limit order that rests, within the market's bounds.
fn limit(terms: &MarketTerms, price_ticks: i64, lots: i64) -> OrderKind {
    OrderKind::Limit {
        price_ticks: PriceTicks(price_ticks.clamp(terms.min_price_ticks.0, terms.max_price_ticks.0)),
        qty_lots: QtyLots(lots.clamp(terms.min_qty_lots.0, terms.max_qty_lots.0)),
        time_in_force: TimeInForce::Gtc,
    }
}

/// What an order does to the record.
fn record_order(record: &mut Record, terms: &MarketTerms, trader: TraderId, order: &Order) {
    let arriving = |price_ticks: i64, open_lots: i64| Resting {
        name: order.name,
        trader,
        side: order.side,
        price_ticks,
        open_lots,
    };
    match order.kind {
        OrderKind::Limit { price_ticks, qty_lots, time_in_force } => {
            let rests = time_in_force == TimeInForce::Gtc;
            record.arrive(arriving(price_ticks.0, qty_lots.0), Some(price_ticks.0), rests);
        }
        OrderKind::LimitMaker { price_ticks, qty_lots } => {
            record.arrive(arriving(price_ticks.0, qty_lots.0), Some(price_ticks.0), true);
        }
        OrderKind::Market { qty_lots } => record.arrive(arriving(0, qty_lots.0), None, false),
        OrderKind::StopMarket { .. } | OrderKind::StopLimit { .. } => {
            unreachable!("the traders of the simulation do not wait for prices")
        }
        OrderKind::MarketQuote { quote_amount } => {
            let mut left = quote_amount;
            // Level by level, whole lots only.
            while let Some(touch_ticks) = record.best(order.side.opposite()) {
                let affordable = left.0 / terms.notional(PriceTicks(touch_ticks), QtyLots(1)).0;
                let there = record.open_to(order.side.opposite(), touch_ticks);
                let lots = there.min(i64::try_from(affordable).unwrap_or(i64::MAX));
                if lots == 0 {
                    break;
                }
                left -= terms.notional(PriceTicks(touch_ticks), QtyLots(lots));
                record.arrive(arriving(touch_ticks, lots), Some(touch_ticks), false);
            }
        }
    }
}

/// The price of a contract beside its spot market, in millionths of a tick of the contract.
fn beside(terms: &MarketTerms, of: &Market, basis: &Basis) -> i128 {
    let Fair::Walk { walk, .. } = &of.fair else { panic!("a contract is at a price that walks by itself") };
    let spot = &of.listing.terms;
    let units = walk.micro_ticks() * i128::from(spot.tick_size) * power(terms.price_scale);
    basis.beside(units / (power(spot.price_scale) * i128::from(terms.tick_size)))
}

/// The price of one market in units of another, in millionths of a tick of a third.
fn ratio(terms: &MarketTerms, over: &Market, under: &Market) -> i128 {
    const GRAIN: i128 = 1_000_000_000;
    let walked = |market: &Market| match &market.fair {
        Fair::Walk { walk, .. } => walk.micro_ticks(),
        Fair::Ratio { .. } | Fair::Contract { .. } => {
            panic!("a ratio is of two prices that walk by themselves")
        }
    };
    let (over_terms, under_terms) = (&over.listing.terms, &under.listing.terms);
    let (over, under) = (walked(over), walked(under));
    // price = ticks x tick_size / 10^scale. Divided in two steps that leave room: the quotient first has nine decimals.
    let quotient =
        over * i128::from(over_terms.tick_size) * GRAIN / (under * i128::from(under_terms.tick_size));
    let numerator = quotient * power(under_terms.price_scale + terms.price_scale) * MICRO;
    numerator / (GRAIN * power(over_terms.price_scale) * i128::from(terms.tick_size))
}

fn power(digits: u8) -> i128 {
    10_i128.pow(u32::from(digits))
}

fn nearest_tick(micro_ticks: i128) -> i64 {
    i64::try_from((micro_ticks + MICRO / 2) / MICRO).expect("prices are far below 2^63 ticks")
}
