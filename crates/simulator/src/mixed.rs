//! The mixed flow that a whole partition is measured with: many markets, many accounts, most of it placed and cancelled
//! again; the same on every machine for the same [`Shape`].
//!
//! What it is made of, in whole numbers only:
//! * Accounts and markets are as active as Zipf's law says (the k-th one 1/k as much as the first), and lie in no order of
//!   activity.
//! * Of a hundred commands 44 are cancels, 7 amendments that lower a quantity, 5 market orders, 5 immediate-or-cancel, 2
//!   fill-or-kill, 8 limit orders that only make, 3 stops, 26 limit orders. Where
//!   [`Shape::stop_distance`] is zero those 3 are limit orders too.
//! * With fewer orders resting than [`Shape::fewest`], a cancel becomes a limit order; with more than [`Shape::most`], an
//!   order that could rest becomes a cancel. More is cancelled and filled than placed, so the flow soon keeps to `fewest`, and
//!   about 12 of its 44 cancels are limit orders: what does not rest cannot be cancelled.
//! * Distances from a market's middle are 8-tick steps with a power law of density exponent 2, up to 8,000 ticks. The middle
//!   walks a tick up or down with one in 64 orders of its market, so that limit orders meet old ones now and then.
//! * Quantities are steps of 10 lots with exponent 2.5, up to 10,000 lots. Takers are as large as makers.
//! * Immediate orders with a limit aim from one tick short of the best price to three ticks past it.
//! * Stops are half market orders, half limit orders whose limit is [`Shape::STOP_LIMIT_TICKS`] past the stop. They wait
//!   [`Shape::stop_distance`] times as far from the last price as a limit order would rest from the middle, at most 8,192 ticks; of an account at a market no more than
//!   five wait, and what would be one more is a limit order. Those that a trade has reached come into the book when whoever traded
//!   is done, by trades and then by their numbers.
//! * Cancels and amendments name any order that rests or waits, each as likely as the other.
//! * Where an order would meet its owner's own, that one expires, if [`Shape::self_trade_prevention`] says so.
//!
//! As with the traces, a first-in-first-out book is part of the definition: a cancel must name an order that is still there.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use model::{ClientOrderId, SelfTradePrevention, Side};

use crate::random::Random;

/// What a command does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum What {
    /// A limit order, good till cancelled.
    Limit = 0,
    /// A limit order that only ever rests.
    LimitMaker = 1,
    /// A market order by quantity.
    Market = 2,
    /// A limit order, immediate or cancel.
    Ioc = 3,
    /// A limit order, fill or kill.
    Fok = 4,
    /// Cancels a resting order.
    Cancel = 5,
    /// Lowers the quantity of a resting order.
    Amend = 6,
    /// Waits for a price, and is a market order then.
    StopMarket = 7,
    /// Waits for a price, and is a limit order then ([`Step::limit_behind_stop`]).
    StopLimit = 8,
}

impl What {
    /// How many there are.
    pub const COUNT: usize = 9;
}

/// One command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it does.
    pub what: What,
    /// Of the order, be it placed here or before.
    pub side: Side,
    /// From 0.
    pub market: u32,
    /// From 1.
    pub account: u32,
    /// What is placed is numbered from 1 without gaps; a cancel or an amendment names one of them.
    pub order: u64,
    /// In ticks; 0 for market orders, what a stop waits for, the order's own for cancels and amendments.
    pub price: i64,
    /// In lots; 0 for cancels, the new total for amendments.
    pub qty: u32,
}

impl Step {
    /// The limit, in ticks, of an order that waits for its price ([`What::StopLimit`]).
    pub fn limit_behind_stop(&self) -> i64 {
        match self.side {
            Side::Buy => self.price + Shape::STOP_LIMIT_TICKS,
            Side::Sell => self.price - Shape::STOP_LIMIT_TICKS,
        }
    }

    /// Its byte form, little-endian: what, side, two zeros, market, account, quantity, order, price.
    pub fn to_bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[0] = self.what as u8;
        bytes[1] = self.side as u8;
        bytes[4..8].copy_from_slice(&self.market.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.account.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.qty.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.order.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.price.to_le_bytes());
        bytes
    }
}

/// The numbers that make a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// How many markets.
    pub markets: u32,
    /// How many accounts.
    pub accounts: u32,
    /// So many limit orders come first, and about so many rest from then on.
    pub fewest: usize,
    /// No more than this rest.
    pub most: usize,
    /// Stops wait so many times as far away as limit orders rest, and count as resting; 0 where there are none.
    pub stop_distance: u32,
    /// Of every order; [`SelfTradePrevention::None`] or [`SelfTradePrevention::ExpireMaker`].
    pub self_trade_prevention: SelfTradePrevention,
}

impl Shape {
    /// A hundred markets, ten thousand accounts, a thousand resting orders a market. Most stops wait 16 to 256 ticks away, 0.03 to
    /// 0.5 % of the price, where the noise of a moment does not reach them: of a hundred one is triggered before it is cancelled.
    pub const STANDARD: Self = Self {
        markets: 100,
        accounts: 10_000,
        fewest: 100_000,
        most: 200_000,
        stop_distance: 16,
        self_trade_prevention: SelfTradePrevention::ExpireMaker,
    };

    /// Where all markets begin, in ticks.
    pub const MID_TICKS: i64 = 50_000;
    /// The middle of a market stays so near to where it began.
    const WALK_TICKS: i64 = 5_000;
    /// The largest order, in lots.
    pub const MAX_LOTS: u32 = LOT_STEP * SIZES;
    /// Most amendments of one order.
    pub const MAX_AMENDS: u8 = 10;
    /// So far behind its stop lies the limit of an order that waits for it.
    pub const STOP_LIMIT_TICKS: i64 = 4;
    /// So many orders of an account wait for a price at one market at the most.
    pub const MAX_WAITING: u8 = 5;
    /// Market orders trade within this part of the last price, in millionths.
    pub const BAND_PPM: u32 = 100_000;
}

const TICK_STEP: u32 = 8;
const DISTANCES: u32 = 1_000;
const LOT_STEP: u32 = 10;
const SIZES: u32 = 1_000;
/// With one in so many orders a market's middle walks.
const WALK: u32 = 64;
/// Ticks from the last price to the furthest stop.
const FURTHEST_STOP: i64 = 8_192;
/// How often another resting order is looked for, when one cannot be amended.
const TRIES: u32 = 8;

/// Draws 0, 1, 2 and so on, each less often than the one before.
struct PowerLaw {
    /// By number: the weights up to it.
    cumulated: Vec<u64>,
}

impl PowerLaw {
    /// Of `count` numbers; the k-th is drawn in proportion to k to the power of minus half of `twice_exponent`.
    fn new(count: u32, twice_exponent: u32) -> Self {
        // Square roots of whole numbers are the same on every machine, powers of fractions need not be.
        let weight = |number: u32| {
            let power = u128::from(number).checked_pow(twice_exponent).unwrap_or(u128::MAX);
            u64::try_from(((1_u128 << 80) / power).isqrt()).expect("it is at most 2^40").max(1)
        };
        let cumulated = (1..=count).scan(0_u64, |sum, number| {
            *sum += weight(number);
            Some(*sum)
        });
        Self { cumulated: cumulated.collect() }
    }

    fn draw(&self, random: &mut Random) -> usize {
        let all = *self.cumulated.last().expect("there is something to draw");
        let scaled = (u128::from(random.next()) * u128::from(all)) >> 64;
        self.cumulated.partition_point(|&sum| u128::from(sum) <= scaled)
    }
}

/// What an order is, before it is said where the middle is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// From 0.
    pub market: u32,
    /// From 1.
    pub account: u32,
    /// Which way.
    pub side: Side,
    /// Ticks from the middle, at least 1.
    pub away: i64,
    /// In lots, at least 1.
    pub qty: u32,
}

impl Drawn {
    /// Its price where the middle is at `mid`.
    pub fn price(&self, mid: i64) -> i64 {
        match self.side {
            Side::Buy => mid - self.away,
            Side::Sell => mid + self.away,
        }
    }
}

/// Makes up orders, whatever becomes of them.
pub struct Orders {
    random: Random,
    activity_of_accounts: PowerLaw,
    activity_of_markets: PowerLaw,
    distances: PowerLaw,
    sizes: PowerLaw,
    /// By activity.
    accounts: Vec<u32>,
    /// By activity.
    markets: Vec<u32>,
}

impl Orders {
    /// Orders of so many accounts in so many markets.
    pub fn new(shape: &Shape) -> Self {
        let mut random = Random::from_state(Random::TRACES);
        let accounts = shuffled((1..=shape.accounts).collect(), &mut random);
        let markets = shuffled((0..shape.markets).collect(), &mut random);
        Self {
            random,
            activity_of_accounts: PowerLaw::new(shape.accounts, 2),
            activity_of_markets: PowerLaw::new(shape.markets, 2),
            distances: PowerLaw::new(DISTANCES, 4),
            sizes: PowerLaw::new(SIZES, 5),
            accounts,
            markets,
        }
    }

    /// The next one.
    pub fn draw(&mut self) -> Drawn {
        let random = &mut self.random;
        let small = |number: usize| u32::try_from(number).expect("the tables are small");
        let market = self.markets[self.activity_of_markets.draw(random)];
        let account = self.accounts[self.activity_of_accounts.draw(random)];
        let side = if random.below(2) == 0 { Side::Buy } else { Side::Sell };
        let steps = small(self.distances.draw(random));
        let away = i64::from(1 + TICK_STEP * steps + random.below(TICK_STEP));
        let steps = small(self.sizes.draw(random));
        let qty = 1 + LOT_STEP * steps + random.below(LOT_STEP);
        Drawn { market, account, side, away, qty }
    }
}

fn shuffled(mut list: Vec<u32>, random: &mut Random) -> Vec<u32> {
    for left in (2..=list.len()).rev() {
        let bound = u32::try_from(left).expect("it was made of 32-bit numbers");
        list.swap(left - 1, random.below(bound) as usize);
    }
    list
}

/// What a correct exchange makes of a flow up to now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Commands, by [`What`].
    pub commands: [u64; What::COUNT],
    /// Trades.
    pub trades: u64,
    /// Lots traded.
    pub volume: u64,
    /// Resting orders that expired because their owner's own order came.
    pub prevented: u64,
    /// Orders that have waited for a price which has come.
    pub triggered: u64,
    /// Wrapping sum over trades of `maker's number x lots + (price << 20)`.
    pub check: u64,
}

/// An order by its number, kept after its end so that a number is an index.
struct Order {
    price: i64,
    market: u32,
    account: u32,
    /// What it is for, amendments included.
    qty: u32,
    /// What is left; zero once it has ended, and for what never rested.
    open: u32,
    /// Its place among the resting ones; meaningless once it has ended.
    live_at: u32,
    side: Side,
    amends: u8,
    /// It waits for its price, and as what.
    waits: Option<What>,
}

/// One side of one book: queues of numbers by rank, which is the price for asks and its negative for bids, so that the lowest
/// is the best. Ended orders stay in their queues until they come to the front: a cancel then needs no search.
#[derive(Default)]
struct Levels(BTreeMap<i64, VecDeque<u32>>);

/// One market.
struct Market {
    mid: i64,
    last_price: i64,
    sides: [Levels; 2],
    /// Buys that wait for their price or a higher one, by price and number. Those that have ended stay until it comes.
    rising: BTreeSet<(i64, u32)>,
    /// Sells that wait for theirs or a lower one.
    falling: BTreeSet<(i64, u32)>,
    /// Orders whose price has come.
    triggered: VecDeque<u32>,
}

fn rank(side: Side, price: i64) -> i64 {
    match side {
        Side::Buy => -price,
        Side::Sell => price,
    }
}

/// The flow: an iterator that never ends.
pub struct Mixed {
    shape: Shape,
    drawing: Orders,
    orders: Vec<Order>,
    live: Vec<u32>,
    markets: Vec<Market>,
    /// How many orders of an account wait at a market.
    waiting: BTreeMap<(u32, u32), u8>,
    totals: Totals,
    steps: usize,
}

impl Mixed {
    /// The flow of this shape, from its first command on.
    ///
    /// Panics when it has no market, no account, or nothing that may rest.
    pub fn new(shape: &Shape) -> Self {
        assert!(shape.markets > 0 && shape.accounts > 0, "somebody trades somewhere");
        assert!(shape.fewest > 0 && shape.most >= shape.fewest, "there is always something to cancel");
        let market = |_| Market {
            mid: Shape::MID_TICKS,
            last_price: Shape::MID_TICKS,
            sides: [Levels::default(), Levels::default()],
            rising: BTreeSet::new(),
            falling: BTreeSet::new(),
            triggered: VecDeque::new(),
        };
        Self {
            shape: *shape,
            drawing: Orders::new(shape),
            orders: Vec::new(),
            live: Vec::new(),
            markets: (0..shape.markets).map(market).collect(),
            waiting: BTreeMap::new(),
            totals: Totals::default(),
            steps: 0,
        }
    }

    /// What should have come of the commands so far.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// How many orders rest now, or wait.
    pub fn resting(&self) -> usize {
        self.live.len()
    }

    fn kind(&mut self) -> What {
        if self.steps <= self.shape.fewest {
            return What::Limit;
        }
        let kind = match self.drawing.random.below(100) {
            0..44 => What::Cancel,
            44..51 => What::Amend,
            51..56 => What::Market,
            56..61 => What::Ioc,
            61..63 => What::Fok,
            63..71 => What::LimitMaker,
            71..74 if self.shape.stop_distance > 0 => What::StopMarket,
            _ => What::Limit,
        };
        match kind {
            What::Cancel if self.live.len() < self.shape.fewest => What::Limit,
            What::Limit | What::LimitMaker | What::StopMarket if self.live.len() > self.shape.most => {
                What::Cancel
            }
            What::StopMarket if self.drawing.random.below(2) == 0 => What::StopLimit,
            What::Limit
            | What::LimitMaker
            | What::Market
            | What::Ioc
            | What::Fok
            | What::Cancel
            | What::Amend
            | What::StopMarket
            | What::StopLimit => kind,
        }
    }

    fn step(&mut self) -> Step {
        self.steps += 1;
        let step = match self.kind() {
            What::Cancel => self.cancel(),
            What::Amend => match self.amendable() {
                Some(order) => self.amend(order),
                None => self.place(What::Limit),
            },
            what @ (What::Limit
            | What::LimitMaker
            | What::Market
            | What::Ioc
            | What::Fok
            | What::StopMarket
            | What::StopLimit) => self.place(what),
        };
        self.totals.commands[step.what as usize] += 1;
        step
    }

    fn any_resting(&mut self) -> u32 {
        let count = u32::try_from(self.live.len()).expect("fewer than 2^32 orders rest");
        self.live[self.drawing.random.below(count) as usize]
    }

    fn cancel(&mut self) -> Step {
        let number = self.any_resting();
        let step = self.naming(What::Cancel, number, 0);
        self.end(number);
        step
    }

    fn amendable(&mut self) -> Option<u32> {
        for _ in 0..TRIES {
            if self.live.is_empty() {
                return None;
            }
            let number = self.any_resting();
            let order = &self.orders[index(number)];
            if order.open >= 2 && order.amends < Shape::MAX_AMENDS {
                return Some(number);
            }
        }
        None
    }

    fn amend(&mut self, number: u32) -> Step {
        let order = &mut self.orders[index(number)];
        let cut = 1 + self.drawing.random.below(order.open - 1);
        order.open -= cut;
        order.qty -= cut;
        order.amends += 1;
        let qty = order.qty;
        self.naming(What::Amend, number, qty)
    }

    fn naming(&self, what: What, number: u32, qty: u32) -> Step {
        let &Order { side, market, account, price, .. } = &self.orders[index(number)];
        Step { what, side, market, account, order: u64::from(number), price, qty }
    }

    fn place(&mut self, wanted: What) -> Step {
        let drawn = self.drawing.draw();
        let Drawn { market, account, side, qty, away } = drawn;
        self.walk(market);
        let waiting = self.waiting.get(&(account, market)).copied().unwrap_or_default();
        let best = self.best(market, side.opposite()).map(|(price, _)| price);
        let (what, price, worst) = match (wanted, best) {
            (What::Market, Some(_)) => (What::Market, 0, self.band(market, side)),
            (What::Ioc | What::Fok, Some(best)) => {
                let past = i64::from(self.drawing.random.below(5)) - 1;
                let price = if side == Side::Buy { best + past } else { best - past };
                (wanted, price, price)
            }
            (What::LimitMaker, _) => {
                let price = drawn.price(self.markets[market as usize].mid);
                let price = match (side, best) {
                    (Side::Buy, Some(best)) => price.min(best - 1),
                    (Side::Sell, Some(best)) => price.max(best + 1),
                    (Side::Buy | Side::Sell, None) => price,
                };
                (What::LimitMaker, price, price)
            }
            (What::StopMarket | What::StopLimit, _) if waiting < Shape::MAX_WAITING => {
                let distance = (away * i64::from(self.shape.stop_distance)).min(FURTHEST_STOP);
                let last = self.markets[market as usize].last_price;
                let price = if side == Side::Buy { last + distance } else { last - distance };
                (wanted, price, price)
            }
            // An order that would find nobody to trade with waits for somebody.
            (What::Limit | What::Cancel | What::Amend | What::StopMarket | What::StopLimit, _)
            | (What::Market | What::Ioc | What::Fok, None) => {
                let price = drawn.price(self.markets[market as usize].mid);
                (What::Limit, price, price)
            }
        };

        let order = Order { price, market, account, qty, open: 0, live_at: 0, side, amends: 0, waits: None };
        self.orders.push(order);
        let number = u32::try_from(self.orders.len()).expect("a flow has fewer than 2^32 orders");
        let step = Step { what, side, market, account, order: u64::from(number), price, qty };
        match what {
            What::StopMarket | What::StopLimit => {
                self.wait(number, &step);
                return step;
            }
            What::Fok if !self.can_fill(&step) => return step,
            _ => {}
        }
        self.enter(number, &step, worst);
        while let Some(triggered) = self.markets[market as usize].triggered.pop_front() {
            self.work(triggered);
        }
        step
    }

    /// An order comes into its book: it trades, and rests if it is one that does.
    fn enter(&mut self, number: u32, step: &Step, worst: i64) {
        let left = self.trade(step, worst);
        if left > 0 && matches!(step.what, What::Limit | What::LimitMaker) {
            self.orders[index(number)].price = step.price;
            self.go_live(number, left);
            let levels = &mut self.markets[step.market as usize].sides[step.side as usize].0;
            levels.entry(rank(step.side, step.price)).or_default().push_back(number);
        }
    }

    /// Adds an order to the list of those that rest or wait.
    fn go_live(&mut self, number: u32, open: u32) {
        let order = &mut self.orders[index(number)];
        order.open = open;
        order.live_at = u32::try_from(self.live.len()).expect("fewer than 2^32 orders rest");
        self.live.push(number);
    }

    fn wait(&mut self, number: u32, step: &Step) {
        self.orders[index(number)].waits = Some(step.what);
        self.go_live(number, step.qty);
        *self.waiting.entry((step.account, step.market)).or_default() += 1;
        let market = &mut self.markets[step.market as usize];
        let waiting = if step.side == Side::Buy { &mut market.rising } else { &mut market.falling };
        waiting.insert((step.price, number));
    }

    /// It waits no longer, if it did. As what it did.
    fn stop_waiting(&mut self, number: u32) -> Option<What> {
        let order = &mut self.orders[index(number)];
        let what = order.waits.take()?;
        let place = (order.account, order.market);
        let count = self.waiting.get_mut(&place).expect("it is counted");
        *count -= 1;
        if *count == 0 {
            self.waiting.remove(&place);
        }
        Some(what)
    }

    /// There was a trade at this price.
    fn see(&mut self, market: u32, price: i64) {
        let Market { rising, falling, .. } = &mut self.markets[market as usize];
        let mut reached = Vec::new();
        while rising.first().is_some_and(|(stop, _)| *stop <= price) {
            reached.extend(rising.pop_first().map(|(_, number)| number));
        }
        while falling.last().is_some_and(|(stop, _)| *stop >= price) {
            reached.extend(falling.pop_last().map(|(_, number)| number));
        }
        reached.sort_unstable();
        reached.retain(|number| self.orders[index(*number)].waits.is_some());
        self.totals.triggered += reached.len() as u64;
        self.markets[market as usize].triggered.extend(reached);
    }

    /// The turn of an order whose price has come.
    fn work(&mut self, number: u32) {
        let what = self.stop_waiting(number).expect("it has waited until now");
        let qty = self.orders[index(number)].open;
        let waited = self.naming(what, number, qty);
        self.end(number);
        let (what, price, worst) = match what {
            What::StopLimit => (What::Limit, waited.limit_behind_stop(), waited.limit_behind_stop()),
            _ => (What::Market, 0, self.band(waited.market, waited.side)),
        };
        self.enter(number, &Step { what, price, ..waited }, worst);
    }

    fn walk(&mut self, market: u32) {
        let drawn = self.drawing.random.below(2 * WALK);
        let mid = &mut self.markets[market as usize].mid;
        match drawn {
            0 => *mid = (*mid + 1).min(Shape::MID_TICKS + Shape::WALK_TICKS),
            1 => *mid = (*mid - 1).max(Shape::MID_TICKS - Shape::WALK_TICKS),
            _ => {}
        }
    }

    /// How far a market order goes.
    fn band(&self, market: u32, side: Side) -> i64 {
        let last = self.markets[market as usize].last_price;
        let part = i64::from(Shape::BAND_PPM);
        match side {
            Side::Buy => last * (1_000_000 + part) / 1_000_000,
            Side::Sell => (last * (1_000_000 - part) + 999_999) / 1_000_000,
        }
    }

    /// Price and number of the order that trades first. Forgets ended ones on the way.
    fn best(&mut self, market: u32, side: Side) -> Option<(i64, u32)> {
        let levels = &mut self.markets[market as usize].sides[side as usize].0;
        while let Some(mut level) = levels.first_entry() {
            while let Some(&number) = level.get().front() {
                let order = &self.orders[index(number)];
                if order.open > 0 {
                    return Some((order.price, number));
                }
                level.get_mut().pop_front();
            }
            level.remove();
        }
        None
    }

    fn meets_its_own(&self, account: u32, maker: &Order) -> bool {
        self.shape.self_trade_prevention == SelfTradePrevention::ExpireMaker && maker.account == account
    }

    /// Whether all of it can trade at once.
    fn can_fill(&self, incoming: &Step) -> bool {
        let counter = incoming.side.opposite();
        let levels = &self.markets[incoming.market as usize].sides[counter as usize].0;
        let mut missing = incoming.qty;
        for number in levels.range(..=rank(counter, incoming.price)).flat_map(|(_, level)| level) {
            let maker = &self.orders[index(*number)];
            if !self.meets_its_own(incoming.account, maker) {
                missing = missing.saturating_sub(maker.open);
            }
            if missing == 0 {
                return true;
            }
        }
        false
    }

    /// Trades up to the price `worst`. What is left of it.
    fn trade(&mut self, incoming: &Step, worst: i64) -> u32 {
        let counter = incoming.side.opposite();
        let mut left = incoming.qty;
        while left > 0
            && let Some((price, number)) = self.best(incoming.market, counter)
            && rank(counter, price) <= rank(counter, worst)
        {
            if self.meets_its_own(incoming.account, &self.orders[index(number)]) {
                self.totals.prevented += 1;
                self.end(number);
                continue;
            }
            let maker = &mut self.orders[index(number)];
            let lots = left.min(maker.open);
            left -= lots;
            maker.open -= lots;
            let is_done = maker.open == 0;
            self.markets[incoming.market as usize].last_price = price;
            self.totals.trades += 1;
            self.totals.volume += u64::from(lots);
            let ticks = u64::try_from(price).expect("prices are above zero");
            let trade = u64::from(number) * u64::from(lots) + (ticks << 20);
            self.totals.check = self.totals.check.wrapping_add(trade);
            if is_done {
                self.end(number);
            }
            self.see(incoming.market, price);
        }
        left
    }

    /// Takes an order off the list of those that rest or wait; the last of the list moves into its place.
    fn end(&mut self, number: u32) {
        self.stop_waiting(number);
        let order = &mut self.orders[index(number)];
        order.open = 0;
        let at = order.live_at;
        self.live.swap_remove(at as usize);
        if let Some(&moved) = self.live.get(at as usize) {
            self.orders[index(moved)].live_at = at;
        }
    }
}

impl Iterator for Mixed {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        Some(self.step())
    }
}

/// Where an order is kept.
fn index(number: u32) -> usize {
    number as usize - 1
}
/// What the order is called that has this number in a flow: 32 hexadecimal digits, which look like chance.
pub fn client_id(order: u64) -> ClientOrderId {
    let halves = [order, !order].map(|word| {
        let word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    });
    let mut digits = [0; 32];
    for (place, digit) in digits.iter_mut().enumerate() {
        let nibble = halves[place / 16] >> (60 - 4 * (place % 16)) & 0xF;
        *digit = b"0123456789abcdef"[usize::try_from(nibble).expect("a digit")];
    }
    ClientOrderId::from_bytes(&digits).expect("visible ASCII")
}
