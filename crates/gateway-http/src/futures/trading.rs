//! The paths of futures that write orders: a request becomes a command, the command goes to the sequencer, and the views tell
//! what came of it.

use model::{Command, Event, OrderId, OrderRef};
use sequencer::Reply;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use views::Order;

use crate::endpoint::{Ask, CONTRACT_ORDER, MODIFICATION, Parameter};
use crate::errors::{ApiError, ErrorBody};
use crate::futures::account::Done;
use crate::futures::listed::{contract, optional};
use crate::futures::orders::{ContractOrderReply, order_reply};
use crate::gateway::{Gateway, Json, TimeUnit};
use crate::listings::Listing;
use crate::market_data::Symbol;
use crate::openapi::any_of_types;
use crate::orders::order_ref;
use crate::params::Params;
use crate::signature::Caller;
use dialect::contract_orders::{self, Placing, api_error};
use dialect::contracts::side_name;

/// The first refusal among what a command has caused, as futures tell it.
pub(crate) fn refused(reply: &Reply, listing: Option<&Listing>) -> Result<(), ApiError> {
    let rejected = reply.events().iter().find_map(|event| match event {
        Event::Rejected { reject, .. } => Some(reject),
        _ => None,
    });
    rejected.map_or(Ok(()), |reject| Err(api_error(reject, listing)))
}

/// The order, once the views know what a command has done to it.
async fn told(
    gateway: &Gateway,
    reply: &Reply,
    listing: &Listing,
    order: OrderId,
    unit: TimeUnit,
) -> Result<ContractOrderReply, ApiError> {
    let model = gateway.after(reply).await?;
    let found = model.with_views(|views| {
        views.contract_orders().by_id(order).map(|order| order_reply(listing, order, unit))
    });
    found.ok_or_else(ApiError::outcome_unknown)
}

async fn place_one(
    gateway: &Gateway,
    params: &Params<'_>,
    caller: Caller,
    unit: TimeUnit,
) -> Result<ContractOrderReply, ApiError> {
    let symbol = params.required("symbol")?;
    let listings = gateway.listings_with_contract(symbol).await?;
    let listing = listings.contract(symbol)?;
    check_open(gateway, listing)?;
    let Placing { command, with_result } =
        contract_orders::place(params, listing, caller, || gateway.new_client_order_id())?;
    let reply = gateway.execute(command).await?;
    refused(&reply, Some(listing))?;
    let accepted = reply.events().iter().find_map(|event| match event {
        Event::ContractOrderAccepted(accepted) if accepted.account == caller.account => Some(accepted.order),
        _ => None,
    });
    let order = accepted.ok_or_else(ApiError::outcome_unknown)?;
    let told = told(gateway, &reply, listing, order, unit).await?;
    Ok(if with_result { told } else { told.when_taken(listing) })
}

pub(crate) fn check_open(gateway: &Gateway, listing: &Listing) -> Result<(), ApiError> {
    if gateway.takes_orders(listing) {
        Ok(())
    } else {
        Err(api_error(&model::Reject::MarketClosed, Some(listing)))
    }
}

pub(crate) async fn place(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    Ok(Json::ok(&place_one(gateway, &ask.params, ask.caller(), ask.unit).await?))
}

async fn modify_one(
    gateway: &Gateway,
    params: &Params<'_>,
    caller: Caller,
    unit: TimeUnit,
) -> Result<ContractOrderReply, ApiError> {
    let symbol = params.required("symbol")?;
    // What it was placed with, the request does not say.
    let model = gateway.of_account(caller.account).await?;
    let listings = gateway.listings().await?;
    let listing = listings.contract(symbol)?;
    check_open(gateway, listing)?;
    let wanted = order_ref(params, "orderId", "origClientOrderId")?;
    let before = model.with_views(|views| {
        let orders = views.contract_orders();
        let found = match wanted {
            OrderRef::Id(id) | OrderRef::Both((id, _)) => orders.by_id(id),
            OrderRef::Client(name) => orders.by_client_id(caller.account, listing.market, &name),
        };
        let found = found.filter(|order| order.account == caller.account && order.is_open());
        found.map(|order| (order.id, order.side, order.kind, order.self_trade_prevention))
    });
    let (id, side, kind, prevention) =
        before.ok_or_else(|| api_error(&model::Reject::UnknownOrder, Some(listing)))?;
    if params.optional("side")?.is_some_and(|asked| asked != side_name(side)) {
        return Err(ApiError::invalid_side());
    }
    let command = contract_orders::modify(params, listing, caller, (&kind, prevention))?;
    let reply = gateway.execute(Command::ModifyContractOrder(command)).await?;
    refused(&reply, Some(listing))?;
    told(gateway, &reply, listing, id, unit).await
}

pub(crate) async fn modify(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    Ok(Json::ok(&modify_one(gateway, &ask.params, ask.caller(), ask.unit).await?))
}

/// Modifies several orders, one after the other; each by itself.
pub(crate) async fn modify_batch(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let mut outcomes = Vec::new();
    for object in objects(&ask.params, "batchOrders")? {
        let outcome = match parameters(&object, MODIFICATION) {
            Ok(params) => modify_one(gateway, &params, ask.caller(), ask.unit).await,
            Err(error) => Err(error),
        };
        outcomes.push(Each::from(outcome));
    }
    Ok(Json::ok(&outcomes))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Countdown {
    symbol: Symbol,
    countdown_time: String,
}

/// Has all orders of a contract cancelled after a while, unless the same is asked again before.
pub(crate) async fn countdown(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let listings = gateway.listings().await?;
    let listing = contract(&ask.params, &listings)?;
    let command = contract_orders::countdown(&ask.params, listing, ask.caller())?;
    let countdown_ms = command.countdown_ns / 1_000_000;
    let reply = gateway.execute(Command::SetCountdown(command)).await?;
    refused(&reply, Some(listing))?;
    let (symbol, countdown_time) = (Symbol(listing.terms.name), countdown_ms.to_string());
    Ok(Json::ok(&Countdown { symbol, countdown_time }))
}

/// Everything but the order itself.
pub(crate) async fn place_test(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let symbol = ask.params.required("symbol")?;
    let listings = gateway.listings_with_contract(symbol).await?;
    let listing = listings.contract(symbol)?;
    contract_orders::place(&ask.params, listing, ask.caller(), || gateway.new_client_order_id())?;
    Ok(Json::ok(&serde_json::Map::new()))
}

async fn cancel_one(
    gateway: &Gateway,
    params: &Params<'_>,
    caller: Caller,
    unit: TimeUnit,
) -> Result<ContractOrderReply, ApiError> {
    let symbol = params.required("symbol")?;
    let listings = gateway.listings_with_contract(symbol).await?;
    let listing = listings.contract(symbol)?;
    check_open(gateway, listing)?;
    let command = contract_orders::cancel(params, listing, caller)?;
    let reply = gateway.execute(Command::CancelOrder(command)).await?;
    refused(&reply, Some(listing))?;
    let ended = reply.events().iter().find_map(|event| match event {
        Event::OrderEnded(ended) if ended.account == caller.account => Some(ended.order),
        _ => None,
    });
    let order = ended.ok_or_else(ApiError::outcome_unknown)?;
    told(gateway, &reply, listing, order, unit).await
}

pub(crate) async fn cancel(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    Ok(Json::ok(&cancel_one(gateway, &ask.params, ask.caller(), ask.unit).await?))
}

pub(crate) async fn cancel_all(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let symbol = ask.params.required("symbol")?;
    let listings = gateway.listings_with_contract(symbol).await?;
    let listing = listings.contract(symbol)?;
    check_open(gateway, listing)?;
    let command = contract_orders::cancel_all(listing, ask.caller());
    let reply = gateway.execute(Command::CancelAllOrders(command)).await?;
    // That there is nothing to cancel is no error here.
    match refused(&reply, Some(listing)) {
        Err(error) if error.code != -2011 => return Err(error),
        Err(_) | Ok(()) => {}
    }
    gateway.after(&reply).await?;
    Ok(Json::ok(&Done::saying("The operation of cancel all open order is done.")))
}

/// One of several orders: what came of it, or why nothing did.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Each {
    Done(Box<ContractOrderReply>),
    Refused { code: i32, msg: String },
}

any_of_types!(Each: ContractOrderReply, ErrorBody<'_>);

impl From<Result<ContractOrderReply, ApiError>> for Each {
    fn from(outcome: Result<ContractOrderReply, ApiError>) -> Self {
        match outcome {
            Ok(reply) => Self::Done(Box::new(reply)),
            Err(error) => Self::Refused { code: error.code, msg: error.message.into_owned() },
        }
    }
}

/// Most orders of one request. Source: "Place Multiple Orders".
const MAX_BATCH: usize = 5;
/// Most cancels of one request. Source: "Cancel Multiple Orders".
const MAX_CANCELS: usize = 10;

/// A list of objects as texts by name.
fn objects(params: &Params<'_>, name: &str) -> Result<Vec<Vec<(String, String)>>, ApiError> {
    let text = params.required(name)?;
    let list: Vec<serde_json::Map<String, Value>> =
        serde_json::from_str(text).map_err(|_| ApiError::mandatory(name))?;
    if list.is_empty() {
        return Err(ApiError::mandatory(name));
    }
    if list.len() > MAX_BATCH {
        return Err(ApiError::new(
            -4082,
            format!("Invalid number of batch place orders: at most {MAX_BATCH}."),
        ));
    }
    let text_of = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    Ok(list
        .into_iter()
        .map(|object| object.into_iter().map(|(name, value)| (name, text_of(value))).collect())
        .collect())
}

/// One object of a list as the parameters of an endpoint that takes `allowed`.
fn parameters<'a>(object: &'a [(String, String)], allowed: &[Parameter]) -> Result<Params<'a>, ApiError> {
    let params = Params::of_pairs(object.iter().map(|(name, value)| (name.as_str(), value.as_str())))?;
    params.allow(allowed)?;
    Ok(params)
}

/// Places several orders, one after the other; each is taken or refused by itself.
pub(crate) async fn place_batch(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let mut outcomes = Vec::new();
    for object in objects(&ask.params, "batchOrders")? {
        let outcome = match parameters(&object, CONTRACT_ORDER) {
            Ok(params) => place_one(gateway, &params, ask.caller(), ask.unit).await,
            Err(error) => Err(error),
        };
        outcomes.push(Each::from(outcome));
    }
    Ok(Json::ok(&outcomes))
}

/// Cancels several orders of one contract.
pub(crate) async fn cancel_batch(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let symbol = ask.params.required("symbol")?;
    let list = |name: &str| -> Result<Vec<String>, ApiError> {
        let params = &ask.params;
        let sent = match params.optional(name)? {
            Some(text) => Some(text),
            None => params.optional(&name.to_ascii_lowercase())?,
        };
        let Some(text) = sent else { return Ok(Vec::new()) };
        let values: Vec<Value> = serde_json::from_str(text).map_err(|_| ApiError::mandatory(name))?;
        let text_of = |value: Value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        Ok(values.into_iter().map(text_of).collect())
    };
    let (ids, names) = (list("orderIdList")?, list("origClientOrderIdList")?);
    if ids.is_empty() && names.is_empty() {
        return Err(ApiError::either("orderIdList", "origClientOrderIdList"));
    }
    if ids.len() + names.len() > MAX_CANCELS {
        return Err(ApiError::new(-4082, format!("Invalid number of batch cancels: at most {MAX_CANCELS}.")));
    }
    let ids = ids.iter().map(|id| ("orderId", id));
    let names = names.iter().map(|name| ("origClientOrderId", name));
    let mut outcomes = Vec::new();
    for (name, value) in ids.chain(names) {
        let pairs = [("symbol", symbol), (name, value.as_str())];
        let outcome = match Params::of_pairs(pairs.into_iter()) {
            Ok(params) => cancel_one(gateway, &params, ask.caller(), ask.unit).await,
            Err(error) => Err(error),
        };
        outcomes.push(Each::from(outcome));
    }
    Ok(Json::ok(&outcomes))
}

/// The order that is meant, of the caller and at the contract that is named.
async fn find(gateway: &Gateway, ask: &Ask<'_>, open_only: bool) -> Result<Json, ApiError> {
    let account = ask.caller().account;
    let model = gateway.of_account(account).await?;
    let listings = gateway.listings().await?;
    let listing = contract(&ask.params, &listings)?;
    let wanted = order_ref(&ask.params, "orderId", "origClientOrderId")?;
    let reply = model.with_views(|views| {
        let orders = views.contract_orders();
        let found: Option<&Order> = match wanted {
            OrderRef::Id(id) | OrderRef::Both((id, _)) => orders.by_id(id),
            OrderRef::Client(name) => orders.by_client_id(account, listing.market, &name),
        };
        found
            .filter(|order| order.account == account && order.market == listing.market)
            .filter(|order| !open_only || order.is_open())
            .map(|order| order_reply(listing, order, ask.unit))
    });
    Ok(Json::ok(&reply.ok_or_else(ApiError::no_such_order)?))
}

pub(crate) async fn query_order(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    find(gateway, ask, false).await
}

pub(crate) async fn open_order(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    find(gateway, ask, true).await
}

pub(crate) async fn open_orders(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let account = ask.caller().account;
    let model = gateway.of_account(account).await?;
    let listings = gateway.listings().await?;
    let market = optional(&ask.params, &listings)?.map(|listing| listing.market);
    let open: Vec<Order> = model.with_views(|views| {
        let orders = views.contract_orders();
        let open = match market {
            Some(market) => orders.open_in(account, market),
            None => orders.open(account),
        };
        open.into_iter().cloned().collect()
    });
    // Asked for behind the orders, they have every contract that an order is at.
    let listings = gateway.listings().await?;
    let reply = |order: &Order| {
        let listing = listings.market(order.market).expect("orders are at listed contracts");
        order_reply(listing, order, ask.unit)
    };
    Ok(Json::ok(&open.iter().map(reply).collect::<Vec<_>>()))
}
