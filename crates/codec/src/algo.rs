//! Orders at contracts that wait for a price.

use model::{
    AlgoEndReason, AlgoOrder, AlgoOrderEnded, AlgoOrderTracks, AlgoOrderTriggered, AlgoPlaces, AlgoRef,
    AlgoTrigger, CancelAlgoOrder, CancelAllAlgoOrders, PlaceAlgoOrder, WorkingPrice,
};

use crate::{coded_enum, coded_sided_struct, coded_struct};

coded_enum!(AlgoTrigger, "a trigger of an algo order" {
    0 => Reaches { kind, trigger_ticks },
    1 => Trails { activation_ticks, callback_permille },
});
coded_enum!(AlgoPlaces, "what an algo order places" { 0 => Order { kind, reduce_only }, 1 => ClosesPosition });
coded_enum!(WorkingPrice, "a working price" { 0 => Contract, 1 => Mark });
coded_sided_struct!(AlgoOrder {
    algo,
    account,
    market,
    side,
    position_side,
    trigger,
    places,
    working_price,
    price_protect,
    self_trade_prevention,
    client_algo_id,
});
coded_sided_struct!(PlaceAlgoOrder {
    account,
    market,
    side,
    position_side,
    trigger,
    places,
    working_price,
    price_protect,
    self_trade_prevention,
    client_algo_id,
    valid_until_ns,
});
coded_enum!(AlgoRef, "an algo order reference" { 0 => Id(id), 1 => Client(name) });
coded_struct!(CancelAlgoOrder { account, algo, valid_until_ns });
coded_struct!(CancelAllAlgoOrders { account, market, valid_until_ns });
coded_struct!(AlgoOrderTracks { algo, account, market, price_ticks });
coded_struct!(AlgoOrderTriggered { algo, account, market, price_ticks, order });
coded_enum!(AlgoEndReason, "an end reason of an algo order" {
    0 => Canceled,
    1 => PositionGone,
    2 => Liquidated,
    3 => Deleveraged,
    4 => Refused { reject },
});
coded_struct!(AlgoOrderEnded { algo, account, market, reason });
