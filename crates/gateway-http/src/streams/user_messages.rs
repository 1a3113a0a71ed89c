//! What an account is told of itself, as JSON. Source: user-data-stream.md; where Rialto differs is in docs/streams.md.

use model::{Amount, AssetId, Liquidity, PriceTicks, QtyLots, TimeNs, TradeGroup};
use serde::Serialize;
use views::{Balance, Order, OrderStatus};

use crate::account::Asset;
use crate::decimal::Decimal;
use crate::gateway::TimeUnit;
use crate::listings::{Listing, Listings};
use crate::market_data::Symbol;
use crate::order_replies::{Name, expiry_name, order_state, status_name, stp_name};
use crate::streams::feed::{Execution, Report};

fn json(message: &impl Serialize) -> String {
    serde_json::to_string(message).expect("wire types are plain structs")
}

/// Not part of a list of orders.
const NO_LIST: i8 = -1;

#[derive(Serialize)]
struct ExecutionReport {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: u64,
    s: Symbol,
    c: Name,
    #[serde(rename = "S")]
    side: &'static str,
    o: &'static str,
    f: &'static str,
    q: Decimal,
    p: Decimal,
    #[serde(rename = "P")]
    stop_price: Decimal,
    #[serde(rename = "d", skip_serializing_if = "Option::is_none")]
    trailing_delta: Option<u16>,
    #[serde(rename = "D", skip_serializing_if = "Option::is_none")]
    trailing_time: Option<u64>,
    #[serde(rename = "F")]
    iceberg_qty: Decimal,
    g: i8,
    #[serde(rename = "C")]
    original_client_order_id: Name,
    x: &'static str,
    #[serde(rename = "X")]
    status: &'static str,
    r: &'static str,
    i: u64,
    l: Decimal,
    z: Decimal,
    #[serde(rename = "L")]
    last_price: Decimal,
    n: Decimal,
    #[serde(rename = "N")]
    commission_asset: Option<Asset>,
    #[serde(rename = "T")]
    time: u64,
    t: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    v: Option<u64>,
    #[serde(rename = "I")]
    execution_id: u64,
    w: bool,
    m: bool,
    #[serde(rename = "M")]
    ignored: bool,
    #[serde(rename = "O")]
    creation_time: u64,
    #[serde(rename = "Z")]
    cumulative_quote: Decimal,
    #[serde(rename = "Y")]
    last_quote: Decimal,
    #[serde(rename = "Q")]
    quote_order_qty: Decimal,
    #[serde(rename = "W", skip_serializing_if = "Option::is_none")]
    working_time: Option<u64>,
    #[serde(rename = "V")]
    self_trade_prevention: &'static str,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    prevention: Option<Prevention>,
    #[serde(rename = "eR", skip_serializing_if = "Option::is_none")]
    expiry_reason: Option<&'static str>,
}

/// What is told only when self-trade prevention took something off.
#[derive(Serialize)]
struct Prevention {
    #[serde(rename = "A")]
    prevented: Decimal,
    #[serde(rename = "B")]
    last_prevented: Decimal,
    u: i64,
    #[serde(rename = "U")]
    counter_order: u64,
    #[serde(rename = "Cs")]
    counter_symbol: Symbol,
    pl: Decimal,
    #[serde(rename = "pL")]
    price: Decimal,
    #[serde(rename = "pY")]
    quote: Decimal,
}

/// What was traded by one execution.
struct Fill {
    qty: Decimal,
    price: Decimal,
    quote: Decimal,
    fee: Decimal,
    fee_asset: Option<Asset>,
    trade: i64,
    is_maker: bool,
}

impl Fill {
    fn of(listing: &Listing, execution: &Execution) -> Self {
        let Execution::Trade(filled) = execution else {
            return Self {
                qty: listing.quantity(QtyLots::ZERO),
                price: listing.price(PriceTicks::ZERO),
                quote: listing.quote_amount(Amount::ZERO),
                fee: Decimal::zero(0),
                fee_asset: None,
                trade: -1,
                is_maker: false,
            };
        };
        let received = listing.received(filled.side);
        Self {
            qty: listing.quantity(filled.qty_lots),
            price: listing.price(filled.price_ticks),
            quote: listing.quote_amount(listing.terms.notional(filled.price_ticks, filled.qty_lots)),
            fee: Decimal { units: filled.fee.0, scale: received.scale },
            fee_asset: Some(Asset(received.name)),
            trade: i64::try_from(filled.trade.0).expect("ids stay below 2^53"),
            is_maker: filled.liquidity == Liquidity::Maker,
        }
    }
}

const fn execution_name(execution: &Execution, status: OrderStatus) -> &'static str {
    match execution {
        Execution::New => "NEW",
        Execution::Trade(_) => "TRADE",
        Execution::Replaced => "REPLACED",
        Execution::Canceled => "CANCELED",
        Execution::Prevented(..) => "TRADE_PREVENTION",
        Execution::Expired => match status {
            OrderStatus::ExpiredInMatch => "TRADE_PREVENTION",
            OrderStatus::New
            | OrderStatus::PartiallyFilled
            | OrderStatus::Filled
            | OrderStatus::Canceled
            | OrderStatus::Expired => "EXPIRED",
        },
    }
}

fn prevention(listing: &Listing, order: &Order, execution: &Execution) -> Option<Prevention> {
    let Execution::Prevented(prevented, group) = execution else { return None };
    let last_prevented = listing.quantity(prevented.prevented_lots);
    let quote = listing.terms.notional(prevented.price_ticks, prevented.prevented_lots);
    Some(Prevention {
        prevented: listing.quantity(order.prevented_lots),
        last_prevented,
        u: if *group == TradeGroup::NONE { -1 } else { i64::from(group.0) },
        counter_order: prevented.counter_order.0,
        counter_symbol: Symbol(listing.terms.name),
        pl: last_prevented,
        price: listing.price(prevented.price_ticks),
        quote: listing.quote_amount(quote),
    })
}

/// `executionReport`
pub(super) fn execution_report(
    listing: &Listing,
    unit: TimeUnit,
    time_ns: TimeNs,
    report: &Report,
) -> String {
    let Report { execution, order, status, execution_id } = report;
    let state = order_state(listing, order);
    let fill = Fill::of(listing, execution);
    let original = match execution {
        Execution::Canceled => order.client_order_id,
        Execution::Replaced => order.original_client_order_id,
        Execution::New | Execution::Trade(_) | Execution::Expired | Execution::Prevented(..) => {
            model::ClientOrderId::default()
        }
    };
    let is_open = matches!(status, OrderStatus::New | OrderStatus::PartiallyFilled);
    let trigger = order.kind.trigger();
    json(&ExecutionReport {
        e: "executionReport",
        event_time: unit.of(time_ns),
        s: Symbol(listing.terms.name),
        c: Name(order.client_order_id),
        side: state.side,
        o: state.r#type,
        f: state.time_in_force,
        q: state.orig_qty,
        p: state.price,
        stop_price: listing.price(trigger.and_then(|trigger| trigger.stop_ticks).unwrap_or(PriceTicks::ZERO)),
        trailing_delta: trigger.and_then(|trigger| trigger.trailing_bips),
        trailing_time: order.trailing_ns().map(|time| unit.of(time)),
        iceberg_qty: listing.quantity(QtyLots::ZERO),
        g: NO_LIST,
        original_client_order_id: Name(original),
        x: execution_name(execution, *status),
        status: status_name(*status),
        r: "NONE",
        i: order.id.0,
        l: fill.qty,
        z: state.executed_qty,
        last_price: fill.price,
        n: fill.fee,
        commission_asset: fill.fee_asset,
        time: unit.of(order.updated_ns),
        t: fill.trade,
        v: order.prevented_match.filter(|_| !order.prevented_lots.is_zero()),
        execution_id: *execution_id,
        w: is_open && order.working_ns().is_some(),
        m: fill.is_maker,
        ignored: false,
        creation_time: unit.of(order.accepted_ns),
        cumulative_quote: state.cummulative_quote_qty,
        last_quote: fill.quote,
        quote_order_qty: state.orig_quote_order_qty,
        working_time: order.working_ns().map(|time| unit.of(time)),
        self_trade_prevention: stp_name(order.self_trade_prevention),
        prevention: prevention(listing, order, execution),
        expiry_reason: order.expiry_reason().map(expiry_name),
    })
}

#[derive(Serialize)]
struct AccountPosition {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: u64,
    u: u64,
    #[serde(rename = "B")]
    balances: Vec<BalanceOfPosition>,
}

#[derive(Serialize)]
struct BalanceOfPosition {
    a: Asset,
    f: Decimal,
    l: Decimal,
}

/// `outboundAccountPosition`
pub(super) fn account_position(
    listings: &Listings,
    unit: TimeUnit,
    time_ns: TimeNs,
    balances: &[(AssetId, Balance)],
) -> String {
    let balance = |(asset, balance): &(AssetId, Balance)| {
        let terms = listings.asset(*asset).expect("balances are in listed assets");
        BalanceOfPosition {
            a: Asset(terms.name),
            f: Decimal { units: balance.free.0, scale: terms.scale },
            l: Decimal { units: balance.held.0, scale: terms.scale },
        }
    };
    json(&AccountPosition {
        e: "outboundAccountPosition",
        event_time: unit.of(time_ns),
        u: unit.of(time_ns),
        balances: balances.iter().map(balance).collect(),
    })
}

#[derive(Serialize)]
struct BalanceUpdate {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: u64,
    a: Asset,
    d: Decimal,
    #[serde(rename = "T")]
    clear_time: u64,
}

/// `balanceUpdate`
pub(super) fn balance_update(
    listings: &Listings,
    unit: TimeUnit,
    time_ns: TimeNs,
    asset: AssetId,
    delta: Amount,
) -> String {
    let terms = listings.asset(asset).expect("money moves in listed assets");
    json(&BalanceUpdate {
        e: "balanceUpdate",
        event_time: unit.of(time_ns),
        a: Asset(terms.name),
        d: Decimal { units: delta.0, scale: terms.scale },
        clear_time: unit.of(time_ns),
    })
}

/// An event as one subscription gets it.
pub(super) fn wrapped(subscription_id: u64, event: &str) -> String {
    format!("{{\"subscriptionId\":{subscription_id},\"event\":{event}}}")
}
