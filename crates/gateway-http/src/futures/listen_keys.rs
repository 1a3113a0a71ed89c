//! Listen keys: names under which an account's events come over a stream socket. They are good for an hour after they were asked
//! for, or kept alive, last. They live in memory: after a restart clients ask for another one. Source: "User Data Streams".

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::{AccountId, ApiKeyId, TimeNs};
use ring::rand::SystemRandom;
use serde::Serialize;
use utoipa::ToSchema;

use crate::endpoint::Ask;
use crate::errors::ApiError;
use crate::gateway::{Gateway, Json, now_ns};
use crate::keys::{Permissions, random_text};

/// How long one is good for: an hour. Source: as above.
const LIFE_NS: u64 = 3_600_000_000_000;

/// Whose events a listen key stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listened {
    pub(crate) account: AccountId,
    /// The API key that has asked for it.
    pub(crate) key: ApiKeyId,
    until: TimeNs,
}

/// All that are good, by themselves and by the API key that has asked.
#[derive(Debug, Default)]
struct Known {
    by_name: HashMap<String, Listened>,
    by_key: HashMap<ApiKeyId, String>,
}

/// The listen keys of all accounts: one for each API key.
#[derive(Debug, Default)]
pub(crate) struct ListenKeys(Mutex<Known>);

impl ListenKeys {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The listen key of an API key, for another hour.
    fn of(&self, account: AccountId, key: ApiKeyId, now: TimeNs) -> Result<String, ApiError> {
        let mut known = self.known();
        let until = TimeNs(now.0.saturating_add(LIFE_NS));
        if let Some(name) = known.by_key.get(&key).cloned() {
            if let Some(listened) = known.by_name.get_mut(&name)
                && listened.until > now
            {
                listened.until = until;
                return Ok(name);
            }
            known.by_name.remove(&name);
        }
        let name = random_text::<64>(&SystemRandom::new()).map_err(|_| ApiError::internal())?;
        known.by_key.insert(key, name.clone());
        known.by_name.insert(name.clone(), Listened { account, key, until });
        Ok(name)
    }

    /// Another hour for the listen key of an API key.
    fn keep(&self, key: ApiKeyId, now: TimeNs) -> Option<String> {
        let mut known = self.known();
        let name = known.by_key.get(&key).cloned()?;
        let listened = known.by_name.get_mut(&name).filter(|listened| listened.until > now)?;
        listened.until = TimeNs(now.0.saturating_add(LIFE_NS));
        Some(name)
    }

    fn close(&self, key: ApiKeyId) {
        let mut known = self.known();
        if let Some(name) = known.by_key.remove(&key) {
            known.by_name.remove(&name);
        }
    }

    /// Whose events come under that name now.
    pub(crate) fn find(&self, name: &str, now: TimeNs) -> Option<Listened> {
        self.known().by_name.get(name).copied().filter(|listened| listened.until > now)
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListenKeyReply {
    listen_key: String,
}

pub(crate) fn start(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let caller = ask.caller();
    let listen_key = gateway.listen_keys.of(caller.account, caller.key, now_ns())?;
    Ok(Json::ok(&ListenKeyReply { listen_key }))
}

pub(crate) fn keep_alive(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let kept = gateway.listen_keys.keep(ask.caller().key, now_ns());
    let listen_key = kept.ok_or_else(|| ApiError::new(-1125, "This listenKey does not exist."))?;
    Ok(Json::ok(&ListenKeyReply { listen_key }))
}

pub(crate) fn close(gateway: &Gateway, ask: &Ask<'_>) -> Json {
    gateway.listen_keys.close(ask.caller().key);
    Json::ok(&serde_json::Map::new())
}

impl Gateway {
    /// Whether events under a listen key may still be heard: it is good, and so is the API key that has asked for it.
    pub(crate) fn may_listen(&self, name: &str) -> bool {
        let listened = self.listen_keys.find(name, now_ns());
        listened
            .and_then(|listened| self.keys.find(&listened.key))
            .is_some_and(|key| key.permissions().allow(Permissions::READ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listen_key_is_good_for_an_hour_after_it_was_asked_for_last() {
        let keys = ListenKeys::default();
        let (account, key) = (AccountId(7), ApiKeyId::new("key").unwrap());
        let at = |minutes: u64| TimeNs(minutes * 60_000_000_000);
        let name = keys.of(account, key, at(0)).unwrap();
        assert_eq!(keys.find(&name, at(59)).map(|listened| listened.account), Some(account));
        assert_eq!(keys.find(&name, at(60)), None);
        assert_eq!(keys.of(account, key, at(30)), Ok(name.clone()), "the same while it is good");
        assert_eq!(keys.keep(key, at(80)), Some(name.clone()));
        assert!(keys.find(&name, at(139)).is_some());
        assert_eq!(keys.keep(key, at(140)), None, "it is over");
        let another = keys.of(account, key, at(150)).unwrap();
        assert_ne!(another, name);
        assert_eq!(keys.find(&name, at(150)), None);
        keys.close(key);
        assert_eq!(keys.find(&another, at(150)), None);
    }
}
