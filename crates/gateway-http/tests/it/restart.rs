//! The same answers before and after a restart: keys, orders, market data.

use crate::http::Trader;
use crate::world::World;

#[test]
fn everything_is_answered_as_before() {
    let (world, alice, bob) = World::open();
    alice.rest("SELL", "1", "50000");
    bob.place("side=BUY&type=MARKET&quantity=0.3").ok();
    bob.rest("BUY", "1", "49000");

    let ask = |world: &World| {
        let public = [
            "/api/v3/depth?symbol=BTCUSDT",
            "/api/v3/trades?symbol=BTCUSDT",
            "/api/v3/aggTrades?symbol=BTCUSDT",
            "/api/v3/klines?symbol=BTCUSDT&interval=1M",
            "/api/v3/ticker/price",
            "/api/v3/ticker/bookTicker",
        ];
        let signed = ["/api/v3/openOrders", "/api/v3/allOrders", "/api/v3/myTrades"];
        let mut answers: Vec<_> = public.iter().map(|target| world.get(target).ok()).collect();
        for trader in [&alice, &bob] {
            let trader = Trader { address: world.public, ..trader.clone() };
            answers.extend(signed.iter().map(|path| trader.get(path, "symbol=BTCUSDT").ok()));
            answers.push(trader.get("/api/v3/account", "").ok()["balances"].clone());
        }
        answers
    };
    let before = ask(&world);
    let world = world.restart();
    assert_eq!(ask(&world), before);
    // And it goes on.
    let alice = Trader { address: world.public, ..alice.clone() };
    alice.rest("SELL", "0.1", "50000");
    let world = world.restart();
    let alice = Trader { address: world.public, ..alice };
    let open = alice.get("/api/v3/openOrders", "").ok();
    assert_eq!(open.as_array().unwrap().len(), 2);
}
