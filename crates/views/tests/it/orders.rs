//! Names, states and what is forgotten, one story each.

use model::{
    AccountId, Amount, ClientOrderId, EndReason, Event, ExpiryReason, Liquidity, MarketId, MarketName,
    OrderAccepted, OrderAmended, OrderEnded, OrderFilled, OrderId, OrderKind, PriceTicks, QtyLots,
    SelfTradePrevention, Side, TimeInForce, TimeNs, TradeId,
};
use views::{OrderStatus, Page, ViewSettings};

use crate::vectors::Feed;

const MARKET: MarketId = MarketId(0);
const ALICE: AccountId = AccountId(1);

fn name(name: &str) -> ClientOrderId {
    ClientOrderId::new(name).unwrap()
}

fn limit(qty: i64) -> OrderKind {
    OrderKind::Limit { price_ticks: PriceTicks(100), qty_lots: QtyLots(qty), time_in_force: TimeInForce::Gtc }
}

impl Feed {
    fn now(&self) -> TimeNs {
        TimeNs(self.views.time_ns().0 + 1)
    }

    /// Alice sells at 100.
    fn sells(&mut self, order: u64, called: &str, qty: i64) {
        self.accepts(order, called, Side::Sell, limit(qty), i128::from(qty));
    }

    fn accepts(&mut self, order: u64, called: &str, side: Side, kind: OrderKind, held: i128) {
        self.accepts_in(MARKET, order, called, side, kind, held);
    }

    fn accepts_in(
        &mut self,
        market: MarketId,
        order: u64,
        called: &str,
        side: Side,
        kind: OrderKind,
        held: i128,
    ) {
        let accepted = OrderAccepted {
            order: OrderId(order),
            account: ALICE,
            market,
            side,
            kind,
            self_trade_prevention: SelfTradePrevention::None,
            client_order_id: name(called),
            held: Amount(held),
        };
        self.batch(self.now(), vec![Event::OrderAccepted(accepted)]);
    }

    fn fills(&mut self, order: u64, side: Side, qty: i64) {
        let filled = OrderFilled {
            order: OrderId(order),
            account: ALICE,
            market: MARKET,
            trade: TradeId(order),
            side,
            liquidity: Liquidity::Taker,
            price_ticks: PriceTicks(100),
            qty_lots: QtyLots(qty),
            fee: Amount(1),
            released: Amount(0),
        };
        self.batch(self.now(), vec![Event::OrderFilled(filled)]);
    }

    fn ends(&mut self, order: u64, reason: EndReason, released: i128) {
        let ended = OrderEnded {
            order: OrderId(order),
            account: ALICE,
            market: MARKET,
            reason,
            released: Amount(released),
        };
        self.batch(self.now(), vec![Event::OrderEnded(ended)]);
    }

    fn renames(&mut self, order: u64, called: &str, qty: i64, released: i128) {
        let amended = OrderAmended {
            order: OrderId(order),
            account: ALICE,
            market: MARKET,
            qty_lots: QtyLots(qty),
            client_order_id: name(called),
            released: Amount(released),
        };
        self.batch(self.now(), vec![Event::OrderAmended(amended)]);
    }

    fn called(&self, called: &str) -> Option<u64> {
        self.views.orders().by_client_id(ALICE, MARKET, &name(called)).map(|order| order.id.0)
    }

    fn status(&self, order: u64) -> OrderStatus {
        self.views.orders().by_id(OrderId(order)).unwrap().status()
    }
}

#[test]
fn an_order_goes_through_its_states() {
    let mut feed = Feed::new(ViewSettings::default());
    feed.sells(1, "a", 10);
    assert_eq!(feed.status(1), OrderStatus::New);
    feed.fills(1, Side::Sell, 4);
    assert_eq!(feed.status(1), OrderStatus::PartiallyFilled);
    let order = feed.views.orders().by_id(OrderId(1)).unwrap();
    assert_eq!((order.open_lots(), order.held, order.cumulative_quote), (QtyLots(6), Amount(6), Amount(400)));
    assert_eq!((order.working_ns(), order.updated_ns), (Some(TimeNs(1)), TimeNs(2)));
    feed.ends(1, EndReason::Canceled, 6);
    assert_eq!(feed.status(1), OrderStatus::Canceled);
    let order = feed.views.orders().by_id(OrderId(1)).unwrap();
    assert_eq!((order.is_open(), order.open_lots(), order.expiry_reason()), (false, QtyLots(0), None));
    for (order, reason, status) in [
        (2, EndReason::Filled, OrderStatus::Filled),
        (3, EndReason::Expired(ExpiryReason::UnfilledIoc), OrderStatus::Expired),
        (4, EndReason::ExpiredInMatch, OrderStatus::ExpiredInMatch),
    ] {
        feed.sells(order, "b", 3);
        feed.ends(order, reason, 3);
        assert_eq!(feed.status(order), status);
    }
    let expired = feed.views.orders().by_id(OrderId(3)).unwrap();
    assert_eq!(expired.expiry_reason(), Some(ExpiryReason::UnfilledIoc));
}

#[test]
fn a_name_leads_to_the_order_that_took_it_last() {
    let mut feed = Feed::new(ViewSettings { orders_kept_per_account: 2, ..ViewSettings::default() });
    feed.sells(1, "a", 10);
    feed.ends(1, EndReason::Canceled, 10);
    assert_eq!(feed.called("a"), Some(1), "what is over is still found");
    feed.sells(2, "a", 10);
    assert_eq!(feed.called("a"), Some(2));
    feed.renames(2, "b", 8, 2);
    assert_eq!((feed.called("a"), feed.called("b")), (None, Some(2)));
    let order = feed.views.orders().by_id(OrderId(2)).unwrap();
    assert_eq!((order.client_order_id, order.original_client_order_id), (name("b"), name("a")));
    assert_eq!((order.amends, order.qty_lots, order.held), (1, QtyLots(8), Amount(8)));
    feed.ends(2, EndReason::Canceled, 8);

    feed.sells(3, "b", 1);
    feed.ends(3, EndReason::Canceled, 1);
    assert_eq!(feed.called("b"), Some(3));
    assert_eq!(feed.views.orders().by_id(OrderId(1)), None, "two are kept");
    feed.sells(4, "c", 1);
    feed.ends(4, EndReason::Canceled, 1);
    assert_eq!(feed.views.orders().by_id(OrderId(2)), None);
    assert_eq!(feed.called("b"), Some(3), "its earlier bearer is forgotten, not the name");
    feed.sells(5, "d", 1);
    feed.ends(5, EndReason::Canceled, 1);
    assert_eq!(feed.called("b"), None);
}

/// They once came market by market, and a client that takes the last for the newest took the wrong one: lists are
/// chronological unless the documentation says otherwise.
#[test]
fn open_orders_of_all_markets_are_in_the_order_of_acceptance() {
    let mut feed = Feed::new(ViewSettings::default());
    let mut other = *feed.views.catalog().market(MARKET).unwrap();
    other.name = MarketName::new("OTHER").unwrap();
    let other_market = MarketId(1);
    feed.batch(feed.now(), vec![Event::MarketAdded { market: other_market, terms: Box::new(other) }]);
    for (order, market) in [(1, MARKET), (2, other_market), (3, MARKET), (4, other_market)] {
        feed.accepts_in(market, order, "", Side::Sell, limit(1), 1);
    }
    let open: Vec<u64> = feed.views.orders().open(ALICE).iter().map(|order| order.id.0).collect();
    assert_eq!(open, [1, 2, 3, 4]);
}

/// A name is optional for the state machine, and a view once took two orders without one for two of the same name.
#[test]
fn orders_without_a_name_are_many_and_not_found_by_it() {
    let mut feed = Feed::new(ViewSettings::default());
    feed.sells(1, "", 10);
    feed.sells(2, "", 10);
    assert_eq!(feed.called(""), None);
    feed.renames(1, "a", 9, 1);
    assert_eq!((feed.called(""), feed.called("a")), (None, Some(1)));
    feed.ends(2, EndReason::Canceled, 10);
    assert_eq!(feed.views.orders().open_in(ALICE, MARKET).len(), 1);
}

#[test]
fn an_order_by_amount_is_as_large_as_what_it_bought() {
    let mut feed = Feed::new(ViewSettings::default());
    let kind = OrderKind::MarketQuote { quote_amount: Amount(1_050) };
    feed.accepts(1, "a", Side::Buy, kind, 1_050);
    feed.fills(1, Side::Buy, 10);
    feed.ends(1, EndReason::Filled, 50);
    let order = feed.views.orders().by_id(OrderId(1)).unwrap();
    assert_eq!((order.qty_lots, order.executed_lots), (QtyLots(10), QtyLots(10)));
    assert_eq!((order.original_quote(), order.cumulative_quote), (Amount(1_050), Amount(1_000)));
    assert_eq!((order.price_ticks(), order.time_in_force()), (None, TimeInForce::Gtc));
}

#[test]
fn what_is_open_is_never_forgotten() {
    let settings = ViewSettings { orders_kept: 0, orders_kept_per_account: 0, ..ViewSettings::default() };
    let mut feed = Feed::new(settings);
    for order in 1..=50 {
        feed.sells(order, &format!("n{order}"), 1);
    }
    feed.ends(7, EndReason::Canceled, 1);
    assert_eq!(feed.views.orders().by_id(OrderId(7)), None);
    assert_eq!(feed.called("n7"), None);
    assert_eq!(feed.views.orders().open_count(), 49);
    assert_eq!(feed.views.orders().all(ALICE, MARKET, &Page::last(1_000)).len(), 49);
    let from = feed.views.orders().all(ALICE, MARKET, &Page::starting(OrderId(6), 3));
    assert_eq!(from.iter().map(|order| order.id.0).collect::<Vec<_>>(), [6, 8, 9]);
}

#[test]
#[should_panic(expected = "all that is held for an order is released when it ends")]
fn a_hold_that_outlives_its_order_is_a_panic() {
    let mut feed = Feed::new(ViewSettings::default());
    feed.sells(1, "a", 10);
    feed.ends(1, EndReason::Canceled, 9);
}

#[test]
#[should_panic(expected = "an order that has ended does not change any more")]
fn an_order_that_ends_twice_is_a_panic() {
    let mut feed = Feed::new(ViewSettings::default());
    feed.sells(1, "a", 10);
    feed.ends(1, EndReason::Canceled, 10);
    feed.ends(1, EndReason::Canceled, 0);
}

#[test]
#[should_panic(expected = "no more trades than was ordered")]
fn a_fill_beyond_the_order_is_a_panic() {
    let mut feed = Feed::new(ViewSettings::default());
    feed.accepts(1, "a", Side::Buy, OrderKind::Market { qty_lots: QtyLots(1) }, 10_000);
    feed.fills(1, Side::Buy, 2);
}

#[test]
#[should_panic(expected = "names of open orders are unique")]
fn two_open_orders_of_one_name_are_a_panic() {
    let mut feed = Feed::new(ViewSettings::default());
    feed.sells(1, "a", 10);
    feed.sells(2, "a", 10);
}
