//! Orders at perpetual contracts that wait for a price, from parameters to commands, and as they are shown. Source: Binance USD-M "New Algo Order".

use model::{
    AlgoId, AlgoPlaces, AlgoRef, AlgoTrigger, CancelAlgoOrder, CancelAllAlgoOrders, ClientOrderId, OrderKind,
    PlaceAlgoOrder, PriceTicks, QtyLots, TimeInForce, TriggerKind, WorkingPrice,
};
use views::{AlgoOrder, AlgoStatus};

use crate::contract_orders::{position_side, price, quantity, self_trade_prevention};
use crate::decimal::{self, Decimal};
use crate::errors::ApiError;
use crate::listings::{Listing, decimal_refused};
use crate::orders::{Caller, client_order_id, side};
use crate::params::Params;

/// A new algo order. `new_id` makes up a name where the client gives none.
pub fn place(
    params: &Params<'_>,
    listing: &Listing,
    caller: Caller,
    new_id: impl Fn() -> Result<ClientOrderId, ApiError>,
) -> Result<PlaceAlgoOrder, ApiError> {
    if !matches!(params.optional("algoType")?, None | Some("CONDITIONAL")) {
        return Err(ApiError::invalid_value("algoType"));
    }
    if !matches!(params.optional("priceMatch")?, None | Some("NONE")) {
        return Err(ApiError::invalid_value("priceMatch"));
    }
    let order_type = params.required("type")?;
    let working_price = match params.optional("workingType")? {
        None | Some("CONTRACT_PRICE") => WorkingPrice::Contract,
        Some("MARK_PRICE") => WorkingPrice::Mark,
        Some(_) => return Err(ApiError::invalid_value("workingType")),
    };
    Ok(PlaceAlgoOrder {
        account: caller.account,
        market: listing.market,
        side: side(params.required("side")?)?,
        position_side: position_side(params)?,
        trigger: trigger(params, listing, order_type)?,
        places: places(params, listing, order_type)?,
        working_price,
        price_protect: flag(params, "priceProtect")?,
        self_trade_prevention: self_trade_prevention(params)?,
        client_algo_id: client_order_id(params, "clientAlgoId")?.map_or_else(new_id, Ok)?,
        valid_until_ns: caller.valid_until_ns,
    })
}

/// `true` or `false`, in capitals too, as some clients write it.
fn flag(params: &Params<'_>, name: &str) -> Result<bool, ApiError> {
    match params.optional(name)? {
        Some("TRUE") => Ok(true),
        Some("FALSE") => Ok(false),
        _ => params.flag(name),
    }
}

fn unwanted(params: &Params<'_>, names: &[&str]) -> Result<(), ApiError> {
    match names.iter().find(|name| params.sent(name).is_some()) {
        Some(name) => Err(ApiError::not_required(name)),
        None => Ok(()),
    }
}

fn trigger(params: &Params<'_>, listing: &Listing, order_type: &str) -> Result<AlgoTrigger, ApiError> {
    let kind = match order_type {
        "STOP" | "STOP_MARKET" => TriggerKind::StopLoss,
        "TAKE_PROFIT" | "TAKE_PROFIT_MARKET" => TriggerKind::TakeProfit,
        "TRAILING_STOP_MARKET" => {
            unwanted(params, &["triggerPrice"])?;
            let activation = params.optional("activatePrice")?;
            let activation_ticks =
                activation.map(|text| price(listing, "activatePrice", text)).transpose()?;
            // In per cent with one decimal.
            let rate = decimal::parse(params.required("callbackRate")?, 1)
                .map_err(|error| decimal_refused("callbackRate", error))?;
            let callback_permille =
                u16::try_from(rate).map_err(|_| ApiError::new(-2007, "Invalid callBack rate"))?;
            return Ok(AlgoTrigger::Trails { activation_ticks, callback_permille });
        }
        _ => return Err(ApiError::invalid_order_type()),
    };
    unwanted(params, &["activatePrice", "callbackRate"])?;
    let trigger_ticks = price(listing, "triggerPrice", params.required("triggerPrice")?)?;
    Ok(AlgoTrigger::Reaches { kind, trigger_ticks })
}

fn places(params: &Params<'_>, listing: &Listing, order_type: &str) -> Result<AlgoPlaces, ApiError> {
    let is_limit = matches!(order_type, "STOP" | "TAKE_PROFIT");
    if flag(params, "closePosition")? {
        unwanted(params, &["quantity", "reduceOnly", "price"])?;
        if is_limit || order_type == "TRAILING_STOP_MARKET" {
            return Err(ApiError::not_required("closePosition"));
        }
        return Ok(AlgoPlaces::ClosesPosition);
    }
    let reduce_only = flag(params, "reduceOnly")?;
    let qty_lots = quantity(listing, "quantity", params.required("quantity")?)?;
    if !is_limit {
        unwanted(params, &["price"])?;
        return Ok(AlgoPlaces::Order { kind: OrderKind::Market { qty_lots }, reduce_only });
    }
    let price_ticks = price(listing, "price", params.required("price")?)?;
    let limit = |time_in_force| OrderKind::Limit { qty_lots, price_ticks, time_in_force };
    let kind = match params.optional("timeInForce")? {
        None | Some("GTC") => limit(TimeInForce::Gtc),
        Some("IOC") => limit(TimeInForce::Ioc),
        Some("FOK") => limit(TimeInForce::Fok),
        Some("GTX") => OrderKind::LimitMaker { qty_lots, price_ticks },
        Some(_) => return Err(ApiError::invalid_time_in_force()),
    };
    Ok(AlgoPlaces::Order { kind, reduce_only })
}

/// Which algo order is meant: by number, or by name.
pub fn algo_ref(params: &Params<'_>) -> Result<AlgoRef, ApiError> {
    match (params.optional_number("algoId")?, client_order_id(params, "clientAlgoId")?) {
        (Some(id), _) => Ok(AlgoRef::Id(AlgoId(id))),
        (None, Some(name)) => Ok(AlgoRef::Client(name)),
        (None, None) => Err(ApiError::either("algoId", "clientAlgoId")),
    }
}

/// A cancel.
pub fn cancel(params: &Params<'_>, caller: Caller) -> Result<CancelAlgoOrder, ApiError> {
    let (account, valid_until_ns) = (caller.account, caller.valid_until_ns);
    Ok(CancelAlgoOrder { account, algo: algo_ref(params)?, valid_until_ns })
}

/// A cancel of all that wait at one contract.
pub const fn cancel_all(listing: &Listing, caller: Caller) -> CancelAllAlgoOrders {
    CancelAllAlgoOrders {
        account: caller.account,
        market: listing.market,
        valid_until_ns: caller.valid_until_ns,
    }
}

/// The names and figures of an algo order that answers and streams share.
pub struct Shown {
    /// `STOP`, `STOP_MARKET` and the others.
    pub order_type: &'static str,
    /// Of the order that it will place.
    pub time_in_force: &'static str,
    /// How much; zero where all of a position is closed.
    pub qty_lots: QtyLots,
    /// Of a limit; zero without.
    pub price_ticks: PriceTicks,
    /// The price that it waits for; zero of one that trails.
    pub trigger_ticks: PriceTicks,
    /// From which on one that trails follows the price, where that is known.
    pub activation_ticks: Option<PriceTicks>,
    /// By how much the price must turn, of one that trails.
    pub callback_permille: Option<u16>,
    /// It only makes the position smaller.
    pub reduce_only: bool,
    /// It closes all that there is.
    pub closes_position: bool,
    /// Which price it goes by.
    pub working_type: &'static str,
}

impl Shown {
    /// Those of one algo order.
    pub fn of(order: &AlgoOrder) -> Self {
        let accepted = &order.accepted;
        let (kind, reduce_only) = match accepted.places {
            AlgoPlaces::Order { kind, reduce_only } => (Some(kind), reduce_only),
            AlgoPlaces::ClosesPosition => (None, false),
        };
        let has_limit = kind.is_some_and(|kind| kind.price_ticks().is_some());
        let (order_type, trigger_ticks, activation_ticks, callback_permille) = match accepted.trigger {
            AlgoTrigger::Reaches { kind: TriggerKind::StopLoss, trigger_ticks } => {
                (if has_limit { "STOP" } else { "STOP_MARKET" }, trigger_ticks, None, None)
            }
            AlgoTrigger::Reaches { kind: TriggerKind::TakeProfit, trigger_ticks } => {
                (if has_limit { "TAKE_PROFIT" } else { "TAKE_PROFIT_MARKET" }, trigger_ticks, None, None)
            }
            AlgoTrigger::Trails { activation_ticks, callback_permille } => {
                let activation = activation_ticks.or(order.tracks_from);
                ("TRAILING_STOP_MARKET", PriceTicks::ZERO, activation, Some(callback_permille))
            }
        };
        Self {
            order_type,
            time_in_force: match kind {
                Some(OrderKind::Limit { time_in_force: TimeInForce::Ioc, .. }) => "IOC",
                Some(OrderKind::Limit { time_in_force: TimeInForce::Fok, .. }) => "FOK",
                Some(OrderKind::LimitMaker { .. }) => "GTX",
                _ => "GTC",
            },
            qty_lots: kind.and_then(|kind| kind.qty_lots()).unwrap_or(QtyLots::ZERO),
            price_ticks: kind.and_then(|kind| kind.price_ticks()).unwrap_or(PriceTicks::ZERO),
            trigger_ticks,
            activation_ticks,
            callback_permille,
            reduce_only,
            closes_position: matches!(accepted.places, AlgoPlaces::ClosesPosition),
            working_type: match accepted.working_price {
                WorkingPrice::Contract => "CONTRACT_PRICE",
                WorkingPrice::Mark => "MARK_PRICE",
            },
        }
    }
}

/// How far it is.
pub const fn status_name(status: AlgoStatus) -> &'static str {
    match status {
        AlgoStatus::New => "NEW",
        AlgoStatus::Triggering => "TRIGGERING",
        AlgoStatus::Triggered => "TRIGGERED",
        AlgoStatus::Finished => "FINISHED",
        AlgoStatus::Canceled => "CANCELED",
        AlgoStatus::Expired => "EXPIRED",
        AlgoStatus::Rejected => "REJECTED",
    }
}

/// The average price of what its order has traded.
pub fn actual_price(listing: &Listing, order: &AlgoOrder) -> Decimal {
    let nothing = listing.price(PriceTicks::ZERO);
    order.placed.map_or(nothing, |placed| {
        let base = listing.terms.base_amount(placed.executed_lots);
        listing.average_price(placed.executed_value, base).unwrap_or(nothing)
    })
}

/// Per cent with one decimal.
pub fn callback_rate(permille: u16) -> Decimal {
    Decimal { units: i128::from(permille), scale: 1 }
}

#[cfg(test)]
mod tests {
    use model::{AccountId, ApiKeyId, TimeNs};

    use super::*;
    use crate::sample::btcusdt;

    fn placed(query: &str) -> Result<PlaceAlgoOrder, i32> {
        let params = Params::parse(query.as_bytes(), b"").unwrap();
        let caller = Caller { account: AccountId(7), key: ApiKeyId::EMPTY, valid_until_ns: TimeNs(9) };
        place(&params, &btcusdt(), caller, || Ok(ClientOrderId::EMPTY)).map_err(|error| error.code)
    }

    #[test]
    fn algo_orders_become_commands() {
        let stop =
            placed("side=SELL&type=STOP_MARKET&triggerPrice=49000&quantity=0.002&reduceOnly=true").unwrap();
        let (qty_lots, trigger_ticks) = (QtyLots(2), PriceTicks(980_000));
        assert_eq!(stop.trigger, AlgoTrigger::Reaches { kind: TriggerKind::StopLoss, trigger_ticks });
        let kind = OrderKind::Market { qty_lots };
        assert_eq!(stop.places, AlgoPlaces::Order { kind, reduce_only: true });
        assert_eq!(stop.working_price, WorkingPrice::Contract);

        let profit = "side=SELL&type=TAKE_PROFIT&triggerPrice=49000&quantity=0.002&price=48999.95&timeInForce=GTX\
            &workingType=MARK_PRICE&priceProtect=TRUE&algoType=CONDITIONAL";
        let profit = placed(profit).unwrap();
        let kind = OrderKind::LimitMaker { qty_lots, price_ticks: PriceTicks(979_999) };
        assert_eq!(profit.places, AlgoPlaces::Order { kind, reduce_only: false });
        assert!(profit.price_protect && profit.working_price == WorkingPrice::Mark);

        let closes =
            placed("side=SELL&type=TAKE_PROFIT_MARKET&triggerPrice=49000&closePosition=true").unwrap();
        assert_eq!(closes.places, AlgoPlaces::ClosesPosition);
        let trails = placed("side=BUY&type=TRAILING_STOP_MARKET&quantity=0.002&callbackRate=1.5").unwrap();
        assert_eq!(trails.trigger, AlgoTrigger::Trails { activation_ticks: None, callback_permille: 15 });
    }

    #[test]
    fn what_never_becomes_a_command() {
        for (query, code) in [
            ("side=BUY&type=STOP_MARKET&quantity=1", -1102),
            ("side=BUY&type=STOP&quantity=1&triggerPrice=5", -1102),
            ("side=BUY&type=LIMIT&quantity=1&price=5", -1116),
            ("side=BUY&type=STOP_MARKET&quantity=1&triggerPrice=5&closePosition=true", -1106),
            ("side=BUY&type=STOP&price=5&triggerPrice=5&closePosition=true", -1106),
            ("side=BUY&type=STOP_MARKET&quantity=1&triggerPrice=5&price=5", -1106),
            ("side=BUY&type=TRAILING_STOP_MARKET&quantity=1", -1102),
            ("side=BUY&type=TRAILING_STOP_MARKET&quantity=1&callbackRate=1.55", -1111),
            ("side=BUY&type=STOP_MARKET&quantity=1&triggerPrice=5&algoType=TWAP", -1130),
        ] {
            assert_eq!(placed(query).unwrap_err(), code, "{query}");
        }
    }
}
