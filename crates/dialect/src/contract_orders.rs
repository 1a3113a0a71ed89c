//! Requests about perpetual contracts, from parameters to commands, as [`crate::orders`] has them for spot markets; and what the
//! partition refuses of them, in the words of the USD-M dialect. Source: Binance's documents of USD-M futures ("New Order",
//! "Error Codes"), semantics 2.

use model::{
    Amount, CancelAllOrders, CancelOrder, CancelRestriction, ChangeLeverage, ClientOrderId, Command,
    ModifyContractOrder, OrderKind, PlaceContractOrder, PlaceGoodTillDate, PositionSide, PriceTicks, QtyLots,
    Reject, SelfTradePrevention, SetCountdown, TimeInForce, TimeNs,
};

use crate::decimal::{self, DecimalError};
use crate::errors::ApiError;
use crate::listings::{Listing, decimal_refused};
use crate::orders::{Caller, client_order_id, order_ref, side};
use crate::params::Params;

/// A new order at a contract, and how to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placing {
    /// To be handed in: [`Command::PlaceContractOrder`], or [`Command::PlaceGoodTillDate`].
    pub command: Command,
    /// Whether the answer tells what became of it at once, or only that it was taken.
    pub with_result: bool,
}

/// A new order. `new_id` makes up a name where the client gives none.
pub fn place(
    params: &Params<'_>,
    listing: &Listing,
    caller: Caller,
    new_id: impl Fn() -> Result<ClientOrderId, ApiError>,
) -> Result<Placing, ApiError> {
    let side = side(params.required("side")?)?;
    let with_result = match params.optional("newOrderRespType")? {
        None | Some("ACK") => false,
        Some("RESULT") => true,
        Some(_) => return Err(ApiError::invalid_value("newOrderRespType")),
    };
    let (account, market, valid_until_ns) = (caller.account, listing.market, caller.valid_until_ns);
    let (position_side, reduce_only) = (position_side(params)?, params.flag("reduceOnly")?);
    let self_trade_prevention = self_trade_prevention(params)?;
    let client_order_id = || client_order_id(params, "newClientOrderId")?.map_or_else(&new_id, Ok);
    if params.sent("timeInForce") == Some("GTD") && params.sent("type") == Some("LIMIT") {
        let command = PlaceGoodTillDate {
            account,
            market,
            side,
            position_side,
            price_ticks: price(listing, "price", params.required("price")?)?,
            qty_lots: quantity(listing, "quantity", params.required("quantity")?)?,
            self_trade_prevention,
            reduce_only,
            client_order_id: client_order_id()?,
            good_till_ns: TimeNs::from_millis(params.required_number("goodTillDate")?),
            valid_until_ns,
        };
        return Ok(Placing { command: Command::PlaceGoodTillDate(Box::new(command)), with_result });
    }
    let command = PlaceContractOrder {
        account,
        market,
        side,
        position_side,
        kind: kind(params, listing)?,
        self_trade_prevention,
        reduce_only,
        client_order_id: client_order_id()?,
        valid_until_ns,
    };
    Ok(Placing { command: Command::PlaceContractOrder(command), with_result })
}

/// Another price or another quantity of an order that is known to be of this kind.
pub fn modify(
    params: &Params<'_>,
    listing: &Listing,
    caller: Caller,
    (kind, self_trade_prevention): (&OrderKind, SelfTradePrevention),
) -> Result<ModifyContractOrder, ApiError> {
    Ok(ModifyContractOrder {
        account: caller.account,
        market: listing.market,
        order: order_ref(params, "orderId", "origClientOrderId")?,
        price_ticks: price(listing, "price", params.required("price")?)?,
        qty_lots: quantity(listing, "quantity", params.required("quantity")?)?,
        maker_only: matches!(kind, OrderKind::LimitMaker { .. }),
        self_trade_prevention,
        valid_until_ns: caller.valid_until_ns,
    })
}

/// The same where nobody looks at the order first: the request says with `timeInForce` what it is, so that one that only ever rests
/// (`GTX`) does not begin to take. A date (`GTD`) it keeps.
pub fn modify_unseen(
    params: &Params<'_>,
    listing: &Listing,
    caller: Caller,
) -> Result<ModifyContractOrder, ApiError> {
    let qty_lots = quantity(listing, "quantity", params.required("quantity")?)?;
    let price_ticks = price(listing, "price", params.required("price")?)?;
    let kind = match params.required("timeInForce")? {
        "GTC" | "GTD" => OrderKind::Limit { qty_lots, price_ticks, time_in_force: TimeInForce::Gtc },
        "GTX" => OrderKind::LimitMaker { qty_lots, price_ticks },
        _ => return Err(ApiError::invalid_time_in_force()),
    };
    modify(params, listing, caller, (&kind, self_trade_prevention(params)?))
}

/// When all orders of the caller at a contract are to be cancelled: so many milliseconds from now on, 0 for not at all.
pub fn countdown(params: &Params<'_>, listing: &Listing, caller: Caller) -> Result<SetCountdown, ApiError> {
    let countdown_ms = params.required_number("countdownTime")?;
    Ok(SetCountdown {
        account: caller.account,
        market: listing.market,
        countdown_ns: countdown_ms.saturating_mul(1_000_000),
        valid_until_ns: caller.valid_until_ns,
    })
}

/// Which position is meant; that of one-way mode where nothing is said.
pub fn position_side(params: &Params<'_>) -> Result<PositionSide, ApiError> {
    match params.optional("positionSide")? {
        None | Some("BOTH") => Ok(PositionSide::Both),
        Some("LONG") => Ok(PositionSide::Long),
        Some("SHORT") => Ok(PositionSide::Short),
        Some(_) => Err(ApiError::new(-4060, "Invalid position side.")),
    }
}

fn kind(params: &Params<'_>, listing: &Listing) -> Result<OrderKind, ApiError> {
    let unwanted = |names: &[&str]| match names.iter().find(|name| params.sent(name).is_some()) {
        Some(name) => Err(ApiError::not_required(name)),
        None => Ok(()),
    };
    let order_type = params.required("type")?;
    match order_type {
        "LIMIT" | "MARKET" => {}
        "STOP" | "STOP_MARKET" | "TAKE_PROFIT" | "TAKE_PROFIT_MARKET" | "TRAILING_STOP_MARKET" => {
            return Err(ApiError::new(
                -4120,
                "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.",
            ));
        }
        _ => return Err(ApiError::invalid_order_type()),
    }
    unwanted(&["stopPrice", "activationPrice", "callbackRate"])?;
    if params.flag("closePosition")? {
        return Err(ApiError::not_required("closePosition"));
    }
    if !matches!(params.optional("priceMatch")?, None | Some("NONE")) {
        return Err(ApiError::invalid_value("priceMatch"));
    }
    let qty_lots = quantity(listing, "quantity", params.required("quantity")?)?;
    if order_type == "MARKET" {
        unwanted(&["timeInForce", "price"])?;
        return Ok(OrderKind::Market { qty_lots });
    }
    let time_in_force = match params.required("timeInForce")? {
        "GTC" => TimeInForce::Gtc,
        "IOC" => TimeInForce::Ioc,
        "FOK" => TimeInForce::Fok,
        "GTX" => {
            let price_ticks = price(listing, "price", params.required("price")?)?;
            return Ok(OrderKind::LimitMaker { qty_lots, price_ticks });
        }
        _ => return Err(ApiError::invalid_time_in_force()),
    };
    let price_ticks = price(listing, "price", params.required("price")?)?;
    Ok(OrderKind::Limit { qty_lots, price_ticks, time_in_force })
}

/// Futures expire the resting order where nothing else is asked for.
pub fn self_trade_prevention(params: &Params<'_>) -> Result<SelfTradePrevention, ApiError> {
    match params.optional("selfTradePreventionMode")? {
        // What Binance's futures do where nothing is asked for.
        None | Some("EXPIRE_MAKER") => Ok(SelfTradePrevention::ExpireMaker),
        Some("NONE") => Ok(SelfTradePrevention::None),
        Some("EXPIRE_TAKER") => Ok(SelfTradePrevention::ExpireTaker),
        Some("EXPIRE_BOTH") => Ok(SelfTradePrevention::ExpireBoth),
        Some(_) => Err(ApiError::invalid_value("selfTradePreventionMode")),
    }
}

fn too_precise() -> ApiError {
    ApiError::new(-1111, "Precision is over the maximum defined for this asset.")
}

/// The price that the parameter `name` gives: exact, or an error.
pub fn price(listing: &Listing, name: &str, text: &str) -> Result<PriceTicks, ApiError> {
    let units = match decimal::parse(text, listing.terms.price_scale) {
        Ok(units) => units,
        Err(DecimalError::TooPrecise { .. }) => return Err(too_precise()),
        Err(error) => return Err(decimal_refused(name, error)),
    };
    if units == 0 {
        return Err(ApiError::new(-4001, "Price less than 0."));
    }
    let ticks = units.checked_div_euclid(i128::from(listing.terms.tick_size)).unwrap_or_default();
    if ticks * i128::from(listing.terms.tick_size) != units {
        return Err(ApiError::new(-4014, "Price not increased by tick size."));
    }
    i64::try_from(ticks).map(PriceTicks).map_err(|_| ApiError::new(-4002, "Price greater than max price."))
}

/// The quantity that the parameter `name` gives: exact, or an error.
pub fn quantity(listing: &Listing, name: &str, text: &str) -> Result<QtyLots, ApiError> {
    let lot = listing.terms.base_atoms_per_lot.0;
    let scale = listing.quantity_decimals();
    let units = match decimal::parse(text, scale) {
        Ok(units) => units,
        Err(DecimalError::TooPrecise { .. }) => return Err(too_precise()),
        Err(error) => return Err(decimal_refused(name, error)),
    };
    if units == 0 {
        return Err(ApiError::new(-4003, "Quantity less than or equal to zero."));
    }
    let too_large = || ApiError::new(-4005, "Quantity greater than max quantity.");
    let atoms = units.checked_mul(decimal::power_of_ten(listing.base.scale - scale)).ok_or_else(too_large)?;
    if atoms % lot != 0 {
        return Err(ApiError::new(-4023, "Qty not increased by step size."));
    }
    i64::try_from(atoms / lot).map(QtyLots).map_err(|_| too_large())
}

/// A cancel.
pub fn cancel(params: &Params<'_>, listing: &Listing, caller: Caller) -> Result<CancelOrder, ApiError> {
    Ok(CancelOrder {
        account: caller.account,
        market: listing.market,
        order: order_ref(params, "orderId", "origClientOrderId")?,
        restriction: CancelRestriction::None,
        valid_until_ns: caller.valid_until_ns,
    })
}

/// A cancel of everything at one contract.
pub const fn cancel_all(listing: &Listing, caller: Caller) -> CancelAllOrders {
    CancelAllOrders { account: caller.account, market: listing.market, valid_until_ns: caller.valid_until_ns }
}

/// Another leverage.
pub fn leverage(params: &Params<'_>, listing: &Listing, caller: Caller) -> Result<ChangeLeverage, ApiError> {
    let asked = params.required_number("leverage")?;
    let leverage = u16::try_from(asked).ok().filter(|leverage| *leverage > 0);
    Ok(ChangeLeverage {
        account: caller.account,
        market: listing.market,
        leverage: leverage.ok_or_else(|| ApiError::new(-4028, format!("Leverage {asked} is not valid")))?,
        valid_until_ns: caller.valid_until_ns,
    })
}

/// The answer that a client gets for `reject`; `listing` is the contract that it asked about, if it asked about one.
pub fn api_error(reject: &Reject, listing: Option<&Listing>) -> ApiError {
    let answer = |code: i32, message: &'static str| ApiError::new(code, message);
    match *reject {
        Reject::UnknownMarket { .. } | Reject::NotContract { .. } => ApiError::invalid_symbol(),
        Reject::UnknownAccount { .. } => ApiError::rejected_key(),
        Reject::UnknownOrder | Reject::OrderGone { .. } => answer(-2011, "Unknown order sent."),
        Reject::TooLate { .. } => ApiError::timestamp_outside(),
        Reject::MarketClosed => answer(-4141, "Symbol is closed."),
        Reject::PriceOutOfRange { .. } => {
            let bounds = listing.map(|listing| {
                let (min, max) = (listing.terms.min_price_ticks, listing.terms.max_price_ticks);
                format!("Price must be from {} to {}.", listing.price(min), listing.price(max))
            });
            ApiError::new(-4016, bounds.unwrap_or_else(|| "Price out of range.".to_owned()))
        }
        Reject::QtyOutOfRange { min_lots, max_lots } => match listing {
            Some(listing) => ApiError::new(
                -4005,
                format!(
                    "Quantity must be from {} to {}.",
                    listing.quantity(min_lots),
                    listing.quantity(max_lots)
                ),
            ),
            None => answer(-4005, "Quantity greater than max quantity."),
        },
        Reject::NotionalOutOfRange { min, .. } => {
            let amount = listing.map_or_else(|| min.to_string(), |listing| amount(listing, min));
            ApiError::new(
                -4164,
                format!("Order's notional must be no smaller than {amount} (unless you choose reduce only)."),
            )
        }
        Reject::TooManyOpenOrders { .. } => answer(-2025, "Reach max open order limit."),
        Reject::TooManyAlgoOrders { .. } => answer(-4045, "Reach max stop order limit."),
        Reject::WouldTrigger { .. } => answer(-2021, "Order would immediately trigger."),
        Reject::TrailingDeltaOutOfRange { .. } => answer(-2007, "Invalid callBack rate"),
        Reject::ClosesAlready { .. } => answer(
            -4130,
            "An open stop or take profit order with GTE and closePosition in the direction is existing.",
        ),
        Reject::AmendChangesNothing => answer(-5027, "No need to modify the order."),
        Reject::InsufficientBalance { .. } | Reject::WalletShort { .. } => {
            answer(-2018, "Balance is insufficient.")
        }
        Reject::InsufficientMargin { .. } => answer(-2019, "Margin is insufficient."),
        Reject::DuplicateClientOrderId => answer(-4116, "ClientOrderId is duplicated."),
        Reject::WouldTake { .. } => answer(
            -5022,
            "Due to the order could not be executed as maker, the Post Only order will be rejected. The order will not be \
             recorded in the order history.",
        ),
        Reject::PositionTooLarge { .. } | Reject::TooManyLots { .. } => {
            answer(-2027, "Exceeded the maximum allowable position at current leverage.")
        }
        Reject::NothingToReduce => answer(-2022, "ReduceOnly Order is rejected."),
        Reject::LeverageOutOfRange { max } => {
            ApiError::new(-4028, format!("Leverage is not valid: it must be from 1 to {max}."))
        }
        Reject::InLiquidation => answer(-2023, "User in liquidation mode now."),
        Reject::LosesTooMuch { worst_ticks } => {
            let worst = listing.map_or_else(String::new, |listing| listing.price(worst_ticks).to_string());
            ApiError::new(
                -4131,
                format!(
                    "At this price the order would lose more than the margin that is left; the limit is {worst}."
                ),
            )
        }
        Reject::NoLiquidity => answer(-2020, "Unable to fill."),
        Reject::MarginTypeUnchanged => answer(-4046, "No need to change margin type."),
        Reject::MarginTypeHasOrders => {
            answer(-4047, "Margin type cannot be changed if there exists open orders.")
        }
        Reject::MarginTypeHasPosition => {
            answer(-4048, "Margin type cannot be changed if there exists position.")
        }
        Reject::NotIsolated => answer(-4049, "Add margin only support for isolated position."),
        Reject::PositionMarginShort { .. } => answer(-4051, "Isolated balance insufficient."),
        Reject::LeverageCannotFall { .. } => {
            answer(-4161, "Leverage reduction is not supported in Isolated Margin Mode with open positions.")
        }
        Reject::PositionModeUnchanged => answer(-4059, "No need to change position side."),
        Reject::PositionModeHasOrders => {
            answer(-4067, "Position side cannot be changed if there exists open orders.")
        }
        Reject::PositionModeHasPosition => {
            answer(-4068, "Position side cannot be changed if there exists position.")
        }
        Reject::PositionSideMismatch { .. } => {
            answer(-4061, "Order's position side does not match user's setting.")
        }
        Reject::ReduceOnlyInHedge => answer(-4062, "Invalid or improper reduceOnly value."),
        ref other => ApiError::new(-1130, other.to_string()),
    }
}

fn amount(listing: &Listing, amount: Amount) -> String {
    listing.quote_amount(amount).to_string()
}

#[cfg(test)]
mod tests {
    use model::{AccountId, ApiKeyId, PositionMode};

    use super::*;
    use crate::sample::btcusdt;

    fn order(query: &str) -> PlaceContractOrder {
        match placed(query).unwrap().command {
            Command::PlaceContractOrder(command) => command,
            other => panic!("{other:?}"),
        }
    }

    fn placed(query: &str) -> Result<Placing, (i32, String)> {
        let params = Params::parse(query.as_bytes(), b"").unwrap();
        let caller = Caller { account: AccountId(7), key: ApiKeyId::EMPTY, valid_until_ns: TimeNs(9) };
        let new_id = || Ok(ClientOrderId::new("made-up").unwrap());
        place(&params, &btcusdt(), caller, new_id).map_err(|error| (error.code, error.message.into_owned()))
    }

    #[test]
    fn orders_become_commands() {
        let limit = "side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.002&price=50000.05";
        let command = order(limit);
        let (qty_lots, price_ticks) = (QtyLots(2), PriceTicks(1_000_001));
        assert_eq!(command.kind, OrderKind::Limit { qty_lots, price_ticks, time_in_force: TimeInForce::Gtc });
        assert_eq!(command.self_trade_prevention, SelfTradePrevention::ExpireMaker);
        assert_eq!(command.client_order_id.as_str(), "made-up");
        assert!(!command.reduce_only && !placed(limit).unwrap().with_result);

        let gtx = order(&limit.replace("GTC", "GTX"));
        assert_eq!(gtx.kind, OrderKind::LimitMaker { qty_lots, price_ticks });
        let market =
            "side=SELL&type=MARKET&quantity=0.002&reduceOnly=true&newOrderRespType=RESULT&positionSide=BOTH";
        assert!(placed(market).unwrap().with_result);
        let market = order(market);
        assert_eq!(market.kind, OrderKind::Market { qty_lots });
        assert!(market.reduce_only);
        let long = order("side=SELL&type=MARKET&quantity=0.002&positionSide=LONG");
        assert_eq!(long.position_side, PositionSide::Long);
        let dated = placed(&limit.replace("GTC", "GTD&goodTillDate=1700000000000")).unwrap().command;
        let Command::PlaceGoodTillDate(dated) = dated else { panic!("{dated:?}") };
        assert_eq!(dated.good_till_ns, TimeNs::from_millis(1_700_000_000_000));
    }

    #[test]
    fn what_never_becomes_a_command() {
        for (query, code) in [
            ("side=BUY&type=LIMIT&quantity=1&price=1", -1102),
            ("side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=1.01", -4014),
            ("side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=1.001", -1111),
            ("side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0", -4001),
            ("side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.0001&price=1", -1111),
            ("side=BUY&type=LIMIT&timeInForce=GTC&quantity=0&price=1", -4003),
            ("side=BUY&type=LIMIT&timeInForce=GTT&quantity=1&price=1", -1115),
            ("side=BUY&type=MARKET&quantity=1&price=1", -1106),
            ("side=BUY&type=MARKET", -1102),
            ("side=BUY&type=STOP_MARKET&stopPrice=1&quantity=1", -4120),
            ("side=BUY&type=LIMIT_MAKER&quantity=1&price=1", -1116),
            ("side=UP&type=MARKET&quantity=1", -1117),
            ("side=BUY&type=MARKET&quantity=1&positionSide=UP", -4060),
            ("side=BUY&type=MARKET&quantity=1&closePosition=true", -1106),
            ("side=BUY&type=MARKET&quantity=1&selfTradePreventionMode=DECREMENT", -1130),
        ] {
            assert_eq!(placed(query).unwrap_err().0, code, "{query}");
        }
    }

    #[test]
    fn rejects_have_the_codes_of_futures() {
        let listing = btcusdt();
        let min = Amount(5_000_000);
        for (reject, code, message) in [
            (
                Reject::InsufficientMargin { needed: Amount(2), available: Amount(1) },
                -2019,
                "Margin is insufficient.",
            ),
            (Reject::NothingToReduce, -2022, "ReduceOnly Order is rejected."),
            (Reject::MarginTypeUnchanged, -4046, "No need to change margin type."),
            (
                Reject::MarginTypeHasOrders,
                -4047,
                "Margin type cannot be changed if there exists open orders.",
            ),
            (Reject::MarginTypeHasPosition, -4048, "Margin type cannot be changed if there exists position."),
            (Reject::NotIsolated, -4049, "Add margin only support for isolated position."),
            (Reject::PositionMarginShort { available: Amount(1) }, -4051, "Isolated balance insufficient."),
            (
                Reject::LeverageCannotFall { leverage: 20 },
                -4161,
                "Leverage reduction is not supported in Isolated Margin Mode with open positions.",
            ),
            (Reject::PositionModeUnchanged, -4059, "No need to change position side."),
            (
                Reject::PositionModeHasOrders,
                -4067,
                "Position side cannot be changed if there exists open orders.",
            ),
            (
                Reject::PositionModeHasPosition,
                -4068,
                "Position side cannot be changed if there exists position.",
            ),
            (
                Reject::PositionSideMismatch { mode: PositionMode::Hedge },
                -4061,
                "Order's position side does not match user's setting.",
            ),
            (Reject::ReduceOnlyInHedge, -4062, "Invalid or improper reduceOnly value."),
            (Reject::UnknownOrder, -2011, "Unknown order sent."),
            (
                Reject::NotionalOutOfRange { min, max: Amount::ZERO },
                -4164,
                "Order's notional must be no smaller than 5.000000 (unless you choose reduce only).",
            ),
            (
                Reject::LosesTooMuch { worst_ticks: PriceTicks(1_000_000) },
                -4131,
                "At this price the order would lose more than the margin that is left; the limit is 50000.00.",
            ),
            (
                Reject::QtyOutOfRange { min_lots: QtyLots(1), max_lots: QtyLots(5) },
                -4005,
                "Quantity must be from 0.00100000 to 0.00500000.",
            ),
        ] {
            let error = api_error(&reject, Some(&listing));
            assert_eq!((error.code, &*error.message), (code, message));
        }
    }
}
