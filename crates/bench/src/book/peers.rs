//! Peers: books that others have published, as crates whose licences allow it, on the same messages. Each is called as its
//! documentation shows.

use std::sync::{Arc, Mutex, PoisonError};

use matchcore::{
    CancelCmd, Command, CommandKind, CommandMeta, CommandOutcome, CommandReport, LimitOrder, NewOrder,
    OrderFlags, OrderId, OrderKind, Price, Quantity, QuantityPolicy, SequenceNumber, SubmitCmd, Timestamp,
};
use model::Side;
use simulator::walking::{Kind, Message};

use super::contender::Contender;
use super::places::index;
use super::report::{Report, Reports};

/// A value for each of the numbers that orders have.
#[derive(Default)]
struct ById<T>(Vec<T>);

impl<T: Copy + Default> ById<T> {
    fn at(&self, id: u64) -> T {
        self.0.get(index(id)).copied().unwrap_or_default()
    }

    fn set(&mut self, id: u64, value: T) {
        let at = index(id);
        if self.0.len() <= at {
            self.0.resize(at + 1, T::default());
        }
        self.0[at] = value;
    }
}

/// Prices and quantities of these streams are above zero.
fn price(arriving: &Message) -> u64 {
    arriving.price.unsigned_abs()
}

fn trade(maker: u64, arriving: &Message, price: u64, qty: u64) -> Report {
    let price = i64::try_from(price).expect("a price of the stream");
    let qty = u32::try_from(qty).expect("no more than arrived");
    Report::Trade { maker, taker: arriving.id, price, qty }
}

/// The crate `matchcore`, for the traces only: behind the first level its orders trade beyond their limit (0.4.0), which the
/// traces never come to and the walking market does at once. It numbers orders itself, by its commands, from zero.
pub struct Matchcore {
    book: matchcore::OrderBook,
    commands: u64,
    theirs: ById<Option<u64>>,
    ours: ById<u64>,
}

impl Default for Matchcore {
    fn default() -> Self {
        let book = matchcore::OrderBook::new("BENCH");
        Self { book, commands: 0, theirs: ById::default(), ours: ById::default() }
    }
}

impl Matchcore {
    fn execute(&mut self, kind: CommandKind) -> CommandOutcome {
        let (sequence_number, timestamp) = (SequenceNumber(self.commands), Timestamp(self.commands));
        self.commands += 1;
        self.book.execute(&Command { meta: CommandMeta { sequence_number, timestamp }, kind })
    }
}

impl Contender for Matchcore {
    fn place(&mut self, arriving: &Message, reports: &mut impl Reports) {
        assert!(arriving.kind == Kind::New, "the traces have nothing else");
        let side = match arriving.side {
            Side::Buy => matchcore::Side::Buy,
            Side::Sell => matchcore::Side::Sell,
        };
        let quantity = QuantityPolicy::Standard { quantity: Quantity(u64::from(arriving.qty)) };
        let flags = OrderFlags::new(side, false, matchcore::TimeInForce::Gtc);
        let order = NewOrder::Limit(LimitOrder::new(Price(price(arriving)), quantity, flags));
        let outcome = self.execute(CommandKind::Submit(SubmitCmd { order }));
        let CommandOutcome::Applied(CommandReport::Submit(effects)) = outcome else {
            unreachable!("a limit order is taken: {outcome:?}")
        };
        let theirs = effects.target_order().order_id().0;
        self.theirs.set(arriving.id, Some(theirs));
        self.ours.set(theirs, arriving.id);
        for made in effects.target_order().match_result().into_iter().flat_map(matchcore::MatchResult::trades)
        {
            let maker = self.ours.at(made.maker_order_id().0);
            reports.tell(trade(maker, arriving, made.price().0, made.quantity().0));
        }
    }

    fn cancel(&mut self, order: u64) -> bool {
        let Some(theirs) = self.theirs.at(order) else { return false };
        let order_id = OrderId(theirs);
        let cancel = CancelCmd { order_id, order_kind: OrderKind::Limit };
        matches!(self.execute(CommandKind::Cancel(cancel)), CommandOutcome::Applied(_))
    }
}

/// The crate `lobster`. It has no limit orders that are immediate: what is left of one is cancelled. A cancel says nothing of
/// whether there was such an order, so that is kept here.
#[derive(Default)]
pub struct Lobster {
    book: lobster::OrderBook,
    rests: ById<bool>,
}

impl Contender for Lobster {
    fn place(&mut self, arriving: &Message, reports: &mut impl Reports) {
        let side = match arriving.side {
            Side::Buy => lobster::Side::Bid,
            Side::Sell => lobster::Side::Ask,
        };
        let id = u128::from(arriving.id);
        let (qty, price) = (u64::from(arriving.qty), price(arriving));
        let (fills, rests) = match self.book.execute(lobster::OrderType::Limit { id, side, qty, price }) {
            lobster::OrderEvent::Filled { fills, .. } => (fills, false),
            lobster::OrderEvent::PartiallyFilled { fills, .. } => (fills, true),
            lobster::OrderEvent::Placed { .. } => (Vec::new(), true),
            lobster::OrderEvent::Unfilled { .. } | lobster::OrderEvent::Canceled { .. } => {
                unreachable!("a limit order is filled or placed")
            }
        };
        for fill in fills {
            let maker = u64::try_from(fill.order_2).expect("a number of the stream");
            if fill.total_fill {
                self.rests.set(maker, false);
            }
            reports.tell(trade(maker, arriving, fill.price, fill.qty));
        }
        if rests && arriving.kind == Kind::Immediate {
            self.book.execute(lobster::OrderType::Cancel { id });
        } else {
            self.rests.set(arriving.id, rests);
        }
    }

    fn cancel(&mut self, order: u64) -> bool {
        let rests = self.rests.at(order);
        if rests {
            self.book.execute(lobster::OrderType::Cancel { id: u128::from(order) });
            self.rests.set(order, false);
        }
        rests
    }
}

/// Maker, price and quantity of what has traded.
type Trades = Arc<Mutex<Vec<(u64, u64, u64)>>>;

/// The crate `orderbook-rs`. What an immediate order has traded is told to its listener only.
pub struct OrderbookRs {
    book: orderbook_rs::OrderBook<()>,
    trades: Trades,
}

impl Default for OrderbookRs {
    fn default() -> Self {
        let trades = Trades::default();
        let told = Arc::clone(&trades);
        let listener = move |result: &orderbook_rs::TradeResult| {
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            for made in result.match_result.trades().as_vec() {
                let maker = made.maker_order_id().as_u64().expect("orders have numbers");
                let price = u64::try_from(made.price().as_u128()).expect("a price of the stream");
                told.push((maker, price, made.quantity().as_u64()));
            }
        };
        Self { book: orderbook_rs::OrderBook::with_trade_listener("BENCH", Arc::new(listener)), trades }
    }
}

impl Contender for OrderbookRs {
    fn place(&mut self, arriving: &Message, reports: &mut impl Reports) {
        let side = match arriving.side {
            Side::Buy => orderbook_rs::Side::Buy,
            Side::Sell => orderbook_rs::Side::Sell,
        };
        let time_in_force = match arriving.kind {
            Kind::Immediate => orderbook_rs::TimeInForce::Ioc,
            Kind::New | Kind::Cancel | Kind::Modify => orderbook_rs::TimeInForce::Gtc,
        };
        let (id, qty) = (orderbook_rs::Id::Sequential(arriving.id), u64::from(arriving.qty));
        // An immediate order that is not filled is an error there; the trades tell what it did.
        let placed =
            self.book.add_limit_order(id, u128::from(price(arriving)), qty, side, time_in_force, None);
        assert!(placed.is_ok() || arriving.kind == Kind::Immediate, "a limit order is taken: {placed:?}");
        let mut trades = self.trades.lock().unwrap_or_else(PoisonError::into_inner);
        for (maker, price, qty) in trades.drain(..) {
            reports.tell(trade(maker, arriving, price, qty));
        }
    }

    fn cancel(&mut self, order: u64) -> bool {
        matches!(self.book.cancel_order(orderbook_rs::Id::Sequential(order)), Ok(Some(_)))
    }
}
