//! Orders that wait for a price of a contract ("algo orders"): placing, cancelling and asking for them. Source: "New Algo Order",
//! "Query Algo Order".

use model::{AlgoId, AlgoRef, Command, Event};
use serde::Serialize;
use utoipa::ToSchema;
use views::{AlgoOrder, Page, Views};

use crate::decimal::Decimal;
use crate::endpoint::Ask;
use crate::errors::ApiError;
use crate::futures::account::Done;
use crate::futures::listed::{contract, optional};
use crate::futures::trading::{check_open, refused};
use crate::gateway::{Gateway, Json, TimeUnit};
use crate::listings::{Listing, Listings};
use crate::market_data::Symbol;
use crate::openapi::words;
use crate::order_replies::stp_name;
use dialect::algo_orders::{self, Shown, actual_price, callback_rate, status_name};
use dialect::contracts::{position_side_name, side_name};

/// An algo order.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(clippy::struct_excessive_bools, reason = "the fields of the wire")]
pub(crate) struct AlgoReply {
    algo_id: u64,
    client_algo_id: String,
    algo_type: &'static str,
    order_type: &'static str,
    symbol: Symbol,
    #[schema(schema_with = words::side)]
    side: &'static str,
    position_side: &'static str,
    time_in_force: &'static str,
    quantity: Decimal,
    algo_status: &'static str,
    /// Of the order that was placed for it; empty before that.
    actual_order_id: String,
    actual_price: Decimal,
    trigger_price: Decimal,
    price: Decimal,
    self_trade_prevention_mode: &'static str,
    working_type: &'static str,
    price_match: &'static str,
    close_position: bool,
    price_protect: bool,
    reduce_only: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    activate_price: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    callback_rate: Option<Decimal>,
    create_time: u64,
    update_time: u64,
    trigger_time: u64,
    good_till_date: u64,
}

fn reply_of(listing: &Listing, order: &AlgoOrder, unit: TimeUnit) -> AlgoReply {
    let shown = Shown::of(order);
    let accepted = &order.accepted;
    AlgoReply {
        algo_id: accepted.algo.0,
        client_algo_id: accepted.client_algo_id.to_string(),
        algo_type: "CONDITIONAL",
        order_type: shown.order_type,
        symbol: Symbol(listing.terms.name),
        side: side_name(accepted.side),
        position_side: position_side_name(accepted.position_side),
        time_in_force: shown.time_in_force,
        quantity: listing.quantity(shown.qty_lots),
        algo_status: status_name(order.status),
        actual_order_id: order.placed.map(|placed| placed.order.0.to_string()).unwrap_or_default(),
        actual_price: actual_price(listing, order),
        trigger_price: listing.price(shown.trigger_ticks),
        price: listing.price(shown.price_ticks),
        self_trade_prevention_mode: stp_name(accepted.self_trade_prevention),
        working_type: shown.working_type,
        price_match: "NONE",
        close_position: shown.closes_position,
        price_protect: accepted.price_protect,
        reduce_only: shown.reduce_only,
        activate_price: shown.activation_ticks.map(|ticks| listing.price(ticks)),
        callback_rate: shown.callback_permille.map(callback_rate),
        create_time: unit.of(order.accepted_ns),
        update_time: unit.of(order.updated_ns),
        trigger_time: order.placed.map_or(0, |placed| unit.of(placed.triggered_ns)),
        good_till_date: 0,
    }
}

pub(crate) async fn place(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let symbol = ask.params.required("symbol")?;
    let listings = gateway.listings_with_contract(symbol).await?;
    let listing = listings.contract(symbol)?;
    check_open(gateway, listing)?;
    let command = algo_orders::place(&ask.params, listing, ask.caller(), || gateway.new_client_order_id())?;
    let reply = gateway.execute(Command::PlaceAlgoOrder(Box::new(command))).await?;
    refused(&reply, Some(listing))?;
    let accepted = reply.events().iter().find_map(|event| match event {
        Event::AlgoOrderAccepted(accepted) => Some(accepted.algo),
        _ => None,
    });
    let algo = accepted.ok_or_else(ApiError::outcome_unknown)?;
    let told = gateway
        .after(&reply)
        .await?
        .with_views(|views| views.algo_orders().by_id(algo).map(|order| reply_of(listing, order, ask.unit)));
    Ok(Json::ok(&told.ok_or_else(ApiError::outcome_unknown)?))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AlgoCancelled {
    algo_id: u64,
    client_algo_id: String,
    code: &'static str,
    msg: &'static str,
}

pub(crate) async fn cancel(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let command = algo_orders::cancel(&ask.params, ask.caller())?;
    let reply = gateway.execute(Command::CancelAlgoOrder(command)).await?;
    refused(&reply, None)?;
    let ended = reply.events().iter().find_map(|event| match event {
        Event::AlgoOrderEnded(ended) => Some(ended.algo),
        _ => None,
    });
    let algo = ended.ok_or_else(ApiError::outcome_unknown)?;
    let name = gateway.after(&reply).await?.with_views(|views| {
        views.algo_orders().by_id(algo).map(|order| order.accepted.client_algo_id.to_string())
    });
    Ok(Json::ok(&AlgoCancelled {
        algo_id: algo.0,
        client_algo_id: name.unwrap_or_default(),
        code: "200",
        msg: "success",
    }))
}

pub(crate) async fn cancel_all(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let listings = gateway.listings().await?;
    let listing = contract(&ask.params, &listings)?;
    let command = algo_orders::cancel_all(listing, ask.caller());
    let reply = gateway.execute(Command::CancelAllAlgoOrders(command)).await?;
    // That there is nothing to cancel is no error here.
    match refused(&reply, Some(listing)) {
        Err(error) if error.code != -2011 => return Err(error),
        Err(_) | Ok(()) => {}
    }
    gateway.after(&reply).await?;
    Ok(Json::ok(&Done::saying("The operation of cancel all open order is done.")))
}

pub(crate) async fn query(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let account = ask.caller().account;
    let wanted = algo_orders::algo_ref(&ask.params)?;
    let model = gateway.of_account(account).await?;
    let listings = gateway.listings().await?;
    let found = model.with_views(|views| {
        let orders = views.algo_orders();
        let found = match wanted {
            AlgoRef::Id(algo) => orders.by_id(algo),
            AlgoRef::Client(name) => orders.by_client_id(account, name),
        };
        found.filter(|order| order.accepted.account == account).cloned()
    });
    let order = found.ok_or_else(ApiError::no_such_order)?;
    Ok(Json::ok(&shown(&listings, &order, ask.unit)))
}

fn shown(listings: &Listings, order: &AlgoOrder, unit: TimeUnit) -> AlgoReply {
    let listing = listings.market(order.accepted.market).expect("algo orders are at listed contracts");
    reply_of(listing, order, unit)
}

pub(crate) async fn open(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let account = ask.caller().account;
    if !matches!(ask.params.optional("algoType")?, None | Some("CONDITIONAL")) {
        return Ok(Json::ok(&[(); 0]));
    }
    let wanted = ask.params.optional_number("algoId")?.map(AlgoId);
    let model = gateway.of_account(account).await?;
    let listings = gateway.listings().await?;
    let market = optional(&ask.params, &listings)?.map(|listing| listing.market);
    let open: Vec<AlgoOrder> = model.with_views(|views: &Views| {
        let open = match market {
            Some(market) => views.algo_orders().open_in(account, market),
            None => views.algo_orders().open(account),
        };
        let is_wanted = |order: &&AlgoOrder| wanted.is_none_or(|wanted| order.accepted.algo == wanted);
        open.into_iter().filter(is_wanted).cloned().collect()
    });
    // Asked for behind the orders, they have every contract that an order is at.
    let listings = gateway.listings().await?;
    Ok(Json::ok(&open.iter().map(|order| shown(&listings, order, ask.unit)).collect::<Vec<_>>()))
}

pub(crate) async fn all(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let account = ask.caller().account;
    let page = Page {
        from: ask.params.optional_number("algoId")?.map(AlgoId),
        start_ns: ask.params.optional_start("startTime")?,
        end_ns: ask.params.optional_end("endTime")?,
        limit: ask.params.limit(500, gateway.settings.max_list_entries)?,
    };
    let model = gateway.of_account(account).await?;
    let listings = gateway.listings().await?;
    let listing = contract(&ask.params, &listings)?;
    let told: Vec<AlgoReply> = model.with_views(|views| {
        let orders = views.algo_orders().all(account, listing.market, &page);
        orders.into_iter().map(|order| reply_of(listing, order, ask.unit)).collect()
    });
    Ok(Json::ok(&told))
}
