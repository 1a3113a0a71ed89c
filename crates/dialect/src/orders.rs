//! Requests that write, from parameters to commands. Pure: everything that a rule needs is handed in. What the market itself
//! refuses (ranges, balances, states) is left to the partition; here stands what never becomes a command.
//! Source: rest-api.md "Trading endpoints", semantics 1.2, 1.4, 1.7.

use model::{
    AccountId, AmendOrder, ApiKeyId, CancelAllOrders, CancelOrder, CancelRestriction, ClientOrderId, OrderId,
    OrderKind, OrderRef, PlaceOrder, PriceTicks, ReplaceMode, ReplaceOrder, SelfTradePrevention, Side,
    TimeInForce, TimeNs, TriggerKind,
};

use crate::errors::{self, ApiError};
use crate::listings::Listing;
use crate::params::Params;

/// Who asks, and until when it may be executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Whose key signed, or whom the sender is trusted to ask for.
    pub account: AccountId,
    /// Which key; empty where none is needed.
    pub key: ApiKeyId,
    /// timestamp + recvWindow.
    pub valid_until_ns: TimeNs,
}

/// How much an answer tells of a new order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseType {
    /// That it was taken.
    Ack,
    /// What became of it.
    Result,
    /// What became of it, trade by trade.
    Full,
}

/// Labels that a client may give an order; they are in the answer and nowhere else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StrategyLabels {
    /// `strategyId`.
    pub id: Option<u64>,
    /// `strategyType`, at least 1,000,000.
    pub kind: Option<u64>,
}

/// A new order, and how to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placing {
    /// To be handed in.
    pub command: PlaceOrder,
    /// How much the answer tells.
    pub response: ResponseType,
    /// What the client calls its plan.
    pub labels: StrategyLabels,
}

/// A replacement, and how to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacing {
    /// To be handed in.
    pub command: ReplaceOrder,
    /// How much the answer tells of the new order.
    pub response: ResponseType,
    /// What the client calls its plan.
    pub labels: StrategyLabels,
    /// Name of the cancel itself.
    pub cancel_id: ClientOrderId,
}

/// A cancel, and how to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancelling {
    /// To be handed in.
    pub command: CancelOrder,
    /// Name of the cancel itself.
    pub cancel_id: ClientOrderId,
}

/// A new order. `new_id` makes up names where the client gives none.
pub fn place(
    params: &Params<'_>,
    listing: &Listing,
    caller: Caller,
    new_id: impl Fn() -> Result<ClientOrderId, ApiError>,
) -> Result<Placing, ApiError> {
    let side = side(params.required("side")?)?;
    let kind = kind(params, listing)?;
    let command = PlaceOrder {
        account: caller.account,
        market: listing.market,
        side,
        kind,
        self_trade_prevention: self_trade_prevention(params)?,
        client_order_id: client_order_id(params, "newClientOrderId")?.map_or_else(new_id, Ok)?,
        valid_until_ns: caller.valid_until_ns,
    };
    Ok(Placing { command, response: response_type(params, &kind)?, labels: labels(params)? })
}

/// A cancel.
pub fn cancel(
    params: &Params<'_>,
    listing: &Listing,
    caller: Caller,
    new_id: impl Fn() -> Result<ClientOrderId, ApiError>,
) -> Result<Cancelling, ApiError> {
    let command = CancelOrder {
        account: caller.account,
        market: listing.market,
        order: order_ref(params, "orderId", "origClientOrderId")?,
        restriction: cancel_restriction(params)?,
        valid_until_ns: caller.valid_until_ns,
    };
    let cancel_id = client_order_id(params, "newClientOrderId")?.map_or_else(new_id, Ok)?;
    Ok(Cancelling { command, cancel_id })
}

/// A cancel of everything in one market.
pub const fn cancel_all(listing: &Listing, caller: Caller) -> CancelAllOrders {
    CancelAllOrders { account: caller.account, market: listing.market, valid_until_ns: caller.valid_until_ns }
}

/// A cancel and a new order.
pub fn replace(
    params: &Params<'_>,
    listing: &Listing,
    caller: Caller,
    new_id: impl Fn() -> Result<ClientOrderId, ApiError>,
) -> Result<Replacing, ApiError> {
    let mode = match params.required("cancelReplaceMode")? {
        "STOP_ON_FAILURE" => ReplaceMode::StopOnFailure,
        "ALLOW_FAILURE" => ReplaceMode::AllowFailure,
        _ => return Err(ApiError::mandatory("cancelReplaceMode")),
    };
    // Orders are not counted against a rate here, so either answer to "what if over the rate" is kept.
    match params.optional("orderRateLimitExceededMode")? {
        None | Some("DO_NOTHING" | "CANCEL_ONLY") => {}
        Some(_) => return Err(ApiError::invalid_value("orderRateLimitExceededMode")),
    }
    let cancel = order_ref(params, "cancelOrderId", "cancelOrigClientOrderId")?;
    let restriction = cancel_restriction(params)?;
    let cancel_id = client_order_id(params, "cancelNewClientOrderId")?.map_or_else(&new_id, Ok)?;
    let Placing { command: place, response, labels } = place(params, listing, caller, new_id)?;
    let command = ReplaceOrder { cancel, restriction, mode, place };
    Ok(Replacing { command, response, labels, cancel_id })
}

/// An amendment. Without a name of its own it gets a new one, as at Binance.
pub fn amend(
    params: &Params<'_>,
    listing: &Listing,
    caller: Caller,
    new_id: impl Fn() -> Result<ClientOrderId, ApiError>,
) -> Result<AmendOrder, ApiError> {
    Ok(AmendOrder {
        account: caller.account,
        market: listing.market,
        order: order_ref(params, "orderId", "origClientOrderId")?,
        new_qty_lots: listing.qty_lots("newQty", params.required("newQty")?)?,
        new_client_order_id: client_order_id(params, "newClientOrderId")?.map_or_else(new_id, Ok)?,
        valid_until_ns: caller.valid_until_ns,
    })
}

/// Which order is meant: by number, by name, or by both.
pub fn order_ref(params: &Params<'_>, by_id: &str, by_name: &str) -> Result<OrderRef, ApiError> {
    let id = params.optional_number(by_id)?.map(OrderId);
    let name = client_order_id(params, by_name)?;
    match (id, name) {
        (Some(id), Some(name)) => Ok(OrderRef::Both((id, name))),
        (Some(id), None) => Ok(OrderRef::Id(id)),
        (None, Some(name)) => Ok(OrderRef::Client(name)),
        (None, None) => Err(ApiError::either(by_name, by_id)),
    }
}

/// The name of an order that the parameter `name` gives, if it is sent.
pub fn client_order_id(params: &Params<'_>, name: &str) -> Result<Option<ClientOrderId>, ApiError> {
    let Some(text) = params.optional(name)? else { return Ok(None) };
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte);
    if !text.bytes().all(legal) {
        return Err(ApiError::illegal_characters(name, errors::CLIENT_ORDER_ID_RANGE));
    }
    let id = ClientOrderId::new(text)
        .map_err(|_| ApiError::illegal_characters(name, errors::CLIENT_ORDER_ID_RANGE))?;
    Ok(Some(id))
}

/// Which way an order goes.
pub fn side(text: &str) -> Result<Side, ApiError> {
    match text {
        "BUY" => Ok(Side::Buy),
        "SELL" => Ok(Side::Sell),
        _ => Err(ApiError::invalid_side()),
    }
}

fn kind(params: &Params<'_>, listing: &Listing) -> Result<OrderKind, ApiError> {
    let order_type = params.required("type")?;
    let not_here = |message: &'static str| Err(ApiError::new(-1013, message));
    match order_type {
        "LIMIT" | "LIMIT_MAKER" | "MARKET" | "STOP_LOSS" | "STOP_LOSS_LIMIT" | "TAKE_PROFIT"
        | "TAKE_PROFIT_LIMIT" => {}
        _ => return Err(ApiError::invalid_order_type()),
    }
    if params
        .sent("pegPriceType")
        .or(params.sent("pegOffsetType"))
        .or(params.sent("pegOffsetValue"))
        .is_some()
    {
        return not_here("Pegged orders are not supported for this symbol.");
    }
    let unwanted = |names: &[&str]| match names.iter().find(|name| params.sent(name).is_some()) {
        Some(name) => Err(ApiError::not_required(name)),
        None => Ok(()),
    };
    if let "LIMIT" | "LIMIT_MAKER" | "MARKET" = order_type {
        unwanted(&["stopPrice", "trailingDelta"])?;
    }
    if let Some(iceberg) = params.optional("icebergQty")?
        && !listing.qty_lots("icebergQty", iceberg)?.is_zero()
    {
        return not_here("Iceberg orders are not supported for this symbol.");
    }
    let price = || listing.price_ticks("price", params.required("price")?);
    let quantity = || listing.qty_lots("quantity", params.required("quantity")?);
    match order_type {
        "LIMIT" => {
            unwanted(&["quoteOrderQty"])?;
            let time_in_force = time_in_force(params)?;
            Ok(OrderKind::Limit { qty_lots: quantity()?, price_ticks: price()?, time_in_force })
        }
        "STOP_LOSS" | "TAKE_PROFIT" => {
            unwanted(&["timeInForce", "price", "quoteOrderQty"])?;
            let (trigger, stop_ticks, trailing_bips) = trigger(params, listing, order_type)?;
            Ok(OrderKind::StopMarket { qty_lots: quantity()?, trigger, stop_ticks, trailing_bips })
        }
        "STOP_LOSS_LIMIT" | "TAKE_PROFIT_LIMIT" => {
            unwanted(&["quoteOrderQty"])?;
            let time_in_force = time_in_force(params)?;
            let (qty_lots, price_ticks) = (quantity()?, price()?);
            let (trigger, stop_ticks, trailing_bips) = trigger(params, listing, order_type)?;
            Ok(OrderKind::StopLimit {
                price_ticks,
                qty_lots,
                time_in_force,
                trigger,
                stop_ticks,
                trailing_bips,
            })
        }
        "LIMIT_MAKER" => {
            unwanted(&["timeInForce", "quoteOrderQty"])?;
            Ok(OrderKind::LimitMaker { qty_lots: quantity()?, price_ticks: price()? })
        }
        "MARKET" => {
            unwanted(&["timeInForce", "price"])?;
            match (params.optional("quantity")?, params.optional("quoteOrderQty")?) {
                (Some(_), None) => Ok(OrderKind::Market { qty_lots: quantity()? }),
                (None, Some(amount)) => {
                    let quote_amount = listing.quote_atoms("quoteOrderQty", amount)?;
                    if quote_amount.is_zero() {
                        return Err(ApiError::filter("NOTIONAL"));
                    }
                    Ok(OrderKind::MarketQuote { quote_amount })
                }
                (Some(_), Some(_)) => Err(ApiError::bad_combination()),
                (None, None) => Err(ApiError::either("quantity", "quoteOrderQty")),
            }
        }
        other => unreachable!("{other} was refused above"),
    }
}

fn time_in_force(params: &Params<'_>) -> Result<TimeInForce, ApiError> {
    match params.required("timeInForce")? {
        "GTC" => Ok(TimeInForce::Gtc),
        "IOC" => Ok(TimeInForce::Ioc),
        "FOK" => Ok(TimeInForce::Fok),
        _ => Err(ApiError::invalid_time_in_force()),
    }
}

/// What an order waits for: on which side of the market, its stop price, and its distance when it trails; zero where one of the
/// two is not sent.
fn trigger(
    params: &Params<'_>,
    listing: &Listing,
    order_type: &str,
) -> Result<(TriggerKind, PriceTicks, u16), ApiError> {
    let stop =
        params.optional("stopPrice")?.map(|text| listing.price_ticks("stopPrice", text)).transpose()?;
    let delta = params.optional_number("trailingDelta")?;
    if stop.is_none() && delta.is_none() {
        return Err(ApiError::either("stopPrice", "trailingDelta"));
    }
    // Sent, they are never zero: that would be as if they were not.
    if stop == Some(PriceTicks::ZERO) {
        return Err(ApiError::filter("PRICE_FILTER"));
    }
    let trailing_bips = match delta {
        None => 0,
        Some(delta) => {
            let bips = u16::try_from(delta).ok().filter(|bips| *bips > 0);
            bips.ok_or_else(|| ApiError::filter("TRAILING_DELTA"))?
        }
    };
    let kind = if order_type.starts_with("STOP") { TriggerKind::StopLoss } else { TriggerKind::TakeProfit };
    Ok((kind, stop.unwrap_or(PriceTicks::ZERO), trailing_bips))
}

fn self_trade_prevention(params: &Params<'_>) -> Result<SelfTradePrevention, ApiError> {
    match params.optional("selfTradePreventionMode")? {
        None | Some("NONE") => Ok(SelfTradePrevention::None),
        Some("EXPIRE_MAKER") => Ok(SelfTradePrevention::ExpireMaker),
        Some("EXPIRE_TAKER") => Ok(SelfTradePrevention::ExpireTaker),
        Some("EXPIRE_BOTH") => Ok(SelfTradePrevention::ExpireBoth),
        Some("DECREMENT") => Ok(SelfTradePrevention::Decrement),
        Some("TRANSFER") => Ok(SelfTradePrevention::Transfer),
        Some(_) => Err(ApiError::invalid_value("selfTradePreventionMode")),
    }
}

fn response_type(params: &Params<'_>, kind: &OrderKind) -> Result<ResponseType, ApiError> {
    match params.optional("newOrderRespType")? {
        Some("ACK") => Ok(ResponseType::Ack),
        Some("RESULT") => Ok(ResponseType::Result),
        Some("FULL") => Ok(ResponseType::Full),
        Some(_) => Err(ApiError::invalid_value("newOrderRespType")),
        None => Ok(match kind {
            OrderKind::Limit { .. } | OrderKind::Market { .. } | OrderKind::MarketQuote { .. } => {
                ResponseType::Full
            }
            OrderKind::LimitMaker { .. } | OrderKind::StopMarket { .. } | OrderKind::StopLimit { .. } => {
                ResponseType::Ack
            }
        }),
    }
}

fn cancel_restriction(params: &Params<'_>) -> Result<CancelRestriction, ApiError> {
    match params.optional("cancelRestrictions")? {
        None => Ok(CancelRestriction::None),
        Some("ONLY_NEW") => Ok(CancelRestriction::OnlyNew),
        Some("ONLY_PARTIALLY_FILLED") => Ok(CancelRestriction::OnlyPartiallyFilled),
        Some(_) => Err(ApiError::new(-1145, "Invalid cancelRestrictions")),
    }
}

fn labels(params: &Params<'_>) -> Result<StrategyLabels, ApiError> {
    let labels = StrategyLabels {
        id: params.optional_number("strategyId")?,
        kind: params.optional_number("strategyType")?,
    };
    if labels.kind.is_some_and(|kind| kind < 1_000_000) {
        return Err(ApiError::new(-1134, "`strategyType` was less than 1000000."));
    }
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use model::{AccountId, Amount, PriceTicks, QtyLots, TimeNs};

    use super::*;
    use crate::sample::btcusdt;

    const CALLER: Caller =
        Caller { account: AccountId(7), key: model::ApiKeyId::EMPTY, valid_until_ns: TimeNs(99) };

    fn id(text: &str) -> ClientOrderId {
        ClientOrderId::new(text).unwrap()
    }

    fn placing(query: &str) -> Result<Placing, (i32, String)> {
        let params = Params::parse(query.as_bytes(), b"").unwrap();
        place(&params, &btcusdt(), CALLER, || Ok(id("made-up")))
            .map_err(|error| (error.code, error.message.into_owned()))
    }

    const LIMIT: &str = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.5&price=50000";

    #[test]
    fn a_limit_order_becomes_a_command() {
        let placed = placing(&format!("{LIMIT}&newClientOrderId=a-1_.:/Z&strategyId=5")).unwrap();
        assert_eq!(
            placed,
            Placing {
                command: PlaceOrder {
                    account: AccountId(7),
                    market: btcusdt().market,
                    side: Side::Buy,
                    kind: OrderKind::Limit {
                        price_ticks: PriceTicks(1_000_000),
                        qty_lots: QtyLots(500),
                        time_in_force: TimeInForce::Gtc,
                    },
                    self_trade_prevention: SelfTradePrevention::None,
                    client_order_id: id("a-1_.:/Z"),
                    valid_until_ns: TimeNs(99),
                },
                response: ResponseType::Full,
                labels: StrategyLabels { id: Some(5), kind: None },
            }
        );
        assert_eq!(placing(LIMIT).unwrap().command.client_order_id, id("made-up"));
    }

    #[test]
    fn the_other_kinds_have_their_own_parameters_and_answers() {
        let maker = placing("side=SELL&type=LIMIT_MAKER&quantity=0.5&price=50000").unwrap();
        assert_eq!(maker.response, ResponseType::Ack);
        assert_eq!(
            maker.command.kind,
            OrderKind::LimitMaker { price_ticks: PriceTicks(1_000_000), qty_lots: QtyLots(500) }
        );
        let market = placing("side=SELL&type=MARKET&quantity=0.5&newOrderRespType=RESULT").unwrap();
        assert_eq!(market.response, ResponseType::Result);
        assert_eq!(market.command.kind, OrderKind::Market { qty_lots: QtyLots(500) });
        let stop = placing("side=SELL&type=STOP_LOSS&quantity=0.5&stopPrice=50000").unwrap();
        assert_eq!(stop.response, ResponseType::Ack);
        let (qty_lots, ticks) = (QtyLots(500), PriceTicks(1_000_000));
        assert_eq!(
            stop.command.kind,
            OrderKind::StopMarket {
                qty_lots,
                trigger: TriggerKind::StopLoss,
                stop_ticks: ticks,
                trailing_bips: 0,
            }
        );
        let take = placing(
            "side=BUY&type=TAKE_PROFIT_LIMIT&quantity=0.5&price=50000&timeInForce=IOC&trailingDelta=100",
        );
        assert_eq!(
            take.unwrap().command.kind,
            OrderKind::StopLimit {
                price_ticks: ticks,
                qty_lots,
                time_in_force: TimeInForce::Ioc,
                trigger: TriggerKind::TakeProfit,
                stop_ticks: PriceTicks::ZERO,
                trailing_bips: 100,
            }
        );
        let by_amount =
            placing("side=BUY&type=MARKET&quoteOrderQty=10.5&selfTradePreventionMode=EXPIRE_BOTH");
        let by_amount = by_amount.unwrap().command;
        assert_eq!(by_amount.kind, OrderKind::MarketQuote { quote_amount: Amount(10_500_000) });
        assert_eq!(by_amount.self_trade_prevention, SelfTradePrevention::ExpireBoth);
    }

    #[test]
    fn what_is_no_order_never_becomes_a_command() {
        let cases = [
            ("side=UP&type=LIMIT", -1117, "Invalid side."),
            ("type=LIMIT", -1102, "Mandatory parameter 'side' was not sent, was empty/null, or malformed."),
            ("side=BUY&type=FOO", -1116, "Invalid orderType."),
            (
                "side=BUY&type=STOP_LOSS&quantity=1",
                -1102,
                "Param 'stopPrice' or 'trailingDelta' must be sent, but both were empty/null!",
            ),
            (
                "side=BUY&type=STOP_LOSS&quantity=1&stopPrice=1&price=1",
                -1106,
                "Parameter 'price' sent when not required.",
            ),
            (
                "side=BUY&type=TAKE_PROFIT&quoteOrderQty=1&stopPrice=1",
                -1106,
                "Parameter 'quoteOrderQty' sent when not required.",
            ),
            (
                "side=BUY&type=STOP_LOSS_LIMIT&quantity=1&stopPrice=1&price=1",
                -1102,
                "Mandatory parameter 'timeInForce' was not sent, was empty/null, or malformed.",
            ),
            (
                "side=BUY&type=TAKE_PROFIT_LIMIT&quantity=1&stopPrice=1&timeInForce=GTC",
                -1102,
                "Mandatory parameter 'price' was not sent, was empty/null, or malformed.",
            ),
            ("side=BUY&type=STOP_LOSS&quantity=1&stopPrice=0", -1013, "Filter failure: PRICE_FILTER"),
            ("side=BUY&type=STOP_LOSS&quantity=1&stopPrice=1.01", -1013, "Filter failure: PRICE_FILTER"),
            ("side=BUY&type=STOP_LOSS&quantity=1&trailingDelta=0", -1013, "Filter failure: TRAILING_DELTA"),
            (
                "side=BUY&type=STOP_LOSS&quantity=1&trailingDelta=65536",
                -1013,
                "Filter failure: TRAILING_DELTA",
            ),
            (
                "side=BUY&type=LIMIT&quantity=1&price=1",
                -1102,
                "Mandatory parameter 'timeInForce' was not sent, was empty/null, or malformed.",
            ),
            ("side=BUY&type=LIMIT&quantity=1&price=1&timeInForce=GTX", -1115, "Invalid timeInForce."),
            (
                "side=BUY&type=LIMIT&quantity=1&timeInForce=GTC",
                -1102,
                "Mandatory parameter 'price' was not sent, was empty/null, or malformed.",
            ),
            (
                "side=BUY&type=LIMIT&quantity=1&price=1&timeInForce=GTC&quoteOrderQty=1",
                -1106,
                "Parameter 'quoteOrderQty' sent when not required.",
            ),
            (
                "side=BUY&type=LIMIT_MAKER&quantity=1&price=1&timeInForce=GTC",
                -1106,
                "Parameter 'timeInForce' sent when not required.",
            ),
            ("side=BUY&type=MARKET&quantity=1&price=1", -1106, "Parameter 'price' sent when not required."),
            (
                "side=BUY&type=MARKET",
                -1102,
                "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!",
            ),
            (
                "side=BUY&type=MARKET&quantity=1&quoteOrderQty=1",
                -1128,
                "Combination of optional parameters invalid.",
            ),
            ("side=BUY&type=MARKET&quoteOrderQty=0", -1013, "Filter failure: NOTIONAL"),
            (
                "side=BUY&type=MARKET&quantity=1&stopPrice=1",
                -1106,
                "Parameter 'stopPrice' sent when not required.",
            ),
            ("side=BUY&type=MARKET&quantity=0.0005", -1013, "Filter failure: LOT_SIZE"),
        ];
        for (query, code, message) in cases {
            assert_eq!(placing(query), Err((code, message.to_owned())), "{query}");
        }
        let extras = [
            ("icebergQty=0.1", -1013),
            ("pegPriceType=PRIMARY_PEG", -1013),
            ("selfTradePreventionMode=SOMETIMES", -1130),
            ("newOrderRespType=SOME", -1130),
            ("strategyType=5", -1134),
            ("newClientOrderId=a%20b", -1100),
            ("newClientOrderId=1234567890123456789012345678901234567", -1100),
            ("newClientOrderId=", -1105),
        ];
        for (extra, code) in extras {
            assert_eq!(placing(&format!("{LIMIT}&{extra}")).unwrap_err().0, code, "{extra}");
        }
        assert!(placing(&format!("{LIMIT}&icebergQty=0")).is_ok(), "no iceberg at all");
    }

    #[test]
    fn orders_are_named_by_number_by_name_or_by_both() {
        let refer = |query: &str| {
            let params = Params::parse(query.as_bytes(), b"").unwrap();
            order_ref(&params, "orderId", "origClientOrderId").map_err(|error| error.code)
        };
        assert_eq!(refer("orderId=5"), Ok(OrderRef::Id(OrderId(5))));
        assert_eq!(refer("origClientOrderId=x"), Ok(OrderRef::Client(id("x"))));
        assert_eq!(refer("orderId=5&origClientOrderId=x"), Ok(OrderRef::Both((OrderId(5), id("x")))));
        assert_eq!(refer(""), Err(-1102));
        assert_eq!(refer("orderId=x"), Err(-1100));
    }

    #[test]
    fn cancels_replacements_and_amendments_become_commands() {
        let parse = |query: &'static str| Params::parse(query.as_bytes(), b"").unwrap();
        let made_up = || Ok(id("made-up"));
        let listing = btcusdt();
        let cancelling =
            cancel(&parse("orderId=5&cancelRestrictions=ONLY_NEW"), &listing, CALLER, made_up).unwrap();
        assert_eq!(cancelling.command.restriction, CancelRestriction::OnlyNew);
        assert_eq!(cancelling.cancel_id, id("made-up"));
        let refused = cancel(&parse("orderId=5&cancelRestrictions=X"), &listing, CALLER, made_up);
        assert_eq!(refused.unwrap_err().code, -1145);

        let query = "side=BUY&type=LIMIT&timeInForce=IOC&quantity=1&price=1&cancelReplaceMode=ALLOW_FAILURE\
            &cancelOrderId=5&cancelNewClientOrderId=c&newClientOrderId=n";
        let replacing = replace(&parse(query), &listing, CALLER, made_up).unwrap();
        assert_eq!(replacing.command.cancel, OrderRef::Id(OrderId(5)));
        assert_eq!(replacing.command.mode, ReplaceMode::AllowFailure);
        assert_eq!((replacing.cancel_id, replacing.command.place.client_order_id), (id("c"), id("n")));
        let modeless = replace(&parse("cancelReplaceMode=MAYBE"), &listing, CALLER, made_up);
        assert_eq!(modeless.unwrap_err().code, -1102);

        let amending = amend(&parse("origClientOrderId=x&newQty=0.4"), &listing, CALLER, made_up).unwrap();
        assert_eq!((amending.new_qty_lots, amending.new_client_order_id), (QtyLots(400), id("made-up")));
        let fine = amend(&parse("orderId=1&newQty=0.0001"), &listing, CALLER, made_up);
        assert_eq!(fine.unwrap_err().code, -1013);
    }
}
