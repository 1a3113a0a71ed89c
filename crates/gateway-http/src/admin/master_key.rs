//! Changing the master key while the exchange runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use model::Command;
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedMutexGuard;
use utoipa::ToSchema;

use super::{Admin, AdminError, Authorized};
use crate::gateway::Json;
use crate::keys::KeyStore;
use crate::master_key::{KeyError, MasterKey};

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    /// Where the exchange finds the new key; without it, it makes one up.
    #[schema(value_type = Option<String>)]
    new_key_file: Option<PathBuf>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Changed {
    /// How many keys had to be sealed anew.
    resealed: usize,
}

/// Changes the master key, or finishes a change that was broken off.
pub(super) async fn change(State(admin): State<Arc<Admin>>, request: Authorized) -> Result<Json, AdminError> {
    let Change { new_key_file } =
        if request.received.body().is_empty() { Change::default() } else { request.json()? };
    let keys = Arc::clone(&admin.gateway().keys);
    let Ok(alone) = Arc::clone(&keys.changing).try_lock_owned() else {
        return Err(AdminError::new(StatusCode::CONFLICT, "the master key is being changed already"));
    };
    // What writes the file keeps it too, and so outlives a client that goes away.
    let alone = Arc::new(alone);
    let was_broken_off = keys.is_changing();
    let next = match new_key_file {
        Some(path) => Some(from_operator(&path)?),
        None if was_broken_off => None,
        None => Some(MasterKey::generate()?),
    };
    let mut resealed = 0;
    if was_broken_off {
        resealed += seal_anew(&admin, &keys, &alone).await?;
    }
    if let Some(next) = next {
        let held = (Arc::clone(&alone), Arc::clone(&keys.sealing).write_owned().await);
        off_the_runtime(&keys, held, move |keys| keys.begin_change(&next)).await?;
        resealed += seal_anew(&admin, &keys, &alone).await?;
    }
    Ok(Json::ok(&Changed { resealed }))
}

/// Seals anew what the master key from before has sealed, and forgets that one.
async fn seal_anew(
    admin: &Admin,
    keys: &Arc<KeyStore>,
    alone: &Arc<OwnedMutexGuard<()>>,
) -> Result<usize, AdminError> {
    let mut resealed = 0;
    for command in keys.outdated()? {
        match admin.execute(Command::ResealApiKey(Box::new(command.clone()))).await {
            Ok(_) => {
                keys.resealed(&command);
                resealed += 1;
            }
            // Revoked meanwhile, or never made.
            Err(error) if error.status == StatusCode::NOT_FOUND => keys.remove(&command.key),
            Err(error) => {
                return Err(AdminError::new(
                    error.status,
                    format!("{}; the change is not finished: ask for it again", error.error),
                ));
            }
        }
    }
    off_the_runtime(keys, Arc::clone(alone), KeyStore::finish_change).await?;
    Ok(resealed)
}

/// The key in a file that the operator has made.
fn from_operator(path: &Path) -> Result<MasterKey, AdminError> {
    let bad = |error: String| AdminError::bad_request(format!("new_key_file: {error}"));
    let next = MasterKey::from_file(path).map_err(|error| bad(error.to_string()))?;
    if next.is_changing() { Err(bad("it must hold one key".into())) } else { Ok(next) }
}

/// Writes a file where waiting for the disk holds up nobody; lets go of `held` when it is written.
async fn off_the_runtime(
    keys: &Arc<KeyStore>,
    held: impl Send + 'static,
    write: impl FnOnce(&KeyStore) -> Result<(), KeyError> + Send + 'static,
) -> Result<(), AdminError> {
    let keys = Arc::clone(keys);
    let write = move || {
        let written = write(&keys);
        drop(held);
        written
    };
    let written = tokio::task::spawn_blocking(write).await;
    Ok(written.expect("writing a file does not panic")?)
}
