//! Assets and markets: listing them, and changing a market's terms.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use model::{AddAsset, AddMarket, AddMarketTo, AssetId, AssetTerms, Command, Event, MoveMarket, PartitionId};
use sequencer::Egress;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::market_form::MarketReply;
use super::{Admin, AdminError, Authorized, MarketChange, MarketForm};
use crate::account::Asset;
use crate::gateway::Json;
use crate::listings::{Listing, Listings, asset_name};
use crate::read_model::ReadModel;

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
    Ok(Json::ok(&admin.listings().await?.markets().map(MarketReply::of).collect::<Vec<_>>()))
}

pub(super) fn asset<'l>(
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
    let command = match form.partition {
        None | Some(0) => Command::AddMarket(Box::new(AddMarket { terms })),
        Some(partition) => {
            Command::AddMarketTo(Box::new(AddMarketTo { terms, partition: PartitionId(partition) }))
        }
    };
    admin.execute(command).await?;
    told(&admin, &form.name, StatusCode::CREATED).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MarketMove {
    /// The partition where it is to live.
    to: u8,
}

/// How often is looked whether a market has arrived.
const NEXT_LOOK: Duration = Duration::from_millis(2);

/// Moves a market with all its orders, and answers when it goes on there.
pub(super) async fn move_market(
    State(admin): State<Arc<Admin>>,
    Path(name): Path<String>,
    request: Authorized,
) -> Result<Json, AdminError> {
    let MarketMove { to } = request.json()?;
    let moved = market(&*admin.listings().await?, &name)?.market;
    admin.execute(Command::MoveMarket(MoveMarket { market: moved, to: PartitionId(to) })).await?;
    let begun = Instant::now();
    loop {
        let listings = admin.listings().await?;
        let listing = market(&listings, &name)?;
        if listing.moving_to.is_none() {
            // Whoever is told of it finds it there.
            admin.gateway().with_market(listing, |_| ()).await?;
            return Ok(Json::ok(&MarketReply::of(listing)));
        }
        if begun.elapsed() > admin.gateway().settings.reply_timeout {
            let problem = format!("{name} is still on its way to partition {to}; it goes on by itself");
            return Err(AdminError::new(StatusCode::GATEWAY_TIMEOUT, problem));
        }
        tokio::time::sleep(NEXT_LOOK).await;
    }
}

/// A partition, and how much it has to do.
#[derive(Serialize, ToSchema)]
pub(super) struct PartitionReply {
    partition: u8,
    /// Accounts that live there.
    accounts: usize,
    /// Markets that live there, in the order of listing.
    markets: Vec<String>,
    open_orders: usize,
    /// The last command whose outcome was told to anybody.
    seq: u64,
    /// Commands that wait to be sequenced.
    waiting: usize,
}

pub(super) async fn partitions(State(admin): State<Arc<Admin>>, _: Authorized) -> Result<Json, AdminError> {
    let gateway = admin.gateway();
    let everywhere = gateway.everywhere().await?;
    let listings = gateway.listings().await?;
    let mut accounts = vec![0; everywhere.len()];
    gateway.read_models.directory().with_views(|views| {
        for (account, _) in views.catalog().accounts() {
            accounts[gateway.read_models.home(account).index()] += 1;
        }
    });
    let reply = |((partition, model), egress): ((PartitionId, &ReadModel), &Egress)| PartitionReply {
        partition: partition.0,
        accounts: accounts[partition.index()],
        markets: listings
            .markets()
            .chain(listings.contracts())
            .filter(|listing| listing.home == partition)
            .map(|listing| listing.terms.name.to_string())
            .collect(),
        open_orders: model.with_views(|views| views.orders().open_count()),
        seq: egress.released_seq().0,
        waiting: gateway.ingress.waiting_in(partition),
    };
    let all = (0..).map(PartitionId).zip(everywhere).zip(&gateway.egress);
    Ok(Json::ok(&all.map(reply).collect::<Vec<_>>()))
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
    admin.execute(Command::ChangeMarket(Box::new(AddMarket { terms }))).await?;
    told(&admin, &name, StatusCode::OK).await
}
