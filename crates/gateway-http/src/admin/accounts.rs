//! Accounts and their API keys.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use model::{
    AccountId, AccountName, ApiKeyId, Command, CreateAccount, Event, RevokeApiKey, TimeNs, TradeGroup,
};
use serde::{Deserialize, Serialize};
use views::{Account, Views};

use super::{Admin, AdminError, Authorized, account_in_path, amount};
use crate::account::Asset;
use crate::decimal::Decimal;
use crate::endpoint::{Kind, Parameter};
use crate::gateway::Json;
use crate::keys::{IssuedKey, Permissions, StoredKey};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewAccount {
    name: String,
    #[serde(default)]
    trade_group: u32,
}

#[derive(Serialize)]
struct AccountReply {
    account: u64,
    name: String,
    trade_group: u32,
    /// In milliseconds.
    created: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    balances: Option<Vec<BalanceReply>>,
}

#[derive(Serialize)]
struct BalanceReply {
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

fn no_account(account: AccountId) -> AdminError {
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

/// `?from=ID&limit=N`: at most 1,000 at a time, by ascending number.
pub(super) async fn list(State(admin): State<Arc<Admin>>, request: Authorized) -> Result<Json, AdminError> {
    let params = request.params()?;
    params.allow(&[Parameter::optional("from", Kind::Whole), Parameter::optional("limit", Kind::Whole)])?;
    let from = AccountId(params.optional_number("from")?.unwrap_or(1));
    let limit = params.limit(1_000, admin.gateway().settings.max_list_entries)?;
    let accounts: Vec<AccountReply> = admin.gateway().current().await?.with_views(|views| {
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
    let found = admin.gateway().current().await?.with_views(|views| {
        let account = views.catalog().account(id)?;
        Some(AccountReply { balances: Some(balances(views, id)), ..AccountReply::of(id, account) })
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewKey {
    /// `read`, `trade`, `withdraw`.
    permissions: Vec<String>,
}

#[derive(Serialize)]
struct KeyReply {
    key: String,
    account: u64,
    permissions: Vec<&'static str>,
    /// Told once, when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// In milliseconds.
    created: u64,
}

impl KeyReply {
    fn of(key: &ApiKeyId, account: AccountId, permissions: u32, created: TimeNs) -> Self {
        Self {
            key: key.to_string(),
            account: account.0,
            permissions: Permissions(permissions).names().collect(),
            secret: None,
            created: created.as_millis(),
        }
    }
}

pub(super) async fn create_key(
    State(admin): State<Arc<Admin>>,
    Path(account): Path<String>,
    request: Authorized,
) -> Result<Json, AdminError> {
    let account = account_in_path(&account)?;
    let NewKey { permissions } = request.json()?;
    let permissions = Permissions::from_names(permissions.iter().map(String::as_str)).map_err(|name| {
        AdminError::bad_request(format!("a permission is read, trade or withdraw, not '{name}'"))
    })?;
    let keys = &admin.gateway().keys;
    let IssuedKey { command, secret } = keys.issue(account, permissions)?;
    let stored = StoredKey {
        key: command.key,
        account,
        sealed_secret: command.sealed_secret.clone(),
        permissions: command.permissions,
    };
    let reply = admin.execute(Command::CreateApiKey(command)).await?;
    keys.insert(&stored)?;
    let told = KeyReply::of(&stored.key, account, stored.permissions, reply.time_ns());
    Ok(Json::with_status(StatusCode::CREATED, &KeyReply { secret: Some(secret), ..told }))
}

pub(super) async fn keys(
    State(admin): State<Arc<Admin>>,
    Path(account): Path<String>,
    _: Authorized,
) -> Result<Json, AdminError> {
    let account = account_in_path(&account)?;
    let keys = admin.gateway().current().await?.with_views(|views| {
        views.catalog().account(account)?;
        let keys = views.catalog().keys_of(account);
        Some(
            keys.map(|(id, key)| KeyReply::of(id, account, key.permissions, key.created_ns))
                .collect::<Vec<_>>(),
        )
    });
    keys.map(|keys| Json::ok(&keys)).ok_or_else(|| no_account(account))
}

#[derive(Serialize)]
struct Revoked<'k> {
    revoked: &'k str,
}

pub(super) async fn revoke_key(
    State(admin): State<Arc<Admin>>,
    Path(key): Path<String>,
    _: Authorized,
) -> Result<Json, AdminError> {
    let id = ApiKeyId::new(&key)
        .map_err(|error| AdminError::bad_request(format!("the name of an API key: {error}")))?;
    let outcome = admin.execute(Command::RevokeApiKey(RevokeApiKey { key: id })).await;
    // Whatever came of it, a key that somebody wanted gone signs nothing more, unless the exchange knows better: it was
    // busy or stopping, and the key stays what it was.
    let untouched = matches!(&outcome, Err(error) if error.status == StatusCode::SERVICE_UNAVAILABLE);
    if !untouched {
        admin.gateway().keys.remove(&id);
    }
    outcome?;
    Ok(Json::ok(&Revoked { revoked: &key }))
}
