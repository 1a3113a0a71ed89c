//! The messages of futures as JSON: of markets where they differ from those of spot, and what an account is told of itself. Source:
//! "Websocket Market Streams", "User Data Streams"; the fields that real clients read.

use model::{Amount, Liquidity, MarkPriceChanged, OrderCause, PriceTicks, QtyLots, TimeNs};
use serde::Serialize;
use views::{Order, Position};

use crate::account::Asset;
use crate::decimal::Decimal;
use crate::futures::account::BOTH;
use crate::futures::margins::Prices;
use crate::futures::market::rate;
use crate::futures::orders::{average_price, kind_names, name_of, side_name};
use crate::gateway::TimeUnit;
use crate::listings::{Listing, Listings};
use crate::market_data::Symbol;
use crate::order_replies::{status_name, stp_name};
use crate::streams::contract_feed::{ContractReport, Reason, Update};

fn json(message: &impl Serialize) -> String {
    serde_json::to_string(message).expect("wire types are plain structs")
}

#[derive(Serialize)]
struct MarkPriceMessage {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: u64,
    s: Symbol,
    p: Decimal,
    i: Decimal,
    #[serde(rename = "P")]
    settle_price: Decimal,
    r: Decimal,
    #[serde(rename = "T")]
    next_funding_time: u64,
}

pub(super) fn mark_price(
    listing: &Listing,
    unit: TimeUnit,
    event_time: u64,
    prices: &MarkPriceChanged,
) -> String {
    json(&MarkPriceMessage {
        e: "markPriceUpdate",
        event_time,
        s: Symbol(listing.terms.name),
        p: listing.price(prices.mark_ticks),
        i: listing.price(prices.index_ticks),
        settle_price: listing.price(prices.index_ticks),
        r: rate(prices.rate),
        next_funding_time: unit.of(prices.next_funding_ns),
    })
}

#[derive(Serialize)]
struct ForceOrderMessage {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: u64,
    o: ForcedOrder,
}

#[derive(Serialize)]
struct ForcedOrder {
    s: Symbol,
    #[serde(rename = "S")]
    side: &'static str,
    o: &'static str,
    f: &'static str,
    q: Decimal,
    p: Decimal,
    ap: Decimal,
    #[serde(rename = "X")]
    status: &'static str,
    l: Decimal,
    z: Decimal,
    #[serde(rename = "T")]
    time: u64,
}

pub(super) fn force_order(listing: &Listing, unit: TimeUnit, event_time: TimeNs, order: &Order) -> String {
    let (kind, time_in_force) = kind_names(&order.kind);
    let executed = listing.quantity(order.executed_lots);
    json(&ForceOrderMessage {
        e: "forceOrder",
        event_time: unit.of(event_time),
        o: ForcedOrder {
            s: Symbol(listing.terms.name),
            side: side_name(order.side),
            o: kind,
            f: time_in_force,
            q: listing.quantity(order.qty_lots),
            p: listing.price(order.price_ticks().unwrap_or(PriceTicks::ZERO)),
            ap: average_price(listing, order),
            status: status_name(order.status()),
            l: executed,
            z: executed,
            time: unit.of(order.updated_ns),
        },
    })
}

#[derive(Serialize)]
struct OrderUpdate {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: u64,
    #[serde(rename = "T")]
    time: u64,
    o: OrderOfUpdate,
}

#[derive(Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "the fields of the wire")]
struct OrderOfUpdate {
    s: Symbol,
    c: String,
    #[serde(rename = "S")]
    side: &'static str,
    o: &'static str,
    f: &'static str,
    q: Decimal,
    p: Decimal,
    ap: Decimal,
    sp: Decimal,
    x: &'static str,
    #[serde(rename = "X")]
    status: &'static str,
    i: u64,
    l: Decimal,
    z: Decimal,
    #[serde(rename = "L")]
    last_price: Decimal,
    #[serde(rename = "N")]
    commission_asset: Asset,
    n: Decimal,
    #[serde(rename = "T")]
    time: u64,
    t: u64,
    b: Decimal,
    a: Decimal,
    m: bool,
    #[serde(rename = "R")]
    reduce_only: bool,
    wt: &'static str,
    ot: &'static str,
    ps: &'static str,
    cp: bool,
    rp: Decimal,
    #[serde(rename = "pP")]
    price_protect: bool,
    si: u8,
    ss: u8,
    #[serde(rename = "V")]
    self_trade_prevention: &'static str,
    pm: &'static str,
    gtd: u64,
}

pub(super) fn order_update(
    listing: &Listing,
    unit: TimeUnit,
    event_time: TimeNs,
    report: &ContractReport,
) -> String {
    let ContractReport { execution, order, status, filled } = report;
    let (kind, time_in_force) = kind_names(&order.kind);
    // Clients know the exchange's own orders by their type.
    let is_forced = order.at_contract.is_some_and(|at| at.cause == OrderCause::Liquidation);
    let kind = if is_forced { "LIQUIDATION" } else { kind };
    let of_trade = |of: fn(&Listing, &model::ContractFilled) -> Decimal, nothing: Decimal| {
        filled.as_ref().map_or(nothing, |filled| of(listing, filled))
    };
    let no_money = listing.quote_amount(Amount::ZERO);
    json(&OrderUpdate {
        e: "ORDER_TRADE_UPDATE",
        event_time: unit.of(event_time),
        time: unit.of(order.updated_ns),
        o: OrderOfUpdate {
            s: Symbol(listing.terms.name),
            c: name_of(order),
            side: side_name(order.side),
            o: kind,
            f: time_in_force,
            q: listing.quantity(order.qty_lots),
            p: listing.price(order.price_ticks().unwrap_or(PriceTicks::ZERO)),
            ap: average_price(listing, order),
            sp: listing.price(PriceTicks::ZERO),
            x: execution,
            status: status_name(*status),
            i: order.id.0,
            l: of_trade(|listing, filled| listing.quantity(filled.qty_lots), listing.quantity(QtyLots::ZERO)),
            z: listing.quantity(order.executed_lots),
            last_price: of_trade(
                |listing, filled| listing.price(filled.price_ticks),
                listing.price(PriceTicks::ZERO),
            ),
            commission_asset: Asset(listing.quote.name),
            n: of_trade(|listing, filled| listing.quote_amount(filled.fee), no_money),
            time: unit.of(order.updated_ns),
            t: filled.as_ref().map_or(0, |filled| filled.trade.0),
            b: no_money,
            a: no_money,
            m: filled.as_ref().is_some_and(|filled| filled.liquidity == Liquidity::Maker),
            reduce_only: order.at_contract.is_some_and(|at| at.reduce_only),
            wt: "CONTRACT_PRICE",
            ot: kind,
            ps: BOTH,
            cp: false,
            rp: of_trade(|listing, filled| listing.quote_amount(filled.realized), no_money),
            price_protect: false,
            si: 0,
            ss: 0,
            self_trade_prevention: stp_name(order.self_trade_prevention),
            pm: "NONE",
            gtd: 0,
        },
    })
}

#[derive(Serialize)]
struct AccountUpdate {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: u64,
    #[serde(rename = "T")]
    time: u64,
    a: AccountOfUpdate,
}

#[derive(Serialize)]
struct AccountOfUpdate {
    m: &'static str,
    #[serde(rename = "B")]
    balances: Vec<BalanceOfUpdate>,
    #[serde(rename = "P")]
    positions: Vec<PositionOfUpdate>,
}

#[derive(Serialize)]
struct BalanceOfUpdate {
    a: Asset,
    wb: Decimal,
    cw: Decimal,
    bc: Decimal,
}

#[derive(Serialize)]
struct PositionOfUpdate {
    s: Symbol,
    pa: Decimal,
    ep: Decimal,
    bep: Decimal,
    /// What this update has realised.
    cr: Decimal,
    up: Decimal,
    mt: &'static str,
    iw: Decimal,
    ps: &'static str,
    ma: Asset,
}

impl PositionOfUpdate {
    fn of(listing: &Listing, prices: &Prices, position: &Position, realized: Amount) -> Self {
        let terms = &listing.terms;
        let held = margin::Position { qty_lots: position.qty_lots, cost: position.cost };
        let entry = Decimal {
            units: held.entry_price(terms, 100) * i128::from(terms.tick_size),
            scale: terms.price_scale + 2,
        };
        let mark =
            prices.get(&listing.market).map_or(terms.initial_reference_ticks, |prices| prices.mark_ticks);
        Self {
            s: Symbol(terms.name),
            pa: listing.quantity(position.qty_lots),
            ep: entry,
            bep: entry,
            cr: listing.quote_amount(realized),
            up: listing.quote_amount(held.unrealized(terms, mark)),
            mt: "cross",
            iw: listing.quote_amount(Amount::ZERO),
            ps: BOTH,
            ma: Asset(listing.quote.name),
        }
    }
}

pub(super) fn account_update(
    listings: &Listings,
    unit: TimeUnit,
    event_time: TimeNs,
    prices: &Prices,
    update: &Update,
) -> String {
    let time = unit.of(event_time);
    let balance = |(asset, wallet, change): &(model::AssetId, Amount, Amount)| {
        let terms = listings.asset(*asset).expect("wallets are of listed assets");
        let show = |amount: Amount| Decimal { units: amount.0, scale: terms.scale };
        BalanceOfUpdate { a: Asset(terms.name), wb: show(*wallet), cw: show(*wallet), bc: show(*change) }
    };
    let position = |(market, position, realized): &(model::MarketId, Position, Amount)| {
        let listing = listings.market(*market).expect("positions are at listed contracts");
        PositionOfUpdate::of(listing, prices, position, *realized)
    };
    json(&AccountUpdate {
        e: "ACCOUNT_UPDATE",
        event_time: time,
        time,
        a: AccountOfUpdate {
            m: match update.reason {
                Reason::Order => "ORDER",
                Reason::FundingFee => "FUNDING_FEE",
                Reason::Deposit => "DEPOSIT",
                Reason::Withdraw => "WITHDRAW",
                Reason::InsuranceClear => "INSURANCE_CLEAR",
            },
            balances: update.wallets.iter().map(balance).collect(),
            positions: update.positions.iter().map(position).collect(),
        },
    })
}

#[derive(Serialize)]
struct ConfigUpdate {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: u64,
    #[serde(rename = "T")]
    time: u64,
    ac: Leverage,
}

#[derive(Serialize)]
struct Leverage {
    s: Symbol,
    l: u16,
}

pub(super) fn leverage(listing: &Listing, unit: TimeUnit, event_time: TimeNs, leverage: u16) -> String {
    let time = unit.of(event_time);
    let ac = Leverage { s: Symbol(listing.terms.name), l: leverage };
    json(&ConfigUpdate { e: "ACCOUNT_CONFIG_UPDATE", event_time: time, time, ac })
}
