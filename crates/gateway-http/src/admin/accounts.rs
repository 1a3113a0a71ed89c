//! Accounts.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use model::{AccountId, AccountName, Command, CreateAccount, Event, TradeGroup};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use views::{Account, Views};

use super::{Admin, AdminError, Authorized, account_in_path, amount};
use crate::account::Asset;
use crate::decimal::Decimal;
use crate::endpoint::{Kind, Parameter};
use crate::gateway::Json;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAccount {
    name: String,
    #[serde(default)]
    trade_group: u32,
}

#[derive(Serialize, ToSchema)]
pub(super) struct AccountReply {
    account: u64,
    name: String,
    trade_group: u32,
    /// In milliseconds.
    created: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    balances: Option<Vec<BalanceReply>>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct BalanceReply {
    asset: Asset,
    free: Decimal,
    held: Decimal,
}

impl AccountReply {
    fn of(id: AccountId, account: &Account) -> Self {
        Self {
            account: id.0,
            name: account.name.to_string(),
            trade_group: account.trade_group.0,
            created: account.created_ns.as_millis(),
            balances: None,
        }
    }
}

pub(super) fn no_account(account: AccountId) -> AdminError {
    AdminError::not_found(format!("there is no account {account}"))
}

pub(super) async fn create(State(admin): State<Arc<Admin>>, request: Authorized) -> Result<Json, AdminError> {
    let NewAccount { name, trade_group } = request.json()?;
    let name = AccountName::new(&name)
        .map_err(|error| AdminError::bad_request(format!("the name of an account: {error}")))?;
    let trade_group = TradeGroup(trade_group);
    let reply = admin.execute(Command::CreateAccount(CreateAccount { name, trade_group })).await?;
    let created = reply.events().iter().find_map(|event| {
        if let Event::AccountCreated { account, .. } = event { Some(*account) } else { None }
    });
    let account = created.expect("a command that is not refused does what it says");
    let created = Account { name, trade_group, created_ns: reply.time_ns() };
    Ok(Json::with_status(StatusCode::CREATED, &AccountReply::of(account, &created)))
}

/// Which accounts are listed.
pub(super) const WHICH: &[Parameter] = &[
    Parameter::optional("from", Kind::Whole),
    Parameter::optional("limit", Kind::Whole),
    Parameter::optional("name", Kind::Text),
];

/// `?from=ID&limit=N`: at most 1,000 at a time, by ascending number. `?name=NAME`: the one of that name, or none.
pub(super) async fn list(State(admin): State<Arc<Admin>>, request: Authorized) -> Result<Json, AdminError> {
    let params = request.params()?;
    params.allow(WHICH)?;
    let from = AccountId(params.optional_number("from")?.unwrap_or(1));
    let limit = params.limit(1_000, admin.gateway().settings.max_list_entries)?;
    let name = params.optional("name")?.map(|name| {
        AccountName::new(name)
            .map_err(|error| AdminError::bad_request(format!("the name of an account: {error}")))
    });
    let name = name.transpose()?;
    let accounts: Vec<AccountReply> = admin.gateway().directory().await?.with_views(|views| {
        if let Some(name) = &name {
            let found = views.catalog().account_by_name(name).filter(|id| *id >= from);
            let found = found.and_then(|id| Some((id, views.catalog().account(id)?)));
            return found.map(|(id, account)| AccountReply::of(id, account)).into_iter().collect();
        }
        let after = views.catalog().accounts().skip_while(|(id, _)| *id < from);
        after.take(limit).map(|(id, account)| AccountReply::of(id, account)).collect()
    });
    Ok(Json::ok(&accounts))
}

pub(super) async fn one(
    State(admin): State<Arc<Admin>>,
    Path(account): Path<String>,
    _: Authorized,
) -> Result<Json, AdminError> {
    let id = account_in_path(&account)?;
    let gateway = admin.gateway();
    let balances = gateway.of_account(id).await?.with_views(|views| balances(views, id));
    let found = gateway.directory().await?.with_views(|views| {
        let account = views.catalog().account(id)?;
        Some(AccountReply { balances: Some(balances), ..AccountReply::of(id, account) })
    });
    found.map(|reply| Json::ok(&reply)).ok_or_else(|| no_account(id))
}

fn balances(views: &Views, account: AccountId) -> Vec<BalanceReply> {
    let balances = views.balances().of(account).iter();
    balances
        .map(|(asset, balance)| {
            let terms = views.catalog().asset(*asset).expect("balances are of listed assets");
            BalanceReply {
                asset: Asset(terms.name),
                free: amount(terms, balance.free),
                held: amount(terms, balance.held),
            }
        })
        .collect()
}
