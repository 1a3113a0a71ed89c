//! Whether the exchange lives, and whether it is ready to trade: for whoever restarts programs or sends clients to them.

use std::path::PathBuf;

use axum::http::StatusCode;
use serde::Serialize;

use crate::gateway::{Gateway, Json};

/// When the exchange counts as ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthSettings {
    /// Commands that the views may be behind. Default 100,000.
    pub max_views_lag: u64,
    /// Bytes that must be free where the data directory lies; 0 switches the check off. Default 256 MiB.
    pub min_free_bytes: u64,
    /// The data directory. Default: none, and nothing is looked at.
    pub data_dir: Option<PathBuf>,
}

impl Default for HealthSettings {
    fn default() -> Self {
        Self { max_views_lag: 100_000, min_free_bytes: 256 << 20, data_dir: None }
    }
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Answers as long as the process runs, whatever state the exchange is in.
pub(crate) fn live() -> Json {
    Json::ok(&Health { status: "live", reason: None })
}

/// 200 when an order would be taken and its effects seen soon; otherwise 503 and why not.
pub(crate) fn ready(gateway: &Gateway) -> Json {
    match why_not_ready(gateway) {
        None => Json::ok(&Health { status: "ready", reason: None }),
        reason => Json::with_status(StatusCode::SERVICE_UNAVAILABLE, &Health { status: "not ready", reason }),
    }
}

fn why_not_ready(gateway: &Gateway) -> Option<String> {
    let settings = &gateway.settings.health;
    if gateway.ingress.has_stopped() {
        return Some("the exchange is stopping or has stopped".to_owned());
    }
    if !gateway.read_models.go_on() {
        return Some("the views have stopped".to_owned());
    }
    let lag = gateway.views_lags().max().unwrap_or_default();
    if lag > settings.max_views_lag {
        return Some(format!("the views are {lag} commands behind"));
    }
    let free = settings.data_dir.as_ref().filter(|_| settings.min_free_bytes > 0)?;
    match rustix::fs::statvfs(free) {
        Err(error) => Some(format!("the data directory cannot be reached: {error}")),
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            (free < settings.min_free_bytes).then(|| {
                format!(
                    "{} MiB are free where the data directory lies, less than {}",
                    free >> 20,
                    settings.min_free_bytes >> 20
                )
            })
        }
    }
}
