//! Looking ahead at commands that will be refused.

use model::{
    AccountId, ClientOrderId, Command, Event, MarketId, OrderKind, PlaceContractOrder, PlaceOrder,
    PositionSide, QtyLots, Reject, SelfTradePrevention, Side, TimeNs,
};

use crate::story::Story;

/// Orders of spot at a contract, and the other way round, where somebody rests whom they would meet.
#[test]
fn whoever_takes_a_contract_for_a_spot_market_is_told() {
    let mut story = Story::default();
    for line in [
        "account house rich",
        "contract BTCUSDT_PERP tick 1 lot 0.1 reference 100 price 1..10000 band 0% with fund house source feed",
        "move alice 10000 USDT to futures",
        "alice sell 1 @ 100 on BTCUSDT_PERP",
        "alice sell 1 @ 100 on BTCUSDT_PERP",
    ] {
        story.tell(line);
    }
    let markets: Vec<_> = (0..2).map(MarketId).collect();
    let is_contract = |market: &MarketId| story.world.partition.catalog().contract(*market).is_some();
    let contract = *markets.iter().find(|market| is_contract(market)).expect("one is a contract");
    let spot = *markets.iter().find(|market| !is_contract(market)).expect("the other is not");
    let (account, side, kind) = (AccountId(2), Side::Buy, OrderKind::Market { qty_lots: QtyLots(5) });
    let (self_trade_prevention, client_order_id) = (SelfTradePrevention::None, ClientOrderId::EMPTY);
    let valid_until_ns = TimeNs::NEVER;
    let of_spot = Command::PlaceOrder(PlaceOrder {
        account,
        market: contract,
        side,
        kind,
        self_trade_prevention,
        client_order_id,
        valid_until_ns,
    });
    let of_contract = Command::PlaceContractOrder(PlaceContractOrder {
        account,
        market: spot,
        side,
        position_side: PositionSide::Both,
        kind,
        self_trade_prevention,
        reduce_only: false,
        client_order_id,
        valid_until_ns,
    });
    let reject_of = |events: &[Event]| match events {
        [Event::Rejected { reject, .. }] => *reject,
        other => panic!("a refusal, not {other:?}"),
    };
    // Each where the one has fewer orders than the place of the best at the other.
    assert_eq!(reject_of(&story.world.apply(of_spot)), Reject::IsContract { market: contract });
    for price in (100..105).rev() {
        let told = story.tell(&format!("alice sell 1 @ {price} on BTCUSDT"));
        assert!(told[0].starts_with("rests"), "{told:?}");
    }
    assert_eq!(reject_of(&story.world.apply(of_contract)), Reject::NotContract { market: spot });
}
