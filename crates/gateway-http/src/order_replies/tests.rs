use model::{EventBatch, EventSeq, Liquidity, MarketId, OrderFilled, OrderPrevented, Seq, TradeId};
use serde_json::{Value, json};
use views::{ViewSettings, Views};

use super::*;
use dialect::sample::btcusdt;

const ME: AccountId = AccountId(1);
const OTHER: AccountId = AccountId(2);

fn accepted(account: AccountId, order: u64, kind: OrderKind) -> Event {
    Event::OrderAccepted(OrderAccepted {
        order: OrderId(order),
        account,
        market: MarketId(0),
        side: Side::Buy,
        kind,
        self_trade_prevention: SelfTradePrevention::None,
        client_order_id: ClientOrderId::new("name").unwrap(),
        held: Amount::ZERO,
    })
}

fn filled(account: AccountId, order: u64, trade: u64, price: i64, qty: i64) -> Event {
    Event::OrderFilled(OrderFilled {
        order: OrderId(order),
        account,
        market: MarketId(0),
        trade: TradeId(trade),
        side: Side::Buy,
        liquidity: Liquidity::Taker,
        price_ticks: PriceTicks(price),
        qty_lots: QtyLots(qty),
        fee: Amount(150),
        released: Amount::ZERO,
    })
}

fn ended(account: AccountId, order: u64, reason: EndReason) -> Event {
    let (order, market) = (OrderId(order), MarketId(0));
    Event::OrderEnded(OrderEnded { order, account, market, reason, released: Amount::ZERO })
}

fn limit(qty: i64) -> OrderKind {
    OrderKind::Limit {
        price_ticks: PriceTicks(1_000_000),
        qty_lots: QtyLots(qty),
        time_in_force: TimeInForce::Gtc,
    }
}

fn outcome(events: &[Event]) -> Outcome<'_> {
    Outcome { account: ME, events, time_ns: TimeNs(1_234_567_890), unit: TimeUnit::Micros }
}

fn placed(events: &[Event]) -> Value {
    let labels = StrategyLabels::default();
    let reply = outcome(events).placed(&btcusdt(), ResponseType::Full, labels).unwrap();
    serde_json::to_value(reply).unwrap()
}

#[test]
fn a_new_order_is_told_by_its_own_events_alone() {
    let told = placed(&[
        accepted(ME, 5, limit(10)),
        // Somebody else's, and another of my own, which this one traded with.
        filled(OTHER, 3, 1, 1_000_000, 4),
        filled(ME, 4, 2, 1_000_000, 1),
        filled(ME, 5, 1, 1_000_000, 4),
        filled(ME, 5, 2, 1_000_000, 1),
        ended(ME, 4, EndReason::Filled),
    ]);
    assert_eq!(told["status"], "PARTIALLY_FILLED");
    assert_eq!(told["executedQty"], "0.00500000");
    assert_eq!(told["cummulativeQuoteQty"], "250.000000");
    assert_eq!(told["transactTime"], 1_234_567);
    assert_eq!(told["fills"].as_array().unwrap().len(), 2);
    assert_eq!(
        told["fills"][0],
        json!({"price": "50000.00", "qty": "0.00400000", "commission": "0.00000150", "commissionAsset": "BTC", "tradeId": 1})
    );
}

#[test]
fn an_order_by_amount_has_the_quantity_it_came_to() {
    let told = placed(&[
        accepted(ME, 5, OrderKind::MarketQuote { quote_amount: Amount(300_000_000) }),
        filled(ME, 5, 1, 1_000_000, 4),
        Event::OrderPrevented(OrderPrevented {
            order: OrderId(5),
            account: ME,
            market: MarketId(0),
            prevented_match: 9,
            liquidity: Liquidity::Taker,
            counter_order: OrderId(2),
            price_ticks: PriceTicks(1_000_000),
            prevented_lots: QtyLots(2),
            mode: SelfTradePrevention::ExpireTaker,
            released: Amount::ZERO,
        }),
        ended(ME, 5, EndReason::ExpiredInMatch),
    ]);
    assert_eq!((&told["origQty"], &told["origQuoteOrderQty"]), (&json!("0.00600000"), &json!("300.000000")));
    assert_eq!((&told["status"], &told["preventedMatchId"]), (&json!("EXPIRED_IN_MATCH"), &json!(9)));
    assert_eq!(told["preventedQuantity"], "0.00200000");
}

#[test]
fn every_end_and_every_reason_has_its_name() {
    let reasons = [
        (EndReason::Filled, "FILLED", Value::Null),
        (EndReason::Canceled, "CANCELED", Value::Null),
        (EndReason::ExpiredInMatch, "EXPIRED_IN_MATCH", Value::Null),
        (EndReason::Expired(ExpiryReason::UnfilledIoc), "EXPIRED", json!("UNFILLED_IOC_QUANTITY_EXPIRED")),
        (EndReason::Expired(ExpiryReason::UnfilledFok), "EXPIRED", json!("UNFILLED_FOK_ORDER_EXPIRED")),
        (EndReason::Expired(ExpiryReason::InsufficientLiquidity), "EXPIRED", json!("INSUFFICIENT_LIQUIDITY")),
        (
            EndReason::Expired(ExpiryReason::PriceRangeExceeded),
            "EXPIRED",
            json!("EXECUTION_RULE_PRICE_RANGE_EXCEEDED"),
        ),
        (EndReason::Expired(ExpiryReason::ExchangeCanceled), "EXPIRED", json!("EXCHANGE_CANCELED")),
    ];
    for (reason, status, expiry) in reasons {
        let told = placed(&[accepted(ME, 5, limit(10)), ended(ME, 5, reason)]);
        assert_eq!((&told["status"], &told["expiryReason"]), (&json!(status), &expiry));
    }
}

#[test]
fn a_cancel_of_what_is_forgotten_is_still_answered() {
    let listing = btcusdt();
    let events = vec![
        Event::AssetAdded { asset: model::AssetId(0), terms: listing.base },
        Event::AssetAdded { asset: model::AssetId(1), terms: listing.quote },
        Event::MarketAdded { market: MarketId(0), terms: Box::new(listing.terms) },
        Event::AccountCreated {
            account: ME,
            name: model::AccountName::new("me").unwrap(),
            trade_group: model::TradeGroup::NONE,
        },
        accepted(ME, 5, limit(10)),
        ended(ME, 5, EndReason::Canceled),
    ];
    let ends = vec![u32::try_from(events.len()).unwrap()];
    let batch =
        EventBatch { first_seq: Seq(1), first_event_seq: EventSeq(1), events, ends, ..EventBatch::default() };
    let mut views = Views::new(ViewSettings { orders_kept_per_account: 0, ..ViewSettings::default() });
    views.apply(&batch);
    let cancel_id = ClientOrderId::new("c").unwrap();
    // Somebody else's order that ended with mine is none of my business.
    let mut events = batch.events;
    events.insert(0, ended(OTHER, 4, EndReason::Canceled));
    let told = outcome(&events).order_cancelled(&listing, views.orders(), cancel_id).unwrap();
    assert_eq!(
        serde_json::to_value(told).unwrap(),
        json!({"symbol": "BTCUSDT", "orderId": 5, "orderListId": -1, "clientOrderId": "c", "transactTime": 1_234_567,
            "status": "CANCELED"})
    );
}
