//! Orders: what is asked and what is answered, over the wire.

use serde_json::{Value, json};

use crate::world::{World, assert_fields};

const ORDER: &str = "/api/v3/order";
/// What ccxt and hummingbot read of a new order. Source: clients.md 1.4.
const FULL: &str = "symbol orderId orderListId clientOrderId transactTime price origQty executedQty origQuoteOrderQty \
    cummulativeQuoteQty status timeInForce type side workingTime selfTradePreventionMode fills";

#[test]
fn a_limit_order_rests_is_found_and_is_cancelled() {
    let (_world, alice, _) = World::open();
    let placed = alice
        .place("side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.5&price=49000.05&newClientOrderId=first")
        .ok();
    assert_fields(&placed, FULL);
    let id = placed["orderId"].as_u64().unwrap();
    assert_eq!(placed["fills"], json!([]));
    for (field, value) in [
        ("symbol", "BTCUSDT"),
        ("clientOrderId", "first"),
        ("price", "49000.05"),
        ("origQty", "0.50000000"),
        ("executedQty", "0.00000000"),
        ("cummulativeQuoteQty", "0.000000"),
        ("status", "NEW"),
        ("timeInForce", "GTC"),
        ("type", "LIMIT"),
        ("side", "BUY"),
    ] {
        assert_eq!(placed[field], value, "{field}");
    }

    let by_id = alice.get(ORDER, &format!("symbol=BTCUSDT&orderId={id}")).ok();
    assert_fields(
        &by_id,
        "symbol orderId orderListId clientOrderId price origQty executedQty cummulativeQuoteQty status timeInForce type \
         side stopPrice icebergQty time updateTime isWorking workingTime origQuoteOrderQty selfTradePreventionMode",
    );
    assert_eq!(by_id["time"], placed["transactTime"]);
    assert_eq!(alice.get(ORDER, "symbol=BTCUSDT&origClientOrderId=first").ok(), by_id);
    assert_eq!(alice.get("/api/v3/openOrders", "symbol=BTCUSDT").ok(), json!([by_id]));
    assert_eq!(alice.get("/api/v3/openOrders", "").ok(), json!([by_id]));

    let cancelled =
        alice.send("DELETE", ORDER, &format!("symbol=BTCUSDT&orderId={id}&newClientOrderId=the-cancel")).ok();
    assert_fields(
        &cancelled,
        "symbol orderListId transactTime price origQty executedQty side type timeInForce",
    );
    assert_eq!(cancelled["origClientOrderId"], "first");
    assert_eq!(cancelled["clientOrderId"], "the-cancel");
    assert_eq!(cancelled["status"], "CANCELED");
    assert_eq!(cancelled["orderId"], id);
    assert_eq!(alice.get("/api/v3/openOrders", "").ok(), json!([]));
    assert_eq!(alice.get("/api/v3/allOrders", "symbol=BTCUSDT").ok()[0]["status"], "CANCELED");
    alice.send("DELETE", ORDER, &format!("symbol=BTCUSDT&orderId={id}")).assert_error(
        400,
        -2011,
        "Unknown order sent.",
    );
}

#[test]
fn a_taker_is_told_its_fills_and_fees() {
    let (_world, alice, bob) = World::open();
    let first = alice.rest("SELL", "1", "50000");
    alice.rest("SELL", "1", "50100");
    let taken = bob.place("side=BUY&type=LIMIT&timeInForce=GTC&quantity=1.5&price=51000").ok();
    assert_eq!(taken["status"], "FILLED");
    assert_eq!(taken["executedQty"], "1.50000000");
    assert_eq!(taken["cummulativeQuoteQty"], "75050.000000");
    assert_eq!(
        taken["fills"],
        json!([
            {"price": "50000.00", "qty": "1.00000000", "commission": "0.00150000", "commissionAsset": "BTC", "tradeId": 1},
            {"price": "50100.00", "qty": "0.50000000", "commission": "0.00075000", "commissionAsset": "BTC", "tradeId": 2},
        ])
    );

    let maker = alice.get(ORDER, &format!("symbol=BTCUSDT&orderId={first}")).ok();
    assert_eq!((&maker["status"], &maker["executedQty"]), (&json!("FILLED"), &json!("1.00000000")));
    let trades = alice.get("/api/v3/myTrades", "symbol=BTCUSDT").ok();
    assert_fields(
        &trades[0],
        "symbol id orderId orderListId price qty quoteQty commission commissionAsset time isBuyer isMaker isBestMatch",
    );
    assert_eq!(trades[0]["commission"], "50.000000");
    assert_eq!(trades[0]["commissionAsset"], "USDT");
    assert_eq!((&trades[0]["isBuyer"], &trades[0]["isMaker"]), (&json!(false), &json!(true)));
    let own = bob.get("/api/v3/myTrades", &format!("symbol=BTCUSDT&orderId={}", taken["orderId"])).ok();
    assert_eq!(own.as_array().unwrap().len(), 2);
}

#[test]
fn market_orders_by_quantity_and_by_amount() {
    let (_world, alice, bob) = World::open();
    alice.rest("SELL", "1", "50000");
    let by_quantity = bob.place("side=BUY&type=MARKET&quantity=0.4").ok();
    assert_eq!((&by_quantity["status"], &by_quantity["price"]), (&json!("FILLED"), &json!("0.00")));
    assert_eq!(by_quantity["origQty"], "0.40000000");

    let by_amount = bob.place("side=BUY&type=MARKET&quoteOrderQty=10020").ok();
    assert_eq!(by_amount["origQuoteOrderQty"], "10020.000000");
    assert_eq!(by_amount["origQty"], "0.20000000", "as much as it came to");
    assert_eq!(by_amount["cummulativeQuoteQty"], "10000.000000");
    assert_eq!(by_amount["status"], "FILLED");

    let too_much = bob.place("side=BUY&type=MARKET&quantity=1&newOrderRespType=RESULT").ok();
    assert_eq!(too_much["status"], "EXPIRED");
    assert_eq!(too_much["expiryReason"], "INSUFFICIENT_LIQUIDITY");
    assert_eq!(too_much["executedQty"], "0.40000000");
    assert_eq!(too_much["fills"], Value::Null, "RESULT has no fills");
    bob.place("side=BUY&type=MARKET&quoteOrderQty=100").assert_error(
        400,
        -2010,
        "Order book liquidity is less than symbol minimum quantity.",
    );
}

#[test]
fn immediate_orders_expire_with_their_reason() {
    let (_world, alice, bob) = World::open();
    alice.rest("SELL", "0.1", "50000");
    let fok = bob.place("side=BUY&type=LIMIT&timeInForce=FOK&quantity=1&price=50000").ok();
    assert_eq!(
        (&fok["status"], &fok["expiryReason"]),
        (&json!("EXPIRED"), &json!("UNFILLED_FOK_ORDER_EXPIRED"))
    );
    let ioc = bob.place("side=BUY&type=LIMIT&timeInForce=IOC&quantity=1&price=50000").ok();
    assert_eq!((&ioc["status"], &ioc["timeInForce"]), (&json!("EXPIRED"), &json!("IOC")));
    assert_eq!(ioc["expiryReason"], "UNFILLED_IOC_QUANTITY_EXPIRED");
    assert_eq!(ioc["executedQty"], "0.10000000");
    let asked = bob.get(ORDER, &format!("symbol=BTCUSDT&orderId={}", ioc["orderId"])).ok();
    assert_eq!(asked["expiryReason"], "UNFILLED_IOC_QUANTITY_EXPIRED");
}

#[test]
fn self_trade_prevention_is_told_of() {
    let (_world, alice, _) = World::open();
    alice.rest("SELL", "1", "50000");
    let placed = alice
        .place("side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.4&price=50000&selfTradePreventionMode=EXPIRE_TAKER")
        .ok();
    assert_eq!(placed["status"], "EXPIRED_IN_MATCH");
    assert_eq!(placed["selfTradePreventionMode"], "EXPIRE_TAKER");
    assert_eq!(placed["preventedMatchId"], 0);
    assert_eq!(placed["preventedQuantity"], "0.40000000");
}

#[test]
fn answers_are_as_long_as_was_asked() {
    let (_world, alice, _) = World::open();
    let limit = "side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=40000";
    let ack = alice.place(&format!("{limit}&newOrderRespType=ACK")).ok();
    assert_eq!(
        crate::world::fields(&ack),
        ["clientOrderId", "orderId", "orderListId", "symbol", "transactTime"],
        "and nothing else"
    );
    assert_eq!(ack["clientOrderId"].as_str().unwrap().len(), 22, "made up");
    let maker = alice.place("side=BUY&type=LIMIT_MAKER&quantity=0.1&price=40000").ok();
    assert_eq!(maker["status"], Value::Null, "ACK is the default of LIMIT_MAKER");
    let labelled = alice.place(&format!("{limit}&strategyId=7&strategyType=1000001")).ok();
    assert_eq!((&labelled["strategyId"], &labelled["strategyType"]), (&json!(7), &json!(1_000_001)));
}

#[test]
fn what_the_market_refuses_has_binances_code_and_text() {
    let (_world, alice, bob) = World::open();
    alice.rest("SELL", "1", "50000");
    let limit = |more: &str| bob.place(&format!("side=BUY&type=LIMIT&timeInForce=GTC&{more}"));
    limit("quantity=100&price=50000").assert_error(
        400,
        -2010,
        "Account has insufficient balance for requested action.",
    );
    limit("quantity=0.001&price=100").assert_error(400, -1013, "Filter failure: NOTIONAL");
    limit("quantity=1001&price=100").assert_error(400, -1013, "Filter failure: LOT_SIZE");
    limit("quantity=0.0005&price=100").assert_error(400, -1013, "Filter failure: LOT_SIZE");
    limit("quantity=1&price=1000000.05").assert_error(400, -1013, "Filter failure: PRICE_FILTER");
    limit("quantity=1&price=100.01").assert_error(400, -1013, "Filter failure: PRICE_FILTER");
    limit("quantity=1&price=100.0000001").assert_error(
        400,
        -1111,
        "Parameter 'price' has too much precision.",
    );
    bob.place("side=BUY&type=LIMIT_MAKER&quantity=1&price=50000").assert_error(
        400,
        -2010,
        "Order would immediately match and take.",
    );
    assert_eq!(limit("quantity=0.1&price=100&newClientOrderId=x").status, 200);
    limit("quantity=0.1&price=100&newClientOrderId=x").assert_error(400, -2010, "Duplicate order sent.");
    let elsewhere = bob.send("POST", ORDER, "symbol=NOSUCH&side=BUY&type=MARKET&quantity=1");
    elsewhere.assert_error(400, -1121, "Invalid symbol.");
    bob.get(ORDER, "symbol=BTCUSDT&orderId=999").assert_error(400, -2013, "Order does not exist.");
    bob.get(ORDER, "symbol=BTCUSDT&orderId=1").assert_error(400, -2013, "Order does not exist.");
    bob.send("DELETE", ORDER, "symbol=BTCUSDT&orderId=1").assert_error(400, -2011, "Unknown order sent.");
}

#[test]
fn a_halted_market_says_that_it_is_closed() {
    let (world, alice, _) = World::open();
    let id = alice.rest("SELL", "1", "50000");
    world.done("PUT", "/markets/BTCUSDT", &json!({"status": "CANCEL_ONLY"}));
    alice.place("side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=100").assert_error(
        400,
        -2010,
        "Market is closed.",
    );
    assert_eq!(world.get("/api/v3/exchangeInfo").ok()["symbols"][0]["status"], "CANCEL_ONLY");
    alice.send("DELETE", ORDER, &format!("symbol=BTCUSDT&orderId={id}")).ok();
}

#[test]
fn cancels_can_be_restricted() {
    let (_world, alice, bob) = World::open();
    let id = alice.rest("SELL", "1", "50000");
    bob.place("side=BUY&type=MARKET&quantity=0.4").ok();
    let cancel = |restriction: &str| {
        let params = format!("symbol=BTCUSDT&orderId={id}&cancelRestrictions={restriction}");
        alice.send("DELETE", ORDER, &params)
    };
    cancel("ONLY_NEW").assert_error(400, -2011, "Order was not canceled due to cancel restrictions.");
    let cancelled = cancel("ONLY_PARTIALLY_FILLED").ok();
    assert_eq!(cancelled["executedQty"], "0.40000000");
    assert_eq!(cancelled["cummulativeQuoteQty"], "20000.000000");
}

#[test]
fn all_orders_of_a_market_are_cancelled_at_once() {
    let (_world, alice, bob) = World::open();
    let mine = [alice.rest("SELL", "1", "50000"), alice.rest("BUY", "1", "49000")];
    let other = bob.rest("SELL", "1", "50000");
    let cancelled = alice.send("DELETE", "/api/v3/openOrders", "symbol=BTCUSDT").ok();
    let ids: Vec<u64> =
        cancelled.as_array().unwrap().iter().map(|order| order["orderId"].as_u64().unwrap()).collect();
    assert_eq!(ids, mine);
    assert_eq!(cancelled[1]["side"], "BUY");
    assert_eq!(bob.get("/api/v3/openOrders", "").ok()[0]["orderId"], other);
    alice.send("DELETE", "/api/v3/openOrders", "symbol=BTCUSDT").assert_error(
        400,
        -2011,
        "Unknown order sent.",
    );
}

#[test]
fn a_replacement_has_five_outcomes() {
    let (_world, alice, bob) = World::open();
    bob.rest("SELL", "1", "50000");
    let replace = |id: u64, mode: &str, order: &str| {
        let params = format!("symbol=BTCUSDT&cancelReplaceMode={mode}&cancelOrderId={id}&{order}");
        alice.send("POST", "/api/v3/order/cancelReplace", &params)
    };
    let good = "side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=48000";
    let taking = "side=BUY&type=LIMIT_MAKER&quantity=0.1&price=50000";

    let id = alice.rest("BUY", "0.1", "47000");
    let both =
        replace(id, "STOP_ON_FAILURE", &format!("{good}&cancelNewClientOrderId=c&newClientOrderId=n")).ok();
    assert_eq!((&both["cancelResult"], &both["newOrderResult"]), (&json!("SUCCESS"), &json!("SUCCESS")));
    assert_eq!(both["cancelResponse"]["orderId"], id);
    assert_eq!(both["cancelResponse"]["clientOrderId"], "c");
    assert_eq!(both["cancelResponse"]["status"], "CANCELED");
    assert_eq!(both["newOrderResponse"]["clientOrderId"], "n");
    assert_eq!(both["newOrderResponse"]["fills"], json!([]));

    let id = both["newOrderResponse"]["orderId"].as_u64().unwrap();
    let cancelled_only = replace(id, "STOP_ON_FAILURE", taking);
    cancelled_only.assert_error(409, -2021, "Order cancel-replace partially failed.");
    let data = &cancelled_only.body["data"];
    assert_eq!((&data["cancelResult"], &data["newOrderResult"]), (&json!("SUCCESS"), &json!("FAILURE")));
    assert_eq!(data["cancelResponse"]["orderId"], id);
    assert_eq!(
        data["newOrderResponse"],
        json!({"code": -2010, "msg": "Order would immediately match and take."})
    );

    let placed_only = replace(id, "ALLOW_FAILURE", good);
    placed_only.assert_error(409, -2021, "Order cancel-replace partially failed.");
    let data = &placed_only.body["data"];
    assert_eq!((&data["cancelResult"], &data["newOrderResult"]), (&json!("FAILURE"), &json!("SUCCESS")));
    assert_eq!(data["cancelResponse"], json!({"code": -2011, "msg": "Unknown order sent."}));
    assert_eq!(data["newOrderResponse"]["status"], "NEW");

    let neither = replace(id, "ALLOW_FAILURE", taking);
    neither.assert_error(400, -2022, "Order cancel-replace failed.");
    assert_eq!(neither.body["data"]["newOrderResult"], "FAILURE");
    assert_eq!(neither.body["data"]["newOrderResponse"]["code"], -2010);

    let stopped = replace(id, "STOP_ON_FAILURE", good);
    stopped.assert_error(400, -2022, "Order cancel-replace failed.");
    assert_eq!(stopped.body["data"]["newOrderResult"], "NOT_ATTEMPTED");
    assert_eq!(stopped.body["data"]["newOrderResponse"], Value::Null);

    let id = alice.rest("BUY", "0.1", "47000");
    let filtered =
        replace(id, "STOP_ON_FAILURE", "side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=100");
    filtered.assert_error(400, -1013, "Filter failure: NOTIONAL");
    assert_eq!(alice.get(ORDER, &format!("symbol=BTCUSDT&orderId={id}")).ok()["status"], "NEW", "untouched");
}

#[test]
fn an_amendment_keeps_the_order_and_makes_it_smaller() {
    let (_world, alice, bob) = World::open();
    let placed = alice
        .place("side=SELL&type=LIMIT&timeInForce=GTC&quantity=1&price=50000&newClientOrderId=before")
        .ok();
    let id = placed["orderId"].as_u64().unwrap();
    bob.place("side=BUY&type=MARKET&quantity=0.2").ok();
    let amend = |more: &str| {
        let params = format!("symbol=BTCUSDT&orderId={id}&{more}");
        alice.send("PUT", "/api/v3/order/amend/keepPriority", &params)
    };
    let amended = amend("newQty=0.6").ok();
    assert_fields(&amended, "transactTime executionId amendedOrder");
    let order = &amended["amendedOrder"];
    assert_fields(
        order,
        "symbol orderId orderListId origClientOrderId clientOrderId price qty executedQty preventedQty quoteOrderQty \
         cumulativeQuoteQty status timeInForce type side workingTime selfTradePreventionMode",
    );
    assert_eq!(order["origClientOrderId"], "before");
    assert_eq!(order["clientOrderId"].as_str().unwrap().len(), 22, "a new name");
    assert_eq!((&order["qty"], &order["executedQty"]), (&json!("0.60000000"), &json!("0.20000000")));
    assert_eq!(order["status"], "PARTIALLY_FILLED");
    let again = amend("newQty=0.5&newClientOrderId=after").ok();
    assert_eq!(again["amendedOrder"]["origClientOrderId"], order["clientOrderId"]);
    assert_eq!(alice.get(ORDER, "symbol=BTCUSDT&origClientOrderId=after").ok()["origQty"], "0.50000000");

    amend("newQty=0.5").assert_error(400, -2038, "The requested action would change no state; rejecting.");
    amend("newQty=0.7").assert_error(400, -2038, "Order amend (quantity increase) is not supported.");
    let expired = amend("newQty=0.2").ok();
    assert_eq!(expired["amendedOrder"]["status"], "EXPIRED");
    assert_eq!(expired["amendedOrder"]["expiryReason"], "EXCHANGE_CANCELED");
    amend("newQty=0.1").assert_error(400, -2038, "Unknown order sent.");
}

#[test]
fn a_test_order_changes_nothing() {
    let (_world, alice, _) = World::open();
    let test = |params: &str| alice.send("POST", "/api/v3/order/test", &format!("symbol=BTCUSDT&{params}"));
    let limit = "side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=50000";
    assert_eq!(test(limit).ok(), json!({}));
    let rates = test(&format!("{limit}&computeCommissionRates=true")).ok();
    assert_eq!(rates["standardCommissionForOrder"], json!({"maker": "0.00100000", "taker": "0.00150000"}));
    test("side=BUY&type=LIMIT&quantity=1&price=50000").assert_error(
        400,
        -1102,
        "Mandatory parameter 'timeInForce' was not sent, was empty/null, or malformed.",
    );
    assert_eq!(alice.get("/api/v3/openOrders", "").ok(), json!([]));
}

#[test]
fn a_read_that_follows_a_write_sees_it() {
    let (world, alice, bob) = World::open();
    let threads: Vec<_> = [alice, bob]
        .into_iter()
        .map(|trader| {
            std::thread::spawn(move || {
                let mut connection = crate::http::Connection::open(trader.address);
                let order = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=10000";
                for round in 1..=100 {
                    let placed = trader.send_on(&mut connection, "POST", ORDER, order).ok();
                    let open = trader.send_on(&mut connection, "GET", "/api/v3/openOrders", "").ok();
                    let last = open.as_array().unwrap().last().unwrap();
                    assert_eq!(
                        (open.as_array().unwrap().len(), &last["orderId"]),
                        (round, &placed["orderId"])
                    );
                    let other = trader.send_on(&mut connection, "POST", ORDER, order).ok();
                    let cancel = format!("symbol=BTCUSDT&orderId={}", other["orderId"]);
                    let cancelled = trader.send_on(&mut connection, "DELETE", ORDER, &cancel).ok();
                    assert_eq!(cancelled["status"], "CANCELED");
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no round failed");
    }
    let depth = world.get("/api/v3/depth?symbol=BTCUSDT").ok();
    assert_eq!(depth["bids"], json!([["10000.00", "0.20000000"]]));
}

/// An order that waits is found, listed, shown as not working, and works once its price has come.
#[test]
fn an_order_waits_for_its_price_and_then_works() {
    let (world, alice, bob) = World::open();
    alice.rest("SELL", "1", "50000");
    bob.place("side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=50000").ok();
    let waits = "side=SELL&type=STOP_LOSS_LIMIT&timeInForce=GTC&quantity=0.5&price=48000&stopPrice=49000";
    let ack = bob.place(waits).ok();
    assert_fields(&ack, "symbol orderId orderListId clientOrderId transactTime");
    let id = ack["orderId"].as_u64().unwrap();
    let found = bob.get(ORDER, &format!("symbol=BTCUSDT&orderId={id}")).ok();
    assert_eq!((&found["type"], &found["status"]), (&"STOP_LOSS_LIMIT".into(), &"NEW".into()));
    assert_eq!((&found["stopPrice"], &found["price"]), (&"49000.00".into(), &"48000.00".into()));
    assert_eq!((&found["isWorking"], &found["workingTime"]), (&false.into(), &(-1).into()));
    assert_eq!(bob.get("/api/v3/openOrders", "symbol=BTCUSDT").ok(), json!([found]));

    // Nobody sees it in the book.
    assert_eq!(world.get("/api/v3/depth?symbol=BTCUSDT").ok()["asks"], json!([]));
    alice.rest("BUY", "1", "48500");
    bob.place("side=SELL&type=LIMIT&timeInForce=GTC&quantity=0.2&price=48500").ok();
    let triggered = bob.get(ORDER, &format!("symbol=BTCUSDT&orderId={id}")).ok();
    assert_eq!((&triggered["status"], &triggered["isWorking"]), (&"FILLED".into(), &true.into()));
    assert_eq!(triggered["workingTime"], triggered["updateTime"]);
    assert_eq!(triggered["executedQty"], "0.50000000");

    // A trailing one says how far it trails, and since when.
    let trailing =
        bob.place("side=SELL&type=STOP_LOSS&quantity=0.1&trailingDelta=500&newOrderRespType=RESULT").ok();
    assert_eq!((&trailing["type"], &trailing["trailingDelta"]), (&"STOP_LOSS".into(), &500.into()));
    assert_eq!(
        (&trailing["trailingTime"], &trailing["workingTime"]),
        (&trailing["transactTime"], &(-1).into())
    );
    let later = bob.place("side=SELL&type=STOP_LOSS&quantity=0.1&trailingDelta=500&stopPrice=48000").ok();
    let found = bob.get(ORDER, &format!("symbol=BTCUSDT&orderId={}", later["orderId"])).ok();
    assert_eq!((found.get("trailingTime"), &found["trailingDelta"]), (None, &500.into()));
    assert_eq!(found["stopPrice"], "48000.00");
    let at_once = bob.place("side=SELL&type=STOP_LOSS&quantity=0.1&stopPrice=48500");
    at_once.assert_error(400, -2010, "Order would trigger immediately.");

    // It is cancelled like any other.
    let cancelled = bob.send("DELETE", "/api/v3/openOrders", "symbol=BTCUSDT").ok();
    assert_eq!(cancelled.as_array().unwrap().len(), 2);
    assert_eq!(cancelled[0]["status"], "CANCELED");
    assert_eq!(cancelled[1]["stopPrice"], "48000.00");
}
