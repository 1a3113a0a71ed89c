//! The paths that write: a request becomes a command, the command goes to the sequencer, and what came of it becomes the
//! answer. The two translations are in [`crate::orders`] and [`crate::order_replies`]. Source: rest-api.md "Trading endpoints".

use model::{AccountId, ClientOrderId, Command, OrderRef};
use sequencer::Reply;

use crate::account::TestCommission;
use crate::endpoint::Ask;
use crate::errors::ApiError;
use crate::gateway::{Gateway, Json, TimeUnit};
use crate::order_replies::Outcome;
use crate::orders::{self, Cancelling, Placing, Replacing};
use crate::rejects::Asked;

fn outcome(account: AccountId, reply: &Reply, unit: TimeUnit) -> Outcome<'_> {
    Outcome { account, events: reply.events(), time_ns: reply.time_ns(), unit }
}

pub(crate) async fn place(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let params = &ask.params;
    let caller = ask.caller();
    let unit = ask.unit;
    let symbol = params.required("symbol")?;
    let listings = gateway.listings_with(symbol).await?;
    let listing = listings.symbol(symbol)?;
    gateway.check_open(Asked::Place, listing)?;
    let Placing { command, response, labels } =
        orders::place(params, listing, caller, || gateway.new_client_order_id())?;
    let reply = gateway.execute(Command::PlaceOrder(command)).await?;
    Ok(Json::ok(&outcome(caller.account, &reply, unit).placed(listing, response, labels)?))
}

/// Everything but the order itself: what would be refused before it became a command is refused, the rest is `{}`.
pub(crate) async fn place_test(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let params = &ask.params;
    let caller = ask.caller();
    let symbol = params.required("symbol")?;
    let listings = gateway.listings_with(symbol).await?;
    let listing = listings.symbol(symbol)?;
    orders::place(params, listing, caller, || gateway.new_client_order_id())?;
    if params.flag("computeCommissionRates")? {
        return Ok(Json::ok(&TestCommission::of(listing)));
    }
    Ok(Json::ok(&serde_json::Map::new()))
}

pub(crate) async fn cancel(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let params = &ask.params;
    let caller = ask.caller();
    let unit = ask.unit;
    let symbol = params.required("symbol")?;
    let listings = gateway.listings_with(symbol).await?;
    let listing = listings.symbol(symbol)?;
    gateway.check_open(Asked::Cancel, listing)?;
    let Cancelling { command, cancel_id } =
        orders::cancel(params, listing, caller, || gateway.new_client_order_id())?;
    let reply = gateway.execute(Command::CancelOrder(command)).await?;
    let cancelled = gateway.after(&reply).await?.with_views(|views| {
        outcome(caller.account, &reply, unit).order_cancelled(listing, views.orders(), cancel_id)
    })?;
    Ok(Json::ok(&cancelled))
}

pub(crate) async fn cancel_all(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let params = &ask.params;
    let caller = ask.caller();
    let unit = ask.unit;
    let symbol = params.required("symbol")?;
    let listings = gateway.listings_with(symbol).await?;
    let listing = listings.symbol(symbol)?;
    gateway.check_open(Asked::Cancel, listing)?;
    let cancel_id = gateway.new_client_order_id()?;
    let reply = gateway.execute(Command::CancelAllOrders(orders::cancel_all(listing, caller))).await?;
    let cancelled = gateway.after(&reply).await?.with_views(|views| {
        outcome(caller.account, &reply, unit).all_cancelled(listing, views.orders(), cancel_id)
    })?;
    Ok(Json::ok(&cancelled))
}

pub(crate) async fn cancel_replace(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let params = &ask.params;
    let caller = ask.caller();
    let unit = ask.unit;
    let symbol = params.required("symbol")?;
    let listings = gateway.listings_with(symbol).await?;
    let listing = listings.symbol(symbol)?;
    gateway.check_open(Asked::Place, listing)?;
    let Replacing { command, response, labels, cancel_id } =
        orders::replace(params, listing, caller, || gateway.new_client_order_id())?;
    let reply = gateway.execute(Command::ReplaceOrder(Box::new(command))).await?;
    let (status, replaced) = gateway.after(&reply).await?.with_views(|views| {
        outcome(caller.account, &reply, unit).replaced(listing, views.orders(), cancel_id, response, labels)
    })?;
    Ok(Json::with_status(status, &replaced))
}

pub(crate) async fn amend(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let params = &ask.params;
    let caller = ask.caller();
    let unit = ask.unit;
    let symbol = params.required("symbol")?;
    // The answer tells what the order was called before, which is over once the command is applied.
    let model = gateway.of_account(caller.account).await?;
    let listings = gateway.listings().await?;
    let listing = listings.symbol(symbol)?;
    gateway.check_open(Asked::Amend, listing)?;
    let command = orders::amend(params, listing, caller, || gateway.new_client_order_id())?;
    let name_before: Option<ClientOrderId> = match command.order {
        OrderRef::Client(name) | OrderRef::Both((_, name)) => Some(name),
        OrderRef::Id(id) => {
            model.with_views(|views| views.orders().by_id(id).map(|order| order.client_order_id))
        }
    };
    let reply = gateway.execute(Command::AmendOrder(command)).await?;
    let amended = gateway.after(&reply).await?.with_views(|views| {
        // The command's place in the journal serves as the number of the execution: unique, and rising.
        outcome(caller.account, &reply, unit).amended(listing, views.orders(), name_before, reply.seq().0)
    })?;
    Ok(Json::ok(&amended))
}
