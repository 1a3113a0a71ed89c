//! Every endpoint of the USD-M futures dialect. Source: Binance's documents of USD-M futures.

mod account;
mod market;
mod orders;

use super::table::{END, KLINES as SPOT_KLINES, LIMIT, ONE_SYMBOL, ORDER_ID, START, SYMBOL};
use super::{Endpoint, Kind, Parameter};

const PAIR: Parameter = Parameter::required("pair", Kind::Symbol);
const INTERVAL: Parameter = SPOT_KLINES[1];
const KLINES: &[Parameter] = &[SYMBOL, INTERVAL, START, END, LIMIT];
const LISTEN_KEY: Parameter = Parameter::optional("listenKey", Kind::Text);
const WHICH_ORDER: &[Parameter] = &[SYMBOL, ORDER_ID, Parameter::optional("origClientOrderId", Kind::Name)];

/// What an order at a contract is described by.
pub(crate) const CONTRACT_ORDER: &[Parameter] = &[
    SYMBOL,
    Parameter::required("side", Kind::OneOf(&["BUY", "SELL"])),
    Parameter::optional("positionSide", Kind::OneOf(&["BOTH", "LONG", "SHORT"])),
    Parameter::required("type", Kind::OneOf(&["LIMIT", "MARKET"])),
    Parameter::optional("timeInForce", Kind::OneOf(&["GTC", "IOC", "FOK", "GTX", "GTD"])),
    Parameter::optional("goodTillDate", Kind::Time),
    Parameter::optional("quantity", Kind::Decimal),
    Parameter::optional("price", Kind::Decimal),
    Parameter::optional("reduceOnly", Kind::Flag),
    Parameter::optional("newClientOrderId", Kind::Name),
    Parameter::optional("newOrderRespType", Kind::OneOf(&["ACK", "RESULT"])),
    Parameter::optional(
        "selfTradePreventionMode",
        Kind::OneOf(&["NONE", "EXPIRE_MAKER", "EXPIRE_TAKER", "EXPIRE_BOTH"]),
    ),
    Parameter::optional("priceMatch", Kind::OneOf(&["NONE"])),
    Parameter::optional("closePosition", Kind::Flag),
    Parameter::optional("stopPrice", Kind::Decimal),
    Parameter::optional("activationPrice", Kind::Decimal),
    Parameter::optional("callbackRate", Kind::Decimal),
    Parameter::optional("workingType", Kind::OneOf(&["MARK_PRICE", "CONTRACT_PRICE"])),
    Parameter::optional("priceProtect", Kind::Flag),
];

/// What a modification is described by.
pub(crate) const MODIFICATION: &[Parameter] = &[
    SYMBOL,
    Parameter::optional("side", Kind::OneOf(&["BUY", "SELL"])),
    ORDER_ID,
    Parameter::optional("origClientOrderId", Kind::Name),
    Parameter::optional("quantity", Kind::Decimal),
    Parameter::optional("price", Kind::Decimal),
    Parameter::optional("priceMatch", Kind::OneOf(&["NONE"])),
];

const WHICH_ALGO: &[Parameter] = &[
    ONE_SYMBOL,
    Parameter::optional("algoId", Kind::Whole),
    Parameter::optional("clientAlgoId", Kind::Name),
];

const ALGO_ORDER: &[Parameter] = &[
    Parameter::optional("algoType", Kind::OneOf(&["CONDITIONAL"])),
    SYMBOL,
    Parameter::required("side", Kind::OneOf(&["BUY", "SELL"])),
    Parameter::optional("positionSide", Kind::OneOf(&["BOTH", "LONG", "SHORT"])),
    Parameter::required(
        "type",
        Kind::OneOf(&["STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"]),
    ),
    Parameter::optional("timeInForce", Kind::OneOf(&["GTC", "IOC", "FOK", "GTX"])),
    Parameter::optional("quantity", Kind::Decimal),
    Parameter::optional("price", Kind::Decimal),
    Parameter::optional("triggerPrice", Kind::Decimal),
    Parameter::optional("workingType", Kind::OneOf(&["MARK_PRICE", "CONTRACT_PRICE"])),
    Parameter::optional("priceMatch", Kind::OneOf(&["NONE"])),
    Parameter::optional("closePosition", Kind::Flag),
    Parameter::optional("priceProtect", Kind::Flag),
    Parameter::optional("reduceOnly", Kind::Flag),
    Parameter::optional("activatePrice", Kind::Decimal),
    Parameter::optional("callbackRate", Kind::Decimal),
    Parameter::optional("clientAlgoId", Kind::Name),
    Parameter::optional("newOrderRespType", Kind::OneOf(&["ACK", "RESULT"])),
    Parameter::optional(
        "selfTradePreventionMode",
        Kind::OneOf(&["NONE", "EXPIRE_MAKER", "EXPIRE_TAKER", "EXPIRE_BOTH"]),
    ),
];

/// All of them.
pub(crate) fn futures() -> impl Iterator<Item = &'static Endpoint> {
    market::MARKET.iter().chain(orders::ORDERS).chain(account::ACCOUNT)
}
