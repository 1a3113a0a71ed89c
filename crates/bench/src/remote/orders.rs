//! What traders send: each goes round a fixed list of ten requests, of which eight are orders. How it is written and signed is
//! the matter of the protocol.

use std::collections::VecDeque;
use std::fmt;

use model::Side;

use super::server::PRICE_TICKS;

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An order that rests within [`NEAR_TICKS`] of the touch, where it will be traded with.
    Near,
    /// An order that rests so far off that nobody trades with it.
    Far,
    /// An order that trades at once: as much as one near order has, at any price that a near order has.
    Take,
    /// The cancel of the oldest far order.
    Cancel,
}

/// The round. There is always a near order for each take, since each comes behind a near order of the other side in its own
/// list; and the far orders are cancelled again.
const ROUND: [(Kind, Side); 10] = [
    (Kind::Near, Side::Buy),
    (Kind::Near, Side::Sell),
    (Kind::Far, Side::Buy),
    (Kind::Take, Side::Sell),
    (Kind::Cancel, Side::Buy),
    (Kind::Near, Side::Buy),
    (Kind::Near, Side::Sell),
    (Kind::Far, Side::Sell),
    (Kind::Take, Side::Buy),
    (Kind::Cancel, Side::Sell),
];

/// Requests of a round among which there are `orders` orders: the others are cancels.
pub(crate) fn requests_with(orders: u64) -> u64 {
    orders * 10 / 8
}

/// Near orders are 1 to so many ticks from the middle.
const NEAR_TICKS: u64 = 100;
/// Far orders are so many ticks further.
const FAR_TICKS: u64 = 10_000;

/// One request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) kind: Kind,
    pub(crate) side: Side,
    /// Of an order; 0 for a cancel.
    pub(crate) price: Price,
    /// What the order is called, or the one that is cancelled.
    pub(crate) name: Name,
}

/// In ticks; shown as the market writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Price(pub(crate) u64);

impl fmt::Display for Price {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

/// A client's name for an order: 32 characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    trader: usize,
    order: u64,
}

impl Name {
    /// The `order`-th of the `trader`-th.
    pub(crate) fn new(trader: usize, order: u64) -> Self {
        Self { trader, order }
    }

    /// In which of the trader's rounds the order is placed, from 0. It is cancelled in the same one.
    pub(crate) fn round(self) -> usize {
        usize::try_from(self.order).expect("fits") / ROUND.len()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "x-load-{:08}-{:016}", self.trader, self.order)
    }
}

/// As the wire writes it.
pub(crate) fn side_name(side: Side) -> &'static str {
    match side {
        Side::Buy => "BUY",
        Side::Sell => "SELL",
    }
}

/// One trader's requests, without an end.
pub(crate) struct Round {
    trader: usize,
    /// The far orders that stand.
    far: VecDeque<Name>,
    /// Requests made so far: the place in the round, and in the names of orders.
    made: u64,
    random: Random,
}

impl Round {
    /// Of the `trader`-th trader, from the beginning.
    pub(crate) fn new(trader: usize) -> Self {
        Self { trader, far: VecDeque::new(), made: 0, random: Random::new(trader) }
    }

    /// What the next request is for.
    pub(crate) fn kind(&self) -> Kind {
        self.place().0
    }

    fn place(&self) -> (Kind, Side) {
        ROUND[usize::try_from(self.made).expect("fits") % ROUND.len()]
    }

    /// The next request.
    pub(crate) fn next(&mut self) -> Request {
        let (kind, side) = self.place();
        let middle = PRICE_TICKS;
        let off = 1 + self.random.below(NEAR_TICKS);
        let price = match (kind, side) {
            (Kind::Near, Side::Buy) => middle - off,
            (Kind::Near, Side::Sell) => middle + off,
            (Kind::Far, Side::Buy) => middle - FAR_TICKS - off,
            (Kind::Far, Side::Sell) => middle + FAR_TICKS + off,
            (Kind::Take, Side::Buy) => middle + NEAR_TICKS,
            (Kind::Take, Side::Sell) => middle - NEAR_TICKS,
            (Kind::Cancel, _) => 0,
        };
        let own = Name::new(self.trader, self.made);
        let name = match kind {
            Kind::Near | Kind::Take => own,
            Kind::Far => {
                self.far.push_back(own);
                own
            }
            Kind::Cancel => self.far.pop_front().expect("a far order comes before each cancel"),
        };
        self.made += 1;
        Request { kind, side, price: Price(price), name }
    }
}

/// Xorshift: any sequence will do, as long as it is the same every time.
pub(crate) struct Random(u64);

impl Random {
    /// Another one for each `number`.
    pub(crate) fn new(number: usize) -> Self {
        // Any seed but zero.
        Self(0x9e37_79b9_7f4a_7c15 ^ u64::try_from(number).expect("fits"))
    }

    /// Any number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}
