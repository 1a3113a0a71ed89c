//! API keys: issued, registered, changed, listed, revoked.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use model::{AddApiKey, ApiKeyId, ChangeApiKey, Command, IpRange, KeyKind, KeyLabel, RevokeApiKey, TimeNs};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use views::ApiKey;

use super::accounts::no_account;
use super::{Admin, AdminError, Authorized, account_in_path};
use crate::gateway::Json;
use crate::keys::{Grant, IssuedKey, Permissions, StoredKey};
use crate::public_key::PublicKey;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewKey {
    /// `read`, `trade`, `withdraw`.
    permissions: Vec<String>,
    /// Of an Ed25519 pair that the client has made; without it an HMAC secret is issued.
    public_key: Option<String>,
    /// Addresses and ranges; empty means everywhere.
    #[serde(default)]
    ip_allow_list: Vec<String>,
    label: Option<String>,
}

/// What stays away stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyChange {
    permissions: Option<Vec<String>>,
    ip_allow_list: Option<Vec<String>>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct KeyReply {
    key: String,
    account: u64,
    kind: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    label: String,
    permissions: Vec<&'static str>,
    ip_allow_list: Vec<String>,
    /// Told once, when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// In milliseconds.
    created: u64,
}

impl KeyReply {
    fn of(id: &ApiKeyId, key: &ApiKey) -> Self {
        Self {
            key: id.to_string(),
            account: key.account.0,
            kind: match key.kind {
                KeyKind::HmacSha256 => "hmac-sha256",
                KeyKind::Ed25519 => "ed25519",
            },
            label: key.label.to_string(),
            permissions: Permissions(key.permissions).names().collect(),
            ip_allow_list: key.ip_ranges.iter().map(ToString::to_string).collect(),
            secret: None,
            created: key.created_ns.as_millis(),
        }
    }

    fn of_new(add: &AddApiKey, created_ns: TimeNs) -> Self {
        let AddApiKey { account, key, kind, sealed: _, label, permissions, ip_ranges } = add.clone();
        Self::of(&key, &ApiKey { account, kind, label, permissions, ip_ranges, created_ns })
    }
}

fn permissions_of(names: &[String]) -> Result<Permissions, AdminError> {
    Permissions::from_names(names.iter().map(String::as_str)).map_err(|name| {
        AdminError::bad_request(format!("a permission is read, trade or withdraw, not '{name}'"))
    })
}

/// Sorted, each once.
fn ip_ranges_of(entries: &[String]) -> Result<Vec<IpRange>, AdminError> {
    let mut ranges = Vec::with_capacity(entries.len());
    for entry in entries {
        let range = entry.parse::<IpRange>();
        ranges.push(
            range.map_err(|error| AdminError::bad_request(format!("ip_allow_list: '{entry}': {error}")))?,
        );
    }
    ranges.sort_unstable();
    ranges.dedup();
    if ranges.len() > AddApiKey::MAX_IP_RANGES {
        let (count, max) = (ranges.len(), AddApiKey::MAX_IP_RANGES);
        return Err(AdminError::bad_request(format!(
            "ip_allow_list: {count} entries, where at most {max} are allowed; a range such as 192.0.2.0/24 is one"
        )));
    }
    Ok(ranges)
}

fn key_in_path(text: &str) -> Result<ApiKeyId, AdminError> {
    ApiKeyId::new(text).map_err(|error| AdminError::bad_request(format!("the name of an API key: {error}")))
}

pub(super) async fn create(
    State(admin): State<Arc<Admin>>,
    Path(account): Path<String>,
    request: Authorized,
) -> Result<Json, AdminError> {
    let account = account_in_path(&account)?;
    let NewKey { permissions, public_key, ip_allow_list, label } = request.json()?;
    let label = KeyLabel::new(&label.unwrap_or_default())
        .map_err(|error| AdminError::bad_request(format!("label: {error}")))?;
    let (permissions, ip_ranges) = (permissions_of(&permissions)?, ip_ranges_of(&ip_allow_list)?);
    let grant = Grant { account, label, permissions, ip_ranges };
    let keys = &admin.gateway().keys;
    let _sealing = keys.sealing.read().await;
    let (command, secret) = if let Some(text) = public_key {
        let public_half =
            PublicKey::parse(&text).map_err(|error| AdminError::bad_request(error.to_string()))?;
        (keys.register(grant, &public_half)?, None)
    } else {
        let IssuedKey { command, secret } = keys.issue(grant)?;
        (command, Some(secret))
    };
    let stored = StoredKey::from(&command);
    keys.handed_in(&stored);
    let reply = admin.execute(Command::AddApiKey(Box::new(command.clone()))).await.inspect_err(|error| {
        if error.status != StatusCode::GATEWAY_TIMEOUT {
            keys.refused(&stored.key);
        }
    })?;
    keys.insert(&stored)?;
    let told = KeyReply { secret, ..KeyReply::of_new(&command, reply.time_ns()) };
    Ok(Json::with_status(StatusCode::CREATED, &told))
}

pub(super) async fn list(
    State(admin): State<Arc<Admin>>,
    Path(account): Path<String>,
    _: Authorized,
) -> Result<Json, AdminError> {
    let account = account_in_path(&account)?;
    let keys = admin.gateway().directory().await?.with_views(|views| {
        views.catalog().account(account)?;
        let keys = views.catalog().keys_of(account);
        Some(keys.map(|(id, key)| KeyReply::of(id, key)).collect::<Vec<_>>())
    });
    keys.map(|keys| Json::ok(&keys)).ok_or_else(|| no_account(account))
}

async fn known(admin: &Admin, id: &ApiKeyId) -> Result<ApiKey, AdminError> {
    let found = admin.gateway().directory().await?.with_views(|views| views.catalog().key(id).cloned());
    found.ok_or_else(|| AdminError::not_found("there is no such API key"))
}

pub(super) async fn change(
    State(admin): State<Arc<Admin>>,
    Path(key): Path<String>,
    request: Authorized,
) -> Result<Json, AdminError> {
    let key = key_in_path(&key)?;
    let KeyChange { permissions, ip_allow_list } = request.json()?;
    let before = known(&admin, &key).await?;
    let permissions = match permissions {
        Some(names) => permissions_of(&names)?.0,
        None => before.permissions,
    };
    let ip_ranges = match ip_allow_list {
        Some(entries) => ip_ranges_of(&entries)?,
        None => before.ip_ranges,
    };
    let command = ChangeApiKey { key, permissions, ip_ranges: ip_ranges.clone() };
    let outcome = admin.execute(Command::ChangeApiKey(Box::new(command))).await;
    let keys = &admin.gateway().keys;
    match outcome {
        Ok(_) => keys.change(&key, permissions, &ip_ranges),
        // Nobody knows whether it was done: until the next change or start, only what is allowed either way.
        Err(error) if error.status == StatusCode::GATEWAY_TIMEOUT => {
            keys.change(&key, permissions & before.permissions, &ip_ranges);
            return Err(error);
        }
        Err(error) => return Err(error),
    }
    Ok(Json::ok(&KeyReply::of(&key, &known(&admin, &key).await?)))
}

#[derive(Serialize, ToSchema)]
pub(super) struct Revoked<'k> {
    revoked: &'k str,
}

pub(super) async fn revoke(
    State(admin): State<Arc<Admin>>,
    Path(key): Path<String>,
    _: Authorized,
) -> Result<Json, AdminError> {
    let id = key_in_path(&key)?;
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
