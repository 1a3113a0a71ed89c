//! Market data, accounts and reference data over the wire, in the shapes that clients read (clients.md 1.4).

use serde_json::{Value, json};

use crate::world::{World, assert_fields};

/// Two levels a side, and three trades: two of one taker at one price, one at another.
fn traded() -> (World, crate::http::Trader, crate::http::Trader) {
    let (world, alice, bob) = World::open();
    alice.rest("SELL", "0.1", "50000");
    alice.rest("SELL", "0.2", "50000");
    alice.rest("SELL", "0.5", "50100");
    alice.rest("SELL", "1", "50200");
    bob.rest("BUY", "1", "49900");
    bob.rest("BUY", "2", "49800");
    bob.place("side=BUY&type=MARKET&quantity=0.4").ok();
    (world, alice, bob)
}

#[test]
fn depth_has_the_best_first() {
    let (world, ..) = traded();
    let depth = world.get("/api/v3/depth?symbol=BTCUSDT").ok();
    assert_eq!(depth["bids"], json!([["49900.00", "1.00000000"], ["49800.00", "2.00000000"]]));
    assert_eq!(depth["asks"], json!([["50100.00", "0.40000000"], ["50200.00", "1.00000000"]]));
    assert!(depth["lastUpdateId"].as_u64().unwrap() > 0);
    let one = world.get("/api/v3/depth?symbol=BTCUSDT&limit=1").ok();
    assert_eq!(one["bids"].as_array().unwrap().len(), 1);
}

#[test]
fn trades_single_and_aggregated() {
    let (world, ..) = traded();
    let trades = world.get("/api/v3/trades?symbol=BTCUSDT").ok();
    assert_eq!(trades.as_array().unwrap().len(), 3);
    assert_fields(&trades[0], "id price qty quoteQty time isBuyerMaker isBestMatch");
    assert_eq!((&trades[2]["id"], &trades[2]["quoteQty"]), (&json!(3), &json!("5010.000000")));
    assert_eq!(trades[0]["isBuyerMaker"], false);
    let from = world.get("/api/v3/historicalTrades?symbol=BTCUSDT&fromId=2&limit=1").ok();
    assert_eq!((from.as_array().unwrap().len(), &from[0]["id"]), (1, &json!(2)));

    let aggs = world.get("/api/v3/aggTrades?symbol=BTCUSDT").ok();
    assert_eq!(aggs.as_array().unwrap().len(), 2);
    assert_fields(&aggs[0], "a p q f l T m M");
    assert_eq!(aggs[0]["q"], "0.30000000");
    assert_eq!((&aggs[0]["f"], &aggs[0]["l"]), (&json!(1), &json!(2)));
    let time = aggs[1]["T"].as_u64().unwrap();
    let range = |start: u64, end: u64| {
        let target = format!("/api/v3/aggTrades?symbol=BTCUSDT&startTime={start}&endTime={end}");
        world.get(&target).ok().as_array().unwrap().len()
    };
    assert_eq!(range(time, time), 2, "both ends belong to the range");
    assert_eq!(range(time + 1, time + 1_000), 0);
    let combined = world.get(&format!("/api/v3/aggTrades?symbol=BTCUSDT&fromId=1&startTime={time}"));
    combined.assert_error(400, -1128, "Combination of optional parameters invalid.");
}

#[test]
fn candles_are_arrays_of_twelve() {
    let (world, ..) = traded();
    for path in ["klines", "uiKlines"] {
        let candles = world.get(&format!("/api/v3/{path}?symbol=BTCUSDT&interval=1d")).ok();
        let candle = candles[0].as_array().unwrap();
        assert_eq!(candle.len(), 12);
        assert_eq!(
            candle[1..6],
            json!(["50000.00", "50100.00", "50000.00", "50100.00", "0.40000000"]).as_array().unwrap()[..]
        );
        assert_eq!(candle[6].as_u64().unwrap() - candle[0].as_u64().unwrap(), 86_399_999);
        assert_eq!(
            candle[7..],
            json!(["20010.000000", 3, "0.40000000", "20010.000000", "0"]).as_array().unwrap()[..]
        );
    }
    world.get("/api/v3/klines?symbol=BTCUSDT&interval=7m").assert_error(400, -1120, "Invalid interval.");
    let shifted = world.get("/api/v3/klines?symbol=BTCUSDT&interval=1d&timeZone=8").ok();
    assert_eq!(shifted[0][0].as_u64().unwrap() % 86_400_000, 16 * 3_600_000);
}

#[test]
fn tickers_of_one_of_some_and_of_all() {
    let (world, ..) = traded();
    let full = world.get("/api/v3/ticker/24hr?symbol=BTCUSDT").ok();
    assert_fields(
        &full,
        "symbol priceChange priceChangePercent weightedAvgPrice prevClosePrice lastPrice lastQty bidPrice bidQty askPrice \
         askQty openPrice highPrice lowPrice volume quoteVolume openTime closeTime firstId lastId count",
    );
    assert_eq!((&full["priceChange"], &full["priceChangePercent"]), (&json!("100.00"), &json!("0.200")));
    assert_eq!(full["weightedAvgPrice"], "50025.000000");
    assert_eq!((&full["count"], &full["bidQty"]), (&json!(3), &json!("1.00000000")));
    let mini = world.get("/api/v3/ticker/24hr?type=MINI").ok();
    assert_fields(
        &mini[0],
        "symbol openPrice highPrice lowPrice lastPrice volume quoteVolume openTime closeTime count",
    );
    assert_eq!(mini[0]["bidPrice"], Value::Null);
    assert_eq!(world.get("/api/v3/ticker/24hr?type=HUGE&symbol=BTCUSDT").error().1, -1139);

    let price = json!({"symbol": "BTCUSDT", "price": "50100.00"});
    assert_eq!(world.get("/api/v3/ticker/price?symbol=BTCUSDT").ok(), price);
    assert_eq!(world.get("/api/v3/ticker/price").ok(), json!([price]));
    assert_eq!(world.get("/api/v3/ticker/price?symbols=%5B%22BTCUSDT%22%5D").ok(), json!([price]));
    assert_eq!(
        world.get("/api/v3/ticker/bookTicker?symbol=BTCUSDT").ok(),
        json!({"symbol": "BTCUSDT", "bidPrice": "49900.00", "bidQty": "1.00000000", "askPrice": "50100.00", "askQty": "0.40000000"})
    );
    let average = world.get("/api/v3/avgPrice?symbol=BTCUSDT").ok();
    assert_eq!((&average["mins"], &average["price"]), (&json!(5), &json!("50025.000000")));

    let both = world.get("/api/v3/ticker/price?symbol=BTCUSDT&symbols=%5B%22BTCUSDT%22%5D");
    assert_eq!(both.error().1, -1128);
    assert_eq!(world.get("/api/v3/ticker/price?symbols=%5B%22BTCUSDT%22,%22BTCUSDT%22%5D").error().1, -1151);
    assert_eq!(world.get("/api/v3/ticker/price?symbolStatus=HALT").ok(), json!([]));
    assert_eq!(world.get("/api/v3/ticker/price?symbol=BTCUSDT&symbolStatus=HALT").error().1, -1220);
}

#[test]
fn a_market_without_trades_has_zeros() {
    let (world, ..) = World::open();
    let ticker = world.get("/api/v3/ticker/24hr?symbol=BTCUSDT").ok();
    assert_eq!((&ticker["lastPrice"], &ticker["firstId"]), (&json!("0.00"), &json!(-1)));
    assert_eq!(world.get("/api/v3/klines?symbol=BTCUSDT&interval=1m").ok(), json!([]));
    assert_eq!(world.get("/api/v3/trades?symbol=BTCUSDT").ok(), json!([]));
    assert_eq!(world.get("/api/v3/avgPrice?symbol=BTCUSDT").ok()["price"], "0.00");
}

#[test]
fn an_account_sees_its_balances() {
    let (world, alice, _) = traded();
    world.done("POST", "/assets", &json!({"name": "DAI", "scale": 18}));
    let account = alice.get("/api/v3/account", "").ok();
    assert_fields(
        &account,
        "makerCommission takerCommission buyerCommission sellerCommission commissionRates canTrade canWithdraw canDeposit \
         brokered requireSelfTradePrevention preventSor updateTime accountType balances permissions uid",
    );
    assert_eq!((&account["makerCommission"], &account["takerCommission"]), (&json!(10), &json!(15)));
    assert_eq!(account["uid"], alice.account);
    let usdt = "1019989.990000";
    assert_eq!(
        account["balances"],
        json!([
            {"asset": "BTC", "free": "8.20000000", "locked": "1.40000000"},
            {"asset": "USDT", "free": usdt, "locked": "0.000000"},
            {"asset": "DAI", "free": "0.000000000000000000", "locked": "0.000000000000000000"},
        ])
    );
    let some = alice.get("/api/v3/account", "omitZeroBalances=true").ok();
    assert_eq!(some["balances"].as_array().unwrap().len(), 2);
    assert_eq!(alice.get("/api/v3/rateLimit/order", "").ok()[1]["limit"], 200_000);
    let commission = alice.get("/api/v3/account/commission", "symbol=BTCUSDT").ok();
    assert_eq!(commission["standardCommission"]["taker"], "0.00150000");
}

#[test]
fn histories_are_paged() {
    let (_world, alice, bob) = traded();
    let orders = alice.get("/api/v3/allOrders", "symbol=BTCUSDT").ok();
    assert_eq!(orders.as_array().unwrap().len(), 4);
    let second = &orders[1]["orderId"];
    let from = alice.get("/api/v3/allOrders", &format!("symbol=BTCUSDT&orderId={second}&limit=2")).ok();
    assert_eq!((from.as_array().unwrap().len(), &from[0]["orderId"]), (2, second));
    let long = alice.get("/api/v3/allOrders", "symbol=BTCUSDT&startTime=1000000000000&endTime=1000086400001");
    long.assert_error(400, -1127, "More than 24 hours between startTime and endTime.");

    let trades = bob.get("/api/v3/myTrades", "symbol=BTCUSDT&fromId=2").ok();
    assert_eq!((trades.as_array().unwrap().len(), &trades[0]["id"]), (2, &json!(2)));
    let mixed = bob.get("/api/v3/myTrades", "symbol=BTCUSDT&fromId=2&startTime=1");
    mixed.assert_error(400, -1128, "Combination of optional parameters invalid.");
}

#[test]
fn times_come_in_microseconds_when_asked() {
    let (world, alice, _) = traded();
    let mut connection = crate::http::Connection::open(world.public);
    let header = "X-MBX-TIME-UNIT: MICROSECOND\r\n";
    let time = connection.send("GET", "/api/v3/time", header, "").ok()["serverTime"].as_u64().unwrap();
    assert!((1_000_000_000_000_000..10_000_000_000_000_000).contains(&time), "{time}");
    let signed = alice.signed("symbol=BTCUSDT");
    let headers = format!("{header}{}", alice.key_header());
    let orders = connection.send("GET", &format!("/api/v3/allOrders?{signed}"), &headers, "").ok();
    assert!(orders[0]["time"].as_u64().unwrap() > 1_000_000_000_000_000);
    let wrong = connection.send("GET", "/api/v3/time", "X-MBX-TIME-UNIT: FORTNIGHT\r\n", "");
    assert_eq!(wrong.error().1, -1194);
}

#[test]
fn exchange_info_is_what_a_client_loads_from() {
    let (world, alice, _) = World::open();
    let info = world.get("/api/v3/exchangeInfo").ok();
    assert_fields(&info, "timezone serverTime rateLimits exchangeFilters symbols");
    assert_eq!(info["symbols"].as_array().unwrap().len(), 1);
    assert_eq!(world.get("/api/v3/exchangeInfo?symbol=BTCUSDT").ok()["symbols"], info["symbols"]);
    assert_eq!(world.get("/api/v3/exchangeInfo?permissions=%5B%22MARGIN%22%5D").ok()["symbols"], json!([]));
    assert_eq!(world.get("/api/v3/exchangeInfo?symbol=NOSUCH").error().1, -1121);
    assert_eq!(world.get("/api/v3/exchangeInfo?symbol=BTCUSDT&symbolStatus=TRADING").error().1, -1128);

    for path in ["/fapi/v1/exchangeInfo", "/dapi/v1/exchangeInfo"] {
        assert_eq!(world.get(path).ok()["symbols"], json!([]), "{path}");
    }
    for path in
        ["/sapi/v1/margin/allPairs", "/sapi/v1/margin/isolated/allPairs", "/sapi/v1/spot/delist-schedule"]
    {
        assert_eq!(alice.get(path, "").ok(), json!([]), "{path}");
    }
    assert_eq!(world.get("/sapi/v1/system/status").ok(), json!({"status": 0, "msg": "normal"}));
    let coins = alice.get("/sapi/v1/capital/config/getall", "").ok();
    assert_fields(&coins[0], "coin name free locked networkList depositAllEnable withdrawAllEnable trading");
    assert_eq!(coins[0]["networkList"][0]["withdrawIntegerMultiple"], "0.00000001");
    let fees = alice.get("/sapi/v1/asset/tradeFee", "").ok();
    assert_eq!(
        fees,
        json!([{"symbol": "BTCUSDT", "makerCommission": "0.00100000", "takerCommission": "0.00150000"}])
    );
    assert_eq!(world.get("/api/v3/ping").ok(), json!({}));
}

#[test]
fn parameters_that_are_not_known_are_refused() {
    let (world, ..) = World::open();
    world.get("/api/v3/time?a=1").assert_error(
        400,
        -1101,
        "Too many parameters; expected '0' and received '1'.",
    );
    world.get("/api/v3/depth?symbol=BTCUSDT&a=1").assert_error(
        400,
        -1104,
        "Not all sent parameters were read; read '1' parameter(s) but was sent '2'.",
    );
    world.get("/api/v3/depth?symbol=BTCUSDT&symbol=BTCUSDT").assert_error(
        400,
        -1101,
        "Duplicate values for a parameter detected.",
    );
    world.get("/api/v3/depth").assert_error(
        400,
        -1102,
        "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.",
    );
    world.get("/api/v3/depth?symbol=BTCUSDT&limit=").assert_error(400, -1105, "Parameter 'limit' was empty.");
    world.get("/api/v3/depth?symbol=BTCUSDT&limit=x").assert_error(
        400,
        -1100,
        "Illegal characters found in parameter 'limit'; legal range is '^[0-9]{1,20}$'.",
    );
    world.get("/api/v3/depth?symbol=btcusdt").assert_error(
        400,
        -1100,
        "Illegal characters found in parameter 'symbol'; legal range is '^[A-Z0-9-_.]{1,32}$'.",
    );
}

#[test]
fn the_document_is_served_to_everybody() {
    let (world, ..) = World::open();
    let document = world.get("/api/v3/openapi.json").ok();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["paths"]["/api/v3/order"]["post"]["operationId"], "postApiV3Order");
}
