//! Assets and markets: listing them, and changing a market's terms.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use model::{AddAsset, AddMarket, AssetId, AssetTerms, Command, Event};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::market_form::MarketReply;
use super::{Admin, AdminError, Authorized, MarketChange, MarketForm};
use crate::account::Asset;
use crate::gateway::Json;
use crate::listings::{Listing, Listings, asset_name};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAsset {
    name: String,
    /// Decimals, 0 to 18.
    #[schema(maximum = 18)]
    scale: u8,
}

#[derive(Serialize, ToSchema)]
pub(super) struct AssetReply {
    asset: u32,
    name: Asset,
    scale: u8,
}

impl AssetReply {
    fn of((asset, terms): (AssetId, &AssetTerms)) -> Self {
        Self { asset: asset.0, name: Asset(terms.name), scale: terms.scale }
    }
}

pub(super) async fn assets(State(admin): State<Arc<Admin>>, _: Authorized) -> Result<Json, AdminError> {
    Ok(Json::ok(&admin.listings().await?.assets().map(AssetReply::of).collect::<Vec<_>>()))
}

pub(super) async fn add_asset(
    State(admin): State<Arc<Admin>>,
    request: Authorized,
) -> Result<Json, AdminError> {
    let NewAsset { name, scale } = request.json()?;
    let name = asset_name(&name).map_err(|problem| AdminError::bad_request(format!("name: {problem}")))?;
    let terms = AssetTerms { name, scale };
    let reply = admin.execute(Command::AddAsset(AddAsset { terms })).await?;
    let added = reply
        .events()
        .iter()
        .find_map(|event| if let Event::AssetAdded { asset, .. } = event { Some(*asset) } else { None });
    let asset = added.expect("a command that is not refused does what it says");
    Ok(Json::with_status(StatusCode::CREATED, &AssetReply::of((asset, &terms))))
}

pub(super) async fn markets(State(admin): State<Arc<Admin>>, _: Authorized) -> Result<Json, AdminError> {
    Ok(Json::ok(&admin.listings().await?.markets().iter().map(MarketReply::of).collect::<Vec<_>>()))
}

fn asset<'l>(
    listings: &'l Listings,
    field: &str,
    name: &str,
) -> Result<(AssetId, &'l AssetTerms), AdminError> {
    listings
        .asset_named(name)
        .ok_or_else(|| AdminError::bad_request(format!("{field}: there is no asset '{name}'; add it first")))
}

/// The market as it is once the command is in the views.
async fn told(admin: &Admin, name: &str, status: StatusCode) -> Result<Json, AdminError> {
    let listings = admin.listings().await?;
    Ok(Json::with_status(status, &MarketReply::of(market(&listings, name)?)))
}

fn market<'l>(listings: &'l Listings, name: &str) -> Result<&'l Listing, AdminError> {
    listings.symbol(name).map_err(|_| AdminError::not_found(format!("there is no market '{name}'")))
}

pub(super) async fn add_market(
    State(admin): State<Arc<Admin>>,
    request: Authorized,
) -> Result<Json, AdminError> {
    let form: MarketForm = request.json()?;
    let listings = admin.listings().await?;
    let (base, quote) = (asset(&listings, "base", &form.base)?, asset(&listings, "quote", &form.quote)?);
    let terms = form.terms(base, quote)?;
    admin.execute(Command::AddMarket(AddMarket { terms })).await?;
    told(&admin, &form.name, StatusCode::CREATED).await
}

pub(super) async fn change_market(
    State(admin): State<Arc<Admin>>,
    Path(name): Path<String>,
    request: Authorized,
) -> Result<Json, AdminError> {
    let change: MarketChange = request.json()?;
    let listings = admin.listings().await?;
    let listing = market(&listings, &name)?;
    let terms = change.applied_to(&listing.terms, &listing.base, &listing.quote)?;
    admin.execute(Command::ChangeMarket(AddMarket { terms })).await?;
    told(&admin, &name, StatusCode::OK).await
}
