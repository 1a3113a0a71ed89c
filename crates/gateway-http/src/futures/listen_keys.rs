//! Listen keys: names under which an account's events come over a stream socket. They are good for a while (by default an hour) after they
//! were asked for, or kept alive, last; whoever listens under one that has run out is told so, once. They live in memory: after a restart
//! clients ask for another one. Source: "User Data Streams".

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{AccountId, ApiKeyId, TimeNs};
use ring::rand::SystemRandom;
use serde::Serialize;
use utoipa::ToSchema;

use crate::endpoint::Ask;
use crate::errors::ApiError;
use crate::gateway::{Gateway, Json, now_ns};
use crate::keys::{Permissions, random_text};

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
    /// Those that had run out when another took their place, and of which nobody was told yet.
    replaced: Vec<(String, AccountId)>,
}

/// The listen keys of all accounts: one for each API key.
#[derive(Debug)]
pub(crate) struct ListenKeys {
    life_ns: u64,
    known: Mutex<Known>,
}

impl ListenKeys {
    /// Each is good for so long.
    pub(crate) fn new(life: Duration) -> Self {
        Self { life_ns: u64::try_from(life.as_nanos()).unwrap_or(u64::MAX), known: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The listen key of an API key, good anew.
    fn of(&self, account: AccountId, key: ApiKeyId, now: TimeNs) -> Result<String, ApiError> {
        let mut known = self.known();
        let until = TimeNs(now.0.saturating_add(self.life_ns));
        if let Some(name) = known.by_key.get(&key).cloned() {
            if let Some(listened) = known.by_name.get_mut(&name)
                && listened.until > now
            {
                listened.until = until;
                return Ok(name);
            }
            if known.by_name.remove(&name).is_some() {
                known.replaced.push((name, account));
            }
        }
        let name = random_text::<64>(&SystemRandom::new()).map_err(|_| ApiError::internal())?;
        known.by_key.insert(key, name.clone());
        known.by_name.insert(name.clone(), Listened { account, key, until });
        Ok(name)
    }

    /// Keeps the listen key of an API key alive.
    fn keep(&self, key: ApiKeyId, now: TimeNs) -> Option<String> {
        let mut known = self.known();
        let name = known.by_key.get(&key).cloned()?;
        let listened = known.by_name.get_mut(&name).filter(|listened| listened.until > now)?;
        listened.until = TimeNs(now.0.saturating_add(self.life_ns));
        Some(name)
    }

    fn close(&self, key: ApiKeyId) {
        let mut known = self.known();
        if let Some(name) = known.by_key.remove(&key) {
            known.by_name.remove(&name);
        }
    }

    /// Those that have run out since this was asked before, with the accounts they were for; they are forgotten.
    pub(crate) fn take_expired(&self, now: TimeNs) -> Vec<(String, AccountId)> {
        let mut known = self.known();
        let mut expired = std::mem::take(&mut known.replaced);
        let over = known.by_name.extract_if(|_, listened| listened.until <= now).collect::<Vec<_>>();
        for (name, listened) in over {
            known.by_key.remove(&listened.key);
            expired.push((name, listened.account));
        }
        expired
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
        let keys = ListenKeys::new(Duration::from_hours(1));
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
        // Of the one that was replaced nobody has been told; of the one that its owner has ended there is nothing to tell.
        assert_eq!(keys.take_expired(at(150)), [(name, account)]);
        assert_eq!(keys.take_expired(at(999)), []);
    }

    #[test]
    fn a_listen_key_that_has_run_out_is_told_once() {
        let keys = ListenKeys::new(Duration::from_mins(10));
        let (account, key) = (AccountId(7), ApiKeyId::new("key").unwrap());
        let other = (AccountId(8), ApiKeyId::new("other").unwrap());
        let at = |minutes: u64| TimeNs(minutes * 60_000_000_000);
        let name = keys.of(account, key, at(0)).unwrap();
        let others = keys.of(other.0, other.1, at(5)).unwrap();
        assert_eq!(keys.take_expired(at(9)), []);
        assert_eq!(keys.take_expired(at(10)), [(name.clone(), account)]);
        assert_eq!(keys.take_expired(at(10)), []);
        assert!(keys.find(&name, at(10)).is_none() && keys.find(&others, at(10)).is_some());
        assert_ne!(keys.of(account, key, at(11)).unwrap(), name);
        assert_eq!(keys.take_expired(at(15)), [(others, other.0)]);
    }
}
