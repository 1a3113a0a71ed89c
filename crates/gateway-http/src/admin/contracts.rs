//! Perpetual contracts: listing them, changing their terms, and prices of feeds.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use model::{AccountId, AccountName, AddContract, Command, MarketName, PartitionId, SetIndexPrice};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::contract_form::{ContractReply, Named};
use super::listed::asset;
use super::{Admin, AdminError, Authorized, ContractChange, ContractForm};
use crate::gateway::Json;
use crate::listings::{Listing, Listings};
use crate::market_data::Symbol;

fn contract<'l>(listings: &'l Listings, name: &str) -> Result<&'l Listing, AdminError> {
    listings.contract(name).map_err(|_| AdminError::not_found(format!("there is no contract '{name}'")))
}

fn reply(admin: &Admin, listings: &Listings, listing: &Listing) -> ContractReply {
    admin.gateway().read_models.directory().with_views(|views| {
        let account = |account| {
            let found = views.catalog().account(account);
            found.map(|account| account.name.to_string()).unwrap_or_default()
        };
        let market = |market| {
            listings.market(market).map(|listing| listing.terms.name.to_string()).unwrap_or_default()
        };
        ContractReply::of(listing, account, market)
    })
}

/// Looks up those that a contract's settings name.
fn with_named<R>(admin: &Admin, listings: &Listings, use_them: impl FnOnce(&Named<'_>) -> R) -> R {
    let account = |name: &str| -> Option<AccountId> {
        let name = AccountName::new(name).ok()?;
        admin.gateway().read_models.directory().with_views(|views| views.catalog().account_by_name(&name))
    };
    let market = |name: &str| listings.symbol(name).ok().map(|listing| listing.market);
    use_them(&Named { account: &account, market: &market })
}

pub(super) async fn list(State(admin): State<Arc<Admin>>, _: Authorized) -> Result<Json, AdminError> {
    let listings = admin.listings().await?;
    let all: Vec<ContractReply> =
        listings.contracts().map(|listing| reply(&admin, &listings, listing)).collect();
    Ok(Json::ok(&all))
}

/// The contract as it is once the command is in the views.
async fn told(admin: &Admin, name: &str, status: StatusCode) -> Result<Json, AdminError> {
    let listings = admin.listings().await?;
    Ok(Json::with_status(status, &reply(admin, &listings, contract(&listings, name)?)))
}

pub(super) async fn add(State(admin): State<Arc<Admin>>, request: Authorized) -> Result<Json, AdminError> {
    let form: ContractForm = request.json()?;
    let listings = admin.listings().await?;
    let market = &form.market;
    let (base, quote) = (asset(&listings, "base", &market.base)?, asset(&listings, "quote", &market.quote)?);
    let (terms, contract) = with_named(&admin, &listings, |named| form.terms(base, quote, named))?;
    let partition = PartitionId(market.partition.unwrap_or_default());
    admin.execute(Command::AddContract(Box::new(AddContract { terms, contract, partition }))).await?;
    told(&admin, &market.name, StatusCode::CREATED).await
}

pub(super) async fn change(
    State(admin): State<Arc<Admin>>,
    Path(name): Path<String>,
    request: Authorized,
) -> Result<Json, AdminError> {
    let change: ContractChange = request.json()?;
    let listings = admin.listings().await?;
    let listing = contract(&listings, &name)?;
    let terms = change.market.applied_to(&listing.terms, &listing.base, &listing.quote)?;
    let before = listing.contract.as_ref().expect("a contract has terms of a contract");
    let assets = (&listing.base, &listing.quote);
    let contract =
        with_named(&admin, &listings, |named| change.perpetual.applied_to(before, &terms, assets, named))?;
    let partition = listing.home;
    admin.execute(Command::ChangeContract(Box::new(AddContract { terms, contract, partition }))).await?;
    told(&admin, &name, StatusCode::OK).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct IndexPrice {
    /// Which of the contract's sources says so, in their order, from 0. Default: the first one that is a feed.
    #[serde(default)]
    source: Option<u8>,
    price: String,
}

#[derive(Serialize, ToSchema)]
pub(super) struct IndexPriceReply {
    contract: Symbol,
    source: u8,
    price: crate::decimal::Decimal,
    /// In milliseconds.
    time: u64,
}

/// A price of a feed.
pub(super) async fn set_index_price(
    State(admin): State<Arc<Admin>>,
    Path(name): Path<String>,
    request: Authorized,
) -> Result<Json, AdminError> {
    let IndexPrice { source, price } = request.json()?;
    let listings = admin.gateway().listings_with_contract(&name).await?;
    let listing = contract(&listings, &name)?;
    let sources = &listing.contract.as_ref().expect("a contract has terms of a contract").sources;
    let first_feed = || {
        let feed = sources.iter().position(|source| source.market.is_none());
        let none = || format!("{name} has no feed among the sources of its index price");
        let feed = feed.and_then(|feed| u8::try_from(feed).ok());
        feed.ok_or_else(|| AdminError::bad_request(none()))
    };
    let source = source.map_or_else(first_feed, Ok)?;
    let price_ticks = listing.price_ticks("price", &price)?;
    let command = SetIndexPrice { partition: listing.home, market: listing.market, source, price_ticks };
    let reply = admin.execute(Command::SetIndexPrice(command)).await?;
    Ok(Json::ok(&IndexPriceReply {
        contract: Symbol(MarketName::new(&name).expect("it was found by its name")),
        source,
        price: listing.price(price_ticks),
        time: reply.time_ns().as_millis(),
    }))
}
