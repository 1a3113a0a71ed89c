//! Schemas of what is written as a word out of a few, and of next to nothing.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, ArrayItems, ObjectBuilder, Schema, Type};

/// One of these words.
pub(crate) fn one_of(words: &[&str]) -> Schema {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words.iter().copied())).into()
}

fn list_of(words: &[&str]) -> Schema {
    ArrayBuilder::new().items(RefOr::T(one_of(words))).into()
}

const SIDES: &[&str] = &["BUY", "SELL"];
const ORDER_TYPES: &[&str] =
    &["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"];
const TIMES_IN_FORCE: &[&str] = &["GTC", "IOC", "FOK"];
const ORDER_STATUSES: &[&str] =
    &["NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED", "EXPIRED", "EXPIRED_IN_MATCH"];
const STP_MODES: &[&str] = &["NONE", "EXPIRE_MAKER", "EXPIRE_TAKER", "EXPIRE_BOTH", "DECREMENT", "TRANSFER"];
const EXPIRY_REASONS: &[&str] = &[
    "UNFILLED_IOC_QUANTITY_EXPIRED",
    "UNFILLED_FOK_ORDER_EXPIRED",
    "INSUFFICIENT_LIQUIDITY",
    "EXECUTION_RULE_PRICE_RANGE_EXCEEDED",
    "EXCHANGE_CANCELED",
];

pub(crate) fn side() -> Schema {
    one_of(SIDES)
}

pub(crate) fn order_type() -> Schema {
    one_of(ORDER_TYPES)
}

pub(crate) fn order_types() -> Schema {
    list_of(ORDER_TYPES)
}

pub(crate) fn time_in_force() -> Schema {
    one_of(TIMES_IN_FORCE)
}

pub(crate) fn order_status() -> Schema {
    one_of(ORDER_STATUSES)
}

pub(crate) fn stp_mode() -> Schema {
    one_of(STP_MODES)
}

pub(crate) fn stp_modes() -> Schema {
    list_of(STP_MODES)
}

pub(crate) fn expiry_reason() -> Schema {
    one_of(EXPIRY_REASONS)
}

pub(crate) fn market_status() -> Schema {
    one_of(&["TRADING", "CANCEL_ONLY", "HALT"])
}

/// What became of one half of a replacement.
pub(crate) fn half_result() -> Schema {
    one_of(&["SUCCESS", "FAILURE", "NOT_ATTEMPTED"])
}

/// An array of exactly these.
pub(crate) fn row<const N: usize>(columns: [RefOr<Schema>; N], description: &str) -> RefOr<Schema> {
    let columns = columns.into_iter().map(|column| match column {
        RefOr::T(schema) => schema,
        RefOr::Ref(_) => unreachable!("columns are plain"),
    });
    let row = ArrayBuilder::new()
        .prefix_items(columns)
        .items(ArrayItems::False)
        .min_items(Some(N))
        .max_items(Some(N))
        .description(Some(description));
    row.into()
}

/// `null`
pub(crate) fn null() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::Null).into()
}

/// `{}`
pub(crate) fn empty() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::Object).max_properties(Some(0)).into()
}

/// `[]`
pub(crate) fn nothing() -> Schema {
    ArrayBuilder::new().max_items(Some(0)).into()
}

/// Any object.
pub(crate) fn object() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::Object).into()
}
