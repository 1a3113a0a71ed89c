//! Traders who never lived: makers, takers and a crowd around a drifting price, from one seed.
//!
//! [`Traders`] says step by step what they ask of an exchange. What they do follows from the seed, the number of the step and
//! their own [record](record) of what they sent; never from the clock, and never from what the exchange answers. So the same
//! seed sends the same requests in the same order, and an exchange that nobody else uses comes to the same books, trades and
//! balances, on every machine. Where others trade as well, the record is wrong here and there. That heals: orders are moved
//! and replaced all the time, and a cancel that finds nothing is as normal as it is for real makers.
//!
//! Nothing here has a connection or a clock; whoever sends the steps keeps the pauses between them.

mod crowd;
mod fair;
mod gamblers;
mod ladder;
mod pace;
mod record;
mod takers;
mod traders;

use std::fmt;

use model::{
    AccountId, CancelAllOrders, CancelOrder, CancelRestriction, ClientOrderId, Command, MarketId,
    MarketTerms, OrderKind, OrderRef, PlaceContractOrder, PlaceOrder, PositionSide, PriceTicks, ReplaceMode,
    ReplaceOrder, SelfTradePrevention, Side, TimeNs,
};

pub use gamblers::GAMBLERS;
pub use pace::Pace;
pub use traders::Traders;

/// One of the traders: an index into [`TRADERS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TraderId(pub usize);

/// Their accounts: makers keep orders on both sides, takers trade with what rests, the crowd does a little of anything. At
/// contracts the takers are [`GAMBLERS`], and the crowd takes.
pub const TRADERS: [&str; 8] = [
    "sim-maker-1",
    "sim-maker-2",
    "sim-maker-3",
    "sim-taker-1",
    "sim-taker-2",
    "sim-taker-3",
    "sim-crowd-1",
    "sim-crowd-2",
];
/// The first maker; one per ladder.
const MAKERS: usize = 0;
const TAKERS: std::ops::Range<usize> = 3..6;
const CROWD: std::ops::Range<usize> = 6..8;

/// A market, and what it is worth when the traders come to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Its place in the exchange.
    pub market: MarketId,
    /// Its settings.
    pub terms: MarketTerms,
    /// Decimals of its base asset.
    pub base_scale: u8,
    /// Decimals of its quote asset.
    pub quote_scale: u8,
    /// What a fair price follows.
    pub price: PriceSource,
    /// How busy it is, in thousandths of a main market.
    pub activity_permille: u32,
}

/// What a fair price follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PriceSource {
    /// A random walk of its own.
    Walk {
        /// Where it starts.
        start: PriceTicks,
        /// Where it is drawn back to, in the course of hours.
        home: PriceTicks,
        /// Its unrest, in thousandths of what the pace says.
        unrest_permille: i64,
    },
    /// The price of one listing in units of another: ETHBTC is ETHUSDT over BTCUSDT. Both come before it and walk.
    Ratio {
        /// The place of the one whose base asset this is.
        over: usize,
        /// The place of the one whose base asset is this one's quote asset.
        under: usize,
    },
    /// A perpetual contract: the price of a listing, and a small basis that drifts.
    Contract {
        /// The place of the listing, which comes before it and walks.
        of: usize,
    },
}

impl Listing {
    /// True for a perpetual contract, which is traded by other requests than a spot market is.
    pub const fn is_contract(&self) -> bool {
        matches!(self.price, PriceSource::Contract { .. })
    }
}

/// The traders' name for an order: never the same twice for one seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OrderName {
    /// The traders' seed.
    pub seed: u64,
    /// The step that placed it.
    pub step: u64,
    /// Its place among the orders of that step.
    pub nth: u32,
}

/// As clients write it: at most 36 letters, digits and dashes.
impl fmt::Display for OrderName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "s{:x}-{:x}-{:x}", self.seed, self.step, self.nth)
    }
}

/// An order as it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// What its trader calls it.
    pub name: OrderName,
    /// Which way.
    pub side: Side,
    /// What kind, with price and quantity.
    pub kind: OrderKind,
}

/// What a trader asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Places an order.
    Place(Order),
    /// Cancels an order if it is still open, and places another in any case.
    Replace {
        /// The old one.
        cancel: OrderName,
        /// The new one.
        order: Order,
    },
    /// Cancels an order.
    Cancel(OrderName),
    /// Cancels all orders of the trader in this market.
    CancelAll,
    /// Places an order at a contract.
    PlaceAtContract(Order),
    /// Places an order at a contract that only makes the trader's position smaller.
    ReduceAtContract(Order),
}

/// Who asks what, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Who.
    pub trader: TraderId,
    /// In which market.
    pub market: MarketId,
    /// What.
    pub action: Action,
}

impl Request {
    /// What happens when an order of a trader meets another of the same trader: only others can bring that about, and the
    /// older one, which the trader had given up for gone, goes.
    pub const SELF_TRADE_PREVENTION: SelfTradePrevention = SelfTradePrevention::ExpireMaker;

    /// The command that an exchange makes of it.
    pub fn command(&self, account: AccountId, valid_until_ns: TimeNs) -> Command {
        let client_order_id = |name: OrderName| {
            ClientOrderId::new(&name.to_string()).expect("three numbers have at most 36 characters")
        };
        let place = |order: &Order| PlaceOrder {
            account,
            market: self.market,
            side: order.side,
            kind: order.kind,
            self_trade_prevention: Self::SELF_TRADE_PREVENTION,
            client_order_id: client_order_id(order.name),
            valid_until_ns,
        };
        let place_at_contract = |order: &Order, reduce_only| {
            Command::PlaceContractOrder(PlaceContractOrder {
                account,
                market: self.market,
                side: order.side,
                position_side: PositionSide::Both,
                kind: order.kind,
                self_trade_prevention: Self::SELF_TRADE_PREVENTION,
                reduce_only,
                client_order_id: client_order_id(order.name),
                valid_until_ns,
            })
        };
        match &self.action {
            Action::Place(order) => Command::PlaceOrder(place(order)),
            Action::PlaceAtContract(order) => place_at_contract(order, false),
            Action::ReduceAtContract(order) => place_at_contract(order, true),
            Action::Replace { cancel, order } => Command::ReplaceOrder(Box::new(ReplaceOrder {
                cancel: OrderRef::Client(client_order_id(*cancel)),
                restriction: CancelRestriction::None,
                mode: ReplaceMode::AllowFailure,
                place: place(order),
            })),
            Action::Cancel(name) => Command::CancelOrder(CancelOrder {
                account,
                market: self.market,
                order: OrderRef::Client(client_order_id(*name)),
                restriction: CancelRestriction::None,
                valid_until_ns,
            }),
            Action::CancelAll => {
                Command::CancelAllOrders(CancelAllOrders { account, market: self.market, valid_until_ns })
            }
        }
    }
}

/// What happens at one moment, and how long nothing happens after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its number.
    pub number: u64,
    /// In the order in which they are sent.
    pub requests: Vec<Request>,
    /// The pause until the next one, in microseconds.
    pub wait_us: u32,
}
