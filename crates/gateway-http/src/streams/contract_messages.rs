//! The messages of futures as JSON: of markets where they differ from those of spot, and what an account is told of itself. Source:
//! "Websocket Market Streams", "User Data Streams"; the fields that real clients read.

use model::{Amount, Liquidity, MarkPriceChanged, OrderCause, PriceTicks, QtyLots, TimeNs};
use serde::Serialize;
use views::{AlgoOrder, Order};

use crate::account::Asset;
use crate::decimal::Decimal;
use crate::futures::margins::{Prices, Standing, Stood};
use crate::futures::orders::good_till;
use crate::gateway::TimeUnit;
use crate::listings::{Listing, Listings};
use crate::market_data::Symbol;
use crate::order_replies::{status_name, stp_name};
use crate::streams::contract_feed::{Changed, ContractReport, Reason, Update};
use dialect::algo_orders::{Shown, actual_price, callback_rate, status_name as status_of_algo};
use dialect::contract_orders::api_error;
use dialect::contracts::{
    average_price, entry_price, funding_rate, name_of, names_of, position_side_name, position_side_of,
    side_name,
};

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
        r: funding_rate(prices.rate),
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
    let (kind, time_in_force) = names_of(order);
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
    let (kind, time_in_force) = names_of(order);
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
            ps: position_side_name(position_side_of(order)),
            cp: false,
            rp: of_trade(|listing, filled| listing.quote_amount(filled.realized), no_money),
            price_protect: false,
            si: 0,
            ss: 0,
            self_trade_prevention: stp_name(order.self_trade_prevention),
            pm: "NONE",
            gtd: good_till(order, unit),
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
    fn of(listing: &Listing, prices: &Prices, changed: &Changed) -> Self {
        let Changed { position, position_side, margin, realized, .. } = changed;
        let terms = &listing.terms;
        let held = margin::Position { qty_lots: position.qty_lots, cost: position.cost };
        let entry = entry_price(listing, &held);
        let mark =
            prices.get(&listing.market).map_or(terms.initial_reference_ticks, |prices| prices.mark_ticks);
        Self {
            s: Symbol(terms.name),
            pa: listing.quantity(position.qty_lots),
            ep: entry,
            bep: entry,
            cr: listing.quote_amount(*realized),
            up: listing.quote_amount(held.unrealized(terms, mark)),
            mt: if margin.is_some() { "isolated" } else { "cross" },
            iw: listing.quote_amount(margin.unwrap_or_default()),
            ps: position_side_name(*position_side),
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
    let position = |changed: &Changed| {
        let listing = listings.market(changed.market).expect("positions are at listed contracts");
        PositionOfUpdate::of(listing, prices, changed)
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
                Reason::MarginTransfer => "MARGIN_TRANSFER",
                Reason::MarginTypeChange => "MARGIN_TYPE_CHANGE",
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

#[derive(Serialize)]
struct MarginCall {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: u64,
    /// What is in the wallet that backs the positions; missing of an isolated one.
    #[serde(skip_serializing_if = "Option::is_none")]
    cw: Option<Decimal>,
    p: Vec<PositionOfCall>,
}

#[derive(Serialize)]
struct PositionOfCall {
    s: Symbol,
    ps: &'static str,
    pa: Decimal,
    mt: &'static str,
    iw: Decimal,
    mp: Decimal,
    up: Decimal,
    mm: Decimal,
}

/// That little is missing to a liquidation.
pub(super) fn margin_call(unit: TimeUnit, event_time: TimeNs, standing: &Standing<'_>) -> String {
    let first = standing.positions.first().expect("what stands has a position").listing;
    let own = if standing.is_isolated { standing.wallet } else { Amount::ZERO };
    let position = |stood: &Stood<'_>| PositionOfCall {
        s: Symbol(stood.listing.terms.name),
        ps: position_side_name(stood.position_side),
        pa: stood.listing.quantity(stood.position.qty_lots),
        mt: if standing.is_isolated { "ISOLATED" } else { "CROSSED" },
        iw: stood.listing.quote_amount(own),
        mp: stood.listing.price(stood.mark),
        up: stood.listing.quote_amount(stood.unrealized),
        mm: stood.listing.quote_amount(stood.maintenance.atoms_rounded_up()),
    };
    json(&MarginCall {
        e: "MARGIN_CALL",
        event_time: unit.of(event_time),
        cw: (!standing.is_isolated).then(|| first.quote_amount(standing.wallet)),
        p: standing.positions.iter().map(position).collect(),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListenKeyExpired<'k> {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: u64,
    listen_key: &'k str,
}

/// That nothing more comes under a listen key.
pub(super) fn listen_key_expired(unit: TimeUnit, event_time: TimeNs, listen_key: &str) -> String {
    json(&ListenKeyExpired { e: "listenKeyExpired", event_time: unit.of(event_time), listen_key })
}

#[derive(Serialize)]
struct AlgoUpdate {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: u64,
    #[serde(rename = "T")]
    time: u64,
    o: AlgoOfUpdate,
}

#[derive(Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "the fields of the wire")]
struct AlgoOfUpdate {
    caid: String,
    aid: u64,
    at: &'static str,
    o: &'static str,
    s: Symbol,
    #[serde(rename = "S")]
    side: &'static str,
    ps: &'static str,
    f: &'static str,
    q: Decimal,
    #[serde(rename = "X")]
    status: &'static str,
    ai: String,
    ap: Decimal,
    aq: Decimal,
    act: &'static str,
    tp: Decimal,
    p: Decimal,
    #[serde(rename = "V")]
    self_trade_prevention: &'static str,
    wt: &'static str,
    pm: &'static str,
    cp: bool,
    #[serde(rename = "pP")]
    price_protect: bool,
    #[serde(rename = "R")]
    reduce_only: bool,
    tt: u64,
    gtd: u64,
    rm: String,
    #[serde(rename = "AP", skip_serializing_if = "Option::is_none")]
    activation_price: Option<Decimal>,
    #[serde(rename = "cr", skip_serializing_if = "Option::is_none")]
    callback_rate: Option<Decimal>,
}

pub(super) fn algo_update(
    listing: &Listing,
    unit: TimeUnit,
    event_time: TimeNs,
    order: &AlgoOrder,
) -> String {
    let (shown, accepted) = (Shown::of(order), &order.accepted);
    let reason = order.reject.map(|reject| api_error(&reject, Some(listing)).message.into_owned());
    json(&AlgoUpdate {
        e: "ALGO_UPDATE",
        event_time: unit.of(event_time),
        time: unit.of(order.updated_ns),
        o: AlgoOfUpdate {
            caid: accepted.client_algo_id.to_string(),
            aid: accepted.algo.0,
            at: "CONDITIONAL",
            o: shown.order_type,
            s: Symbol(listing.terms.name),
            side: side_name(accepted.side),
            ps: position_side_name(accepted.position_side),
            f: shown.time_in_force,
            q: listing.quantity(shown.qty_lots),
            status: status_of_algo(order.status),
            ai: order.placed.map(|placed| placed.order.0.to_string()).unwrap_or_default(),
            ap: actual_price(listing, order),
            aq: listing.quantity(order.placed.map_or(QtyLots::ZERO, |placed| placed.executed_lots)),
            act: if shown.price_ticks == PriceTicks::ZERO { "MARKET" } else { "LIMIT" },
            tp: listing.price(shown.trigger_ticks),
            p: listing.price(shown.price_ticks),
            self_trade_prevention: stp_name(accepted.self_trade_prevention),
            wt: shown.working_type,
            pm: "NONE",
            cp: shown.closes_position,
            price_protect: accepted.price_protect,
            reduce_only: shown.reduce_only,
            tt: order.placed.map_or(0, |placed| unit.of(placed.triggered_ns)),
            gtd: 0,
            rm: reason.unwrap_or_default(),
            activation_price: shown.activation_ticks.map(|ticks| listing.price(ticks)),
            callback_rate: shown.callback_permille.map(callback_rate),
        },
    })
}

#[derive(Serialize)]
struct TriggerRejected {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: u64,
    #[serde(rename = "T")]
    time: u64,
    or: Rejected,
}

#[derive(Serialize)]
struct Rejected {
    s: Symbol,
    i: u64,
    r: String,
}

/// That the order of an algo order was refused, as clients were told before there was `ALGO_UPDATE`.
pub(super) fn trigger_rejected(
    listing: &Listing,
    unit: TimeUnit,
    event_time: TimeNs,
    order: &AlgoOrder,
) -> Option<String> {
    let reject = order.reject?;
    let time = unit.of(event_time);
    let r = api_error(&reject, Some(listing)).message.into_owned();
    let or = Rejected { s: Symbol(listing.terms.name), i: order.accepted.algo.0, r };
    Some(json(&TriggerRejected { e: "CONDITIONAL_ORDER_TRIGGER_REJECT", event_time: time, time, or }))
}
