//! Entries that name a perpetual contract: from fields to commands. The fields are the parameters of Binance's `POST /fapi/v1/order`;
//! an order that waits for a price may have the names of `algoOrder` as well, where that endpoint has others.

use dialect::{ApiError, Caller, Listing, Params, algo_orders, contract_orders};
use model::{CancelAlgoAt, ClientOrderId, Command, OrderCommand};

use super::EVERY;

/// Fields of an order that goes to the book at once.
const PLACE: &[&str] = &[
    "side",
    "positionSide",
    "type",
    "timeInForce",
    "goodTillDate",
    "quantity",
    "price",
    "reduceOnly",
    "closePosition",
    "newClientOrderId",
    "selfTradePreventionMode",
    "priceMatch",
];
/// And of one that waits for a price.
const WAIT: &[&str] =
    &["triggerPrice", "activatePrice", "callbackRate", "workingType", "priceProtect", "clientAlgoId"];
/// What those are called at `POST /fapi/v1/order`, and at `algoOrder`.
const NAMES: [(&str, &str); 3] = [
    ("stopPrice", "triggerPrice"),
    ("activationPrice", "activatePrice"),
    ("newClientOrderId", "clientAlgoId"),
];
const CANCEL: &[&str] = &["orderId", "origClientOrderId", "algoId", "clientAlgoId"];
const AMEND: &[&str] =
    &["orderId", "origClientOrderId", "quantity", "price", "timeInForce", "selfTradePreventionMode"];

/// What an entry asks for at a contract. `pairs` are its fields, of which none comes twice.
pub(super) fn command(
    pairs: &[(&str, &str)],
    listing: &Listing,
    caller: Caller,
    new_id: impl Fn() -> Result<ClientOrderId, ApiError>,
) -> Result<OrderCommand, ApiError> {
    let params = Params::of_pairs(pairs.iter().copied())?;
    match params.optional("action")? {
        None | Some("NEW") => match params.required("type")? {
            "STOP" | "STOP_MARKET" | "TAKE_PROFIT" | "TAKE_PROFIT_MARKET" | "TRAILING_STOP_MARKET" => {
                place_algo(pairs, listing, caller, new_id)
            }
            _ => place(&params, listing, caller, new_id),
        },
        Some("CANCEL") => {
            params.allow(&[EVERY, CANCEL].concat())?;
            cancel(&params, listing, caller)
        }
        Some("CANCEL_ALL") => {
            params.allow(EVERY)?;
            Ok(OrderCommand::CancelAll(contract_orders::cancel_all(listing, caller)))
        }
        Some("CANCEL_ALL_ALGO") => {
            params.allow(EVERY)?;
            Ok(OrderCommand::CancelAllAlgos(algo_orders::cancel_all(listing, caller)))
        }
        Some("AMEND") => {
            params.allow(&[EVERY, AMEND].concat())?;
            Ok(OrderCommand::Modify(contract_orders::modify_unseen(&params, listing, caller)?))
        }
        Some("CANCEL_REPLACE") => Err(ApiError::new(
            -1130,
            "CANCEL_REPLACE is for spot markets; AMEND gives an order at a contract another price or another quantity.",
        )),
        Some(_) => Err(ApiError::invalid_value("action")),
    }
}

fn place(
    params: &Params<'_>,
    listing: &Listing,
    caller: Caller,
    new_id: impl Fn() -> Result<ClientOrderId, ApiError>,
) -> Result<OrderCommand, ApiError> {
    let of_waiting = NAMES.iter().map(|(here, _)| *here).filter(|name| *name != "newClientOrderId");
    let mut unwanted: Vec<&str> = of_waiting.chain(WAIT.iter().copied()).collect();
    if params.sent("timeInForce") != Some("GTD") {
        unwanted.push("goodTillDate");
    }
    if let Some(name) = unwanted.into_iter().find(|name| params.sent(name).is_some()) {
        return Err(ApiError::not_required(name));
    }
    params.allow(&[EVERY, PLACE].concat())?;
    match contract_orders::place(params, listing, caller, new_id)?.command {
        Command::PlaceContractOrder(place) => Ok(OrderCommand::PlaceContract(place)),
        Command::PlaceGoodTillDate(place) => Ok(OrderCommand::PlaceGoodTillDate(*place)),
        other => unreachable!("{} places no order at a contract", other.name()),
    }
}

/// An order that waits for a price; `stopPrice` and `triggerPrice` are the same, and one of them is enough.
fn place_algo(
    pairs: &[(&str, &str)],
    listing: &Listing,
    caller: Caller,
    new_id: impl Fn() -> Result<ClientOrderId, ApiError>,
) -> Result<OrderCommand, ApiError> {
    let name = |sent| NAMES.iter().find(|(here, _)| *here == sent).map_or(sent, |(_, there)| *there);
    let named: Vec<(&str, &str)> = pairs.iter().map(|(sent, value)| (name(*sent), *value)).collect();
    let both = NAMES.iter().find(|(_, there)| named.iter().filter(|(name, _)| name == there).count() > 1);
    if let Some((here, there)) = both {
        let message = format!("'{here}' and '{there}' are the same; send one of them.");
        return Err(ApiError::new(-1101, message));
    }
    let params = Params::of_pairs(named.iter().copied())?;
    if params.sent("goodTillDate").is_some() {
        return Err(ApiError::not_required("goodTillDate"));
    }
    params.allow(&[EVERY, PLACE, WAIT].concat())?;
    Ok(OrderCommand::PlaceAlgo(algo_orders::place(&params, listing, caller, new_id)?))
}

/// Of an order, or of one that waits for a price.
fn cancel(params: &Params<'_>, listing: &Listing, caller: Caller) -> Result<OrderCommand, ApiError> {
    let is_sent = |names: [&str; 2]| names.into_iter().any(|name| params.sent(name).is_some());
    match (is_sent(["orderId", "origClientOrderId"]), is_sent(["algoId", "clientAlgoId"])) {
        (true, true) => Err(ApiError::bad_combination()),
        (_, false) => Ok(OrderCommand::Cancel(contract_orders::cancel(params, listing, caller)?)),
        (false, true) => {
            let (market, cancel) = (listing.market, algo_orders::cancel(params, caller)?);
            Ok(OrderCommand::CancelAlgo(CancelAlgoAt { market, cancel }))
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{
        AlgoPlaces, AlgoRef, AlgoTrigger, OrderAction, OrderKind, OrderRef, PositionSide, PriceTicks,
        QtyLots, SelfTradePrevention, TimeInForce, TimeNs, TriggerKind, WorkingPrice,
    };

    use crate::entry::tests::{asked, asked_of};
    use crate::settings::Only;

    use super::*;

    const LIMIT: &str =
        "account=alice symbol=BTCUSDT market=futures side=BUY type=LIMIT quantity=0.5 price=50000";
    const STOP: &str = "account=alice symbol=BTCUSDT market=futures side=SELL type=STOP_MARKET";

    fn of(text: &str) -> Result<OrderCommand, (i32, String)> {
        let fields: Vec<(&str, &str)> =
            text.split(' ').map(|pair| pair.split_once('=').expect("a name and a value")).collect();
        asked(&fields)
    }

    fn with(first: &str, more: &str) -> Result<OrderCommand, (i32, String)> {
        of(&format!("{first} {more}"))
    }

    #[test]
    fn an_order_at_a_contract_becomes_a_command() {
        let Ok(OrderCommand::PlaceContract(place)) =
            with(LIMIT, "timeInForce=GTX positionSide=LONG reduceOnly=false")
        else {
            panic!("it is an order")
        };
        let (qty_lots, price_ticks) = (QtyLots(500), PriceTicks(1_000_000));
        assert_eq!(place.kind, OrderKind::LimitMaker { qty_lots, price_ticks });
        assert_eq!((place.market.0, place.position_side), (1, PositionSide::Long));
        assert_eq!(place.self_trade_prevention, SelfTradePrevention::ExpireMaker);
        assert_eq!(place.client_order_id.as_str(), "r0-1700000000123-5", "the entry gives it a name");

        let Ok(OrderCommand::PlaceGoodTillDate(place)) =
            with(LIMIT, "timeInForce=GTD goodTillDate=1800000000000 newClientOrderId=mine")
        else {
            panic!("it has a date")
        };
        assert_eq!(place.good_till_ns, TimeNs::from_millis(1_800_000_000_000));
        assert_eq!(place.client_order_id.as_str(), "mine");

        let market =
            "account=alice symbol=BTCUSDT market=futures side=SELL type=MARKET quantity=1 reduceOnly=true";
        let Ok(OrderCommand::PlaceContract(place)) = of(market) else { panic!("it is an order") };
        assert!(place.reduce_only);
        assert_eq!(place.kind, OrderKind::Market { qty_lots: QtyLots(1_000) });
    }

    #[test]
    fn an_order_that_waits_has_the_names_of_either_endpoint() {
        let (kind, trigger_ticks) = (TriggerKind::StopLoss, PriceTicks(980_000));
        for more in [
            "stopPrice=49000 newClientOrderId=mine workingType=MARK_PRICE closePosition=true",
            "triggerPrice=49000 clientAlgoId=mine workingType=MARK_PRICE closePosition=true",
        ] {
            let Ok(OrderCommand::PlaceAlgo(stop)) = with(STOP, more) else { panic!("it waits: {more}") };
            assert_eq!(stop.trigger, AlgoTrigger::Reaches { kind, trigger_ticks });
            assert_eq!((stop.places, stop.working_price), (AlgoPlaces::ClosesPosition, WorkingPrice::Mark));
            assert_eq!(stop.client_algo_id.as_str(), "mine");
        }
        let trailing = "account=alice symbol=BTCUSDT market=futures side=SELL type=TRAILING_STOP_MARKET \
            quantity=0.5 callbackRate=1.5 activationPrice=51000";
        let Ok(OrderCommand::PlaceAlgo(trails)) = of(trailing) else { panic!("it trails") };
        let activation_ticks = Some(PriceTicks(1_020_000));
        assert_eq!(trails.trigger, AlgoTrigger::Trails { activation_ticks, callback_permille: 15 });
        assert_eq!(trails.client_algo_id.as_str(), "r0-1700000000123-5");
    }

    #[test]
    fn orders_are_cancelled_and_modified() {
        let at = |more: &str| of(&format!("account=alice symbol=BTCUSDT market=futures {more}")).unwrap();
        let Ok(OrderCommand::Cancel(cancel)) = Ok::<_, ()>(at("action=CANCEL orderId=4")) else {
            panic!("it is a cancel")
        };
        assert_eq!((cancel.market.0, cancel.order), (1, OrderRef::Id(model::OrderId(4))));
        let OrderCommand::CancelAlgo(cancel) = at("action=CANCEL clientAlgoId=mine") else {
            panic!("it is the cancel of one that waits")
        };
        assert_eq!(cancel.cancel.algo, AlgoRef::Client(ClientOrderId::new("mine").unwrap()));
        assert_eq!(at("action=CANCEL_ALL").action(), OrderAction::CancelAll);
        assert_eq!(at("action=CANCEL_ALL_ALGO").action(), OrderAction::CancelAllAlgos);
        for (time_in_force, maker_only) in [("GTC", false), ("GTD", false), ("GTX", true)] {
            let amend =
                format!("action=AMEND orderId=4 quantity=0.25 price=50001 timeInForce={time_in_force}");
            let OrderCommand::Modify(modify) = at(&amend) else { panic!("it is modified") };
            assert_eq!((modify.qty_lots, modify.price_ticks), (QtyLots(250), PriceTicks(1_000_020)));
            assert_eq!(modify.maker_only, maker_only);
            assert_eq!(modify.self_trade_prevention, SelfTradePrevention::ExpireMaker);
        }
    }

    /// As spot entries always did, so that a contract that is listed under the name of a spot market changes nothing for them.
    #[test]
    fn a_name_that_both_have_means_the_spot_market() {
        let order =
            "account=alice symbol=BTCUSDT side=BUY type=LIMIT timeInForce=GTC quantity=0.5 price=50000";
        assert!(matches!(of(order), Ok(OrderCommand::Place(_))));
        assert!(matches!(with(order, "market=spot"), Ok(OrderCommand::Place(_))));
        assert!(matches!(with(order, "market=futures"), Ok(OrderCommand::PlaceContract(_))));
        assert_eq!(with(order, "market=margin").unwrap_err().0, -1130);
        let alone = order.replace("BTCUSDT", "SOLUSDT");
        assert!(matches!(of(&alone), Ok(OrderCommand::PlaceContract(_))), "no spot market has this name");
        assert_eq!(with(&alone, "market=spot").unwrap_err().0, -1121);
        let only = Only::Contract("BTCUSDT".to_owned());
        let fields = |text: &'static str| -> Vec<(&str, &str)> {
            text.split(' ').map(|pair| pair.split_once('=').unwrap()).collect()
        };
        let unnamed = fields("account=alice side=BUY type=MARKET quantity=0.5");
        assert!(matches!(asked_of(Some(&only), &unnamed), Ok(OrderCommand::PlaceContract(_))));
        for (more, told) in [
            (
                "market=spot",
                "This stream is for the contract BTCUSDT; orders for another market go to another one.",
            ),
            (
                "symbol=SOLUSDT",
                "This stream is for the contract BTCUSDT; orders for SOLUSDT go to another one.",
            ),
        ] {
            let error = asked_of(Some(&only), &[&unnamed[..], &fields(more)].concat()).unwrap_err();
            assert_eq!(error, (-1130, told.to_owned()));
        }
    }

    #[test]
    fn what_makes_no_sense_at_a_contract_is_refused_with_the_reason() {
        let limit = format!("{LIMIT} timeInForce=GTC");
        let at = |more: &str| of(&format!("account=alice symbol=BTCUSDT market=futures {more}"));
        for (outcome, code) in [
            (with(LIMIT, "positionSide=LONG"), -1102),
            (with(&limit, "quoteOrderQty=5"), -1104),
            (with(&limit, "stopPrice=5"), -1106),
            (with(&limit, "triggerPrice=5"), -1106),
            (with(&limit, "workingType=MARK_PRICE"), -1106),
            (with(&limit, "goodTillDate=5"), -1106),
            (with(&limit, "closePosition=true"), -1106),
            (with(LIMIT, "timeInForce=GTD"), -1102),
            (with(STOP, "quantity=1"), -1102),
            (with(STOP, "quantity=1 stopPrice=5 goodTillDate=5"), -1106),
            (with(STOP, "quantity=1 stopPrice=5 callbackRate=1"), -1106),
            (with(STOP, "quantity=1 stopPrice=5 icebergQty=1"), -1104),
            (at("side=BUY type=LIMIT_MAKER quantity=1 price=5"), -1116),
            (at("action=CANCEL"), -1102),
            (at("action=CANCEL orderId=4 algoId=4"), -1128),
            (at("action=CANCEL orderId=4 cancelRestrictions=ONLY_NEW"), -1104),
            (at("action=CANCEL_ALL orderId=4"), -1104),
            (at("action=AMEND orderId=4 quantity=1 price=5"), -1102),
            (at("action=AMEND orderId=4 quantity=1 price=5 timeInForce=IOC"), -1115),
            (at("action=BUY"), -1130),
        ] {
            assert_eq!(outcome.unwrap_err().0, code);
        }
        let twice = with(STOP, "quantity=1 stopPrice=5 triggerPrice=5").unwrap_err();
        assert_eq!(
            twice,
            (-1101, "'stopPrice' and 'triggerPrice' are the same; send one of them.".to_owned())
        );
        let replace = at("action=CANCEL_REPLACE cancelOrderId=4").unwrap_err();
        assert!(replace.1.contains("AMEND gives an order at a contract"), "{replace:?}");
        let spot = of("account=alice symbol=BTCUSDT action=CANCEL_ALL_ALGO").unwrap_err();
        assert!(spot.1.contains("market=futures"), "{spot:?}");
        let Ok(OrderCommand::PlaceContract(place)) = of(&limit) else { panic!("it is an order") };
        let (qty_lots, price_ticks, time_in_force) = (QtyLots(500), PriceTicks(1_000_000), TimeInForce::Gtc);
        assert_eq!(place.kind, OrderKind::Limit { qty_lots, price_ticks, time_in_force });
    }
}
