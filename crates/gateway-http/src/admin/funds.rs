//! Money in and out, as the custody service tells it, and the balance sheet.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use model::{
    AccountId, Amount, AssetId, AssetTerms, Command, Deposit, Event, Reference, RequestWithdrawal,
    SettleWithdrawal, TimeNs, WithdrawalId,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use views::{AssetTotals, Views};

use super::{Admin, AdminError, Authorized, amount, id_in_path};
use crate::account::Asset;
use crate::decimal::{self, Decimal};
use crate::gateway::{Gateway, Json};

/// A deposit, or a request to withdraw.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Transfer {
    account: u64,
    asset: String,
    amount: String,
    reference: String,
}

/// A transfer in the vocabulary.
struct Understood {
    account: AccountId,
    asset: AssetId,
    terms: AssetTerms,
    amount: Amount,
    reference: Reference,
}

impl Transfer {
    async fn understood(&self, admin: &Admin) -> Result<Understood, AdminError> {
        let listings = admin.listings().await?;
        let (asset, terms) = listings
            .asset_named(&self.asset)
            .ok_or_else(|| AdminError::not_found(format!("there is no asset '{}'", self.asset)))?;
        let atoms = decimal::parse(&self.amount, terms.scale)
            .map_err(|error| AdminError::bad_request(format!("amount '{}': {error}", self.amount)))?;
        let reference = Reference::new(&self.reference)
            .map_err(|error| AdminError::bad_request(format!("reference: {error}")))?;
        let account = AccountId(self.account);
        Ok(Understood { account, asset, terms: *terms, amount: Amount(atoms), reference })
    }
}

#[derive(Serialize, ToSchema)]
pub(super) struct TransferReply {
    #[serde(skip_serializing_if = "Option::is_none")]
    withdrawal: Option<u64>,
    account: u64,
    asset: Asset,
    amount: Decimal,
    reference: String,
    /// In milliseconds.
    time: u64,
}

pub(super) async fn deposit(
    State(admin): State<Arc<Admin>>,
    request: Authorized,
) -> Result<Json, AdminError> {
    let transfer: Transfer = request.json()?;
    let Understood { account, asset, terms, amount: atoms, reference } = transfer.understood(&admin).await?;
    let command = Deposit { account, asset, amount: atoms, reference };
    let reply = admin.execute(Command::Deposit(Box::new(command))).await?;
    let told = TransferReply {
        withdrawal: None,
        account: account.0,
        asset: Asset(terms.name),
        amount: amount(&terms, atoms),
        reference: transfer.reference,
        time: reply.time_ns().as_millis(),
    };
    Ok(Json::with_status(StatusCode::CREATED, &told))
}

pub(super) async fn request_withdrawal(
    State(admin): State<Arc<Admin>>,
    request: Authorized,
) -> Result<Json, AdminError> {
    let transfer: Transfer = request.json()?;
    let Understood { account, asset, terms, amount: atoms, reference } = transfer.understood(&admin).await?;
    let command = RequestWithdrawal { account, asset, amount: atoms, reference };
    let reply = admin.execute(Command::RequestWithdrawal(Box::new(command))).await?;
    let requested = reply.events().iter().find_map(|event| {
        if let Event::WithdrawalRequested(requested) = event { Some(requested.withdrawal) } else { None }
    });
    let requested = requested.expect("a command that is not refused does what it says");
    let told = TransferReply {
        withdrawal: Some(requested.0),
        account: account.0,
        asset: Asset(terms.name),
        amount: amount(&terms, atoms),
        reference: transfer.reference,
        time: reply.time_ns().as_millis(),
    };
    Ok(Json::with_status(StatusCode::CREATED, &told))
}

/// Those that are under way, oldest first.
pub(super) async fn withdrawals(State(admin): State<Arc<Admin>>, _: Authorized) -> Result<Json, AdminError> {
    let mut open: Vec<(TimeNs, TransferReply)> = Vec::new();
    for model in admin.gateway().everywhere().await? {
        open.extend(model.with_views(withdrawals_of));
    }
    open.sort_by_key(|(requested_ns, _)| *requested_ns);
    Ok(Json::ok(&open.into_iter().map(|(_, withdrawal)| withdrawal).collect::<Vec<_>>()))
}

/// With the time at which each was requested, which the answer has in milliseconds only.
fn withdrawals_of(views: &Views) -> Vec<(TimeNs, TransferReply)> {
    let withdrawals = views.balances().withdrawals();
    withdrawals
        .map(|(id, withdrawal)| {
            let terms = views.catalog().asset(withdrawal.asset).expect("only what is listed is withdrawn");
            let reply = TransferReply {
                withdrawal: Some(id.0),
                account: withdrawal.account.0,
                asset: Asset(terms.name),
                amount: amount(terms, withdrawal.amount),
                reference: withdrawal.reference.to_string(),
                time: withdrawal.requested_ns.as_millis(),
            };
            (withdrawal.requested_ns, reply)
        })
        .collect()
}

#[derive(Serialize, ToSchema)]
pub(super) struct Settled {
    withdrawal: u64,
    paid_out: bool,
}

/// It was paid out.
pub(super) async fn confirm_withdrawal(
    State(admin): State<Arc<Admin>>,
    Path(withdrawal): Path<String>,
    _: Authorized,
) -> Result<Json, AdminError> {
    settle(&admin, &withdrawal, true).await
}

/// It will not be: the money goes back to its owner.
pub(super) async fn release_withdrawal(
    State(admin): State<Arc<Admin>>,
    Path(withdrawal): Path<String>,
    _: Authorized,
) -> Result<Json, AdminError> {
    settle(&admin, &withdrawal, false).await
}

async fn settle(admin: &Admin, withdrawal: &str, paid_out: bool) -> Result<Json, AdminError> {
    let withdrawal = WithdrawalId(id_in_path(withdrawal, "a withdrawal")?);
    admin.execute(Command::SettleWithdrawal(SettleWithdrawal { withdrawal, paid_out })).await?;
    Ok(Json::ok(&Settled { withdrawal: withdrawal.0, paid_out }))
}

/// One asset: deposited - withdrawn = free + held + fees + futures + in flight.
#[derive(Serialize, ToSchema)]
pub(super) struct SheetLine {
    asset: Asset,
    deposited: Decimal,
    withdrawn: Decimal,
    free: Decimal,
    held: Decimal,
    fees: Decimal,
    /// In futures wallets, those of insurance funds included, less what the positions have cost that they back.
    futures: Decimal,
    /// What one partition's accounts have paid for trades of which another's have not heard yet, less what was received first;
    /// 0 when nothing is on its way, and always where there is one partition.
    in_flight: Decimal,
    /// Nothing was in flight when this was looked at. With several partitions and much trading something may always be; `rialto
    /// verify` looks at what it is.
    adds_up: bool,
}

/// How often the sheet is looked at before it is shown with something in flight.
const LOOKS: u32 = 40;
/// How long is waited between two looks.
const NEXT_LOOK: Duration = Duration::from_millis(5);

pub(super) async fn balance_sheet(
    State(admin): State<Arc<Admin>>,
    _: Authorized,
) -> Result<Json, AdminError> {
    let mut looks = 0;
    loop {
        let lines = sheet(admin.gateway()).await?;
        looks += 1;
        if looks == LOOKS || lines.iter().all(|line| line.adds_up) {
            return Ok(Json::ok(&lines));
        }
        tokio::time::sleep(NEXT_LOOK).await;
    }
}

async fn sheet(gateway: &Gateway) -> Result<Vec<SheetLine>, AdminError> {
    let everywhere = gateway.everywhere().await?;
    let listings = gateway.listings().await?;
    let lines = listings.assets().map(|(asset, terms)| {
        let mut sum = AssetTotals::default();
        let mut futures = Amount::ZERO;
        for model in everywhere {
            let (totals, backing) =
                model.with_views(|views| (views.balances().totals(asset), views.futures().backing(asset)));
            futures += backing;
            sum.deposited += totals.deposited;
            sum.withdrawn += totals.withdrawn;
            sum.free += totals.free;
            sum.held += totals.held;
            sum.fees += totals.fees;
        }
        let in_flight = sum.deposited - sum.withdrawn - (sum.free + sum.held + sum.fees + futures);
        SheetLine {
            asset: Asset(terms.name),
            deposited: amount(terms, sum.deposited),
            withdrawn: amount(terms, sum.withdrawn),
            free: amount(terms, sum.free),
            held: amount(terms, sum.held),
            fees: amount(terms, sum.fees),
            futures: amount(terms, futures),
            in_flight: amount(terms, in_flight),
            adds_up: in_flight.is_zero(),
        }
    });
    Ok(lines.collect())
}
