//! Orders at contracts as futures tell of them. Source: "New Order", "Query Order".

use dialect::contracts::{average_price, name_of, names_of, position_side_name, position_side_of, side_name};
use model::PriceTicks;
use serde::Serialize;
use utoipa::ToSchema;
use views::{Order, OrderStatus};

use crate::decimal::Decimal;
use crate::gateway::TimeUnit;
use crate::listings::Listing;
use crate::market_data::Symbol;
use crate::openapi::words;
use crate::order_replies::{Name, status_name, stp_name};

/// An order at a contract.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(clippy::struct_excessive_bools, reason = "the fields of the wire")]
pub(crate) struct ContractOrderReply {
    order_id: u64,
    symbol: Symbol,
    #[schema(schema_with = words::order_status)]
    status: &'static str,
    client_order_id: Name,
    price: Decimal,
    avg_price: Decimal,
    orig_qty: Decimal,
    executed_qty: Decimal,
    cum_qty: Decimal,
    cum_quote: Decimal,
    time_in_force: &'static str,
    r#type: &'static str,
    reduce_only: bool,
    close_position: bool,
    #[schema(schema_with = words::side)]
    side: &'static str,
    position_side: &'static str,
    stop_price: Decimal,
    working_type: &'static str,
    price_protect: bool,
    orig_type: &'static str,
    price_match: &'static str,
    self_trade_prevention_mode: &'static str,
    good_till_date: u64,
    time: u64,
    update_time: u64,
}

/// Until when an order is good; 0 of one that has no such date.
pub(crate) fn good_till(order: &Order, unit: TimeUnit) -> u64 {
    order.at_contract.and_then(|at| at.good_till_ns).map_or(0, |time| unit.of(time))
}

/// The order as it is.
pub(crate) fn order_reply(listing: &Listing, order: &Order, unit: TimeUnit) -> ContractOrderReply {
    let (kind, time_in_force) = names_of(order);
    let executed = listing.quantity(order.executed_lots);
    ContractOrderReply {
        order_id: order.id.0,
        symbol: Symbol(listing.terms.name),
        status: status_name(order.status()),
        client_order_id: Name::of(&name_of(order)),
        price: listing.price(order.price_ticks().unwrap_or(PriceTicks::ZERO)),
        avg_price: average_price(listing, order),
        orig_qty: listing.quantity(order.qty_lots),
        executed_qty: executed,
        cum_qty: executed,
        cum_quote: listing.quote_amount(order.cumulative_quote),
        time_in_force,
        r#type: kind,
        reduce_only: order.at_contract.is_some_and(|at| at.reduce_only),
        close_position: false,
        side: side_name(order.side),
        position_side: position_side_name(position_side_of(order)),
        stop_price: listing.price(PriceTicks::ZERO),
        working_type: "CONTRACT_PRICE",
        price_protect: false,
        orig_type: kind,
        price_match: "NONE",
        self_trade_prevention_mode: stp_name(order.self_trade_prevention),
        good_till_date: good_till(order, unit),
        time: unit.of(order.accepted_ns),
        update_time: unit.of(order.updated_ns),
    }
}

impl ContractOrderReply {
    /// As it was when it was taken, whatever has become of it since.
    pub(crate) fn when_taken(self, listing: &Listing) -> Self {
        let nothing = listing.quantity(model::QtyLots::ZERO);
        Self {
            status: status_name(OrderStatus::New),
            avg_price: listing.price(PriceTicks::ZERO),
            executed_qty: nothing,
            cum_qty: nothing,
            cum_quote: listing.quote_amount(model::Amount::ZERO),
            update_time: self.time,
            ..self
        }
    }
}
