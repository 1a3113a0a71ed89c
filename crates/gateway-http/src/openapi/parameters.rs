//! What the parameters of requests look like: a schema by their kind, and a few words by their name where it does not say
//! everything. What is written here as a pattern or a bound is what the handlers take; more they refuse.

use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Required};

use super::words;
use crate::endpoint::{Kind, Parameter};
use crate::errors;

/// A parameter of a request, in its query.
pub(super) fn in_query(parameter: &Parameter) -> ParameterBuilder {
    let Parameter { name, kind, required } = *parameter;
    ParameterBuilder::new()
        .name(name)
        // Sets `required` too.
        .parameter_in(ParameterIn::Query)
        .required(if required { Required::True } else { Required::False })
        .description(meaning(name))
        .schema(Some(schema(name, kind)))
}

fn schema(name: &str, kind: Kind) -> RefOr<Schema> {
    match kind {
        Kind::Symbol => matching(errors::SYMBOL_RANGE).into(),
        Kind::Name => matching(errors::CLIENT_ORDER_ID_RANGE).into(),
        Kind::Decimal => matching(errors::DECIMAL_RANGE).into(),
        Kind::Names | Kind::Text => match form(name) {
            Some(pattern) => matching(pattern).into(),
            None => ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).into(),
        },
        Kind::Whole | Kind::Time => whole().minimum(Some(least(name))).into(),
        Kind::Flag => ObjectBuilder::new().schema_type(Type::Boolean).into(),
        Kind::OneOf(choice) => words::one_of(choice).into(),
    }
}

fn matching(pattern: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern))
}

fn whole() -> ObjectBuilder {
    let format = SchemaFormat::KnownFormat(KnownFormat::Int64);
    ObjectBuilder::new().schema_type(Type::Integer).format(Some(format))
}

/// The smallest number that is taken.
fn least(name: &str) -> u64 {
    match name {
        "limit" => 1,
        "strategyType" => 1_000_000,
        _ => 0,
    }
}

/// What a text has to look like.
fn form(name: &str) -> Option<&'static str> {
    match name {
        "symbols" => Some(r#"^([A-Z0-9_.-]{1,32}|\["[A-Z0-9_.-]{1,32}"(,"[A-Z0-9_.-]{1,32}")*\])$"#),
        "windowSize" => Some("^(([1-9]|[1-5][0-9])m|([1-9]|1[0-9]|2[0-3])h|[1-7]d)$"),
        "timeZone" => Some("^[+-]?[0-9]{1,2}(:[0-5]?[0-9])?$"),
        _ => None,
    }
}

/// What the name alone does not say.
fn meaning(name: &str) -> Option<&'static str> {
    let meaning = match name {
        "symbol" => "A market's name, such as BTCUSDT",
        "symbols" => "Markets' names, as a JSON list or as one bare name; not together with symbol",
        "permissions" => {
            "What an account needs to trade there, as a JSON list or as one bare word: SPOT is all there is"
        }
        "symbolStatus" => "Only markets in this state",
        "limit" => "How many at the most; what is over the server's own limit counts as that",
        "fromId" => "From the one with this number on",
        "startTime" => "From this time on, in milliseconds or microseconds since 1970",
        "endTime" => "Up to this time, itself included, in milliseconds or microseconds since 1970",
        "timeZone" => "In which candles of a day or longer begin, from -12:00 to 14:00; 0 when left out",
        "period" => "How long a period is; the answer has a row for each",
        "windowSize" => "1m to 59m, 1h to 23h or 1d to 7d; 1d when left out",
        "orderId" | "cancelOrderId" => "The order by its number; this or the client's name for it is needed",
        "origClientOrderId" | "cancelOrigClientOrderId" => {
            "The order by the name that its owner gave it; this or its number is needed"
        }
        "newClientOrderId" => "A name for what this request does; made up when left out",
        "cancelNewClientOrderId" => "A name for the cancel; made up when left out",
        "timeInForce" => "Needed for LIMIT, STOP_LOSS_LIMIT and TAKE_PROFIT_LIMIT, and for nothing else",
        "quantity" => "Of the base asset, a whole number of the market's steps",
        "quoteOrderQty" => "Of the quote asset: what a MARKET order spends or receives, instead of quantity",
        "price" => {
            "A whole number of the market's ticks; needed for LIMIT, LIMIT_MAKER, STOP_LOSS_LIMIT and TAKE_PROFIT_LIMIT"
        }
        "newQty" => "Less than the quantity of the order",
        "strategyId" | "strategyType" => "A label; it is told in the answer",
        "newOrderRespType" => "How much is told of a new order; FULL for LIMIT and MARKET, else ACK",
        "stopPrice" => {
            "The price at which an order that waits is triggered, or, with trailingDelta, follows the price from then on; \
             STOP_LOSS and TAKE_PROFIT orders need this or trailingDelta"
        }
        "trailingDelta" => {
            "By how many hundredths of a per cent the price must turn back from its best to trigger the order"
        }
        "icebergQty" => "Refused unless 0: no order hides a part of itself here",
        "pegPriceType" | "pegOffsetValue" | "pegOffsetType" => "Refused: no order follows the market here",
        "cancelReplaceMode" => "Whether the new order is placed although the old one could not be cancelled",
        "omitZeroBalances" => "Only assets of which the account has something",
        "computeCommissionRates" => "Tell what the order would pay",
        "showPermissionSets" => "Tell what an account needs to trade there; true when left out",
        "timestamp" => "When the request was signed, in milliseconds or microseconds since 1970",
        "recvWindow" => {
            "How many milliseconds after timestamp the request may still be executed; 5000 when left out"
        }
        _ => return None,
    };
    Some(meaning)
}
