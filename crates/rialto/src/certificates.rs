//! The certificates of the listeners: opened at the start, read again when they are renewed.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use gateway_http::Tls;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::interval;

use crate::config;
use crate::terminal::say;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_mins(1);

/// What a listener needs to speak TLS; nothing when the settings do not say that it does.
pub fn open(settings: Option<&config::Tls>, setting: &str) -> anyhow::Result<Option<Arc<Tls>>> {
    let Some(settings) = settings else { return Ok(None) };
    let tls = Tls::open(settings.files()).with_context(|| setting.to_owned())?;
    for warning in tls.warnings() {
        tracing::warn!("{warning}");
    }
    Ok(Some(tls))
}

/// Reads files again that have changed, and all of them on SIGHUP, for as long as it is polled. A file that will not do
/// changes nothing but the warnings.
pub async fn keep_fresh(listeners: Vec<Arc<Tls>>) -> std::io::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    let mut look = interval(LOOK);
    loop {
        let asked = tokio::select! {
            _ = hangup.recv() => true,
            _ = look.tick() => false,
        };
        for tls in listeners.iter().filter(|tls| asked || tls.has_changed()) {
            match tls.reload() {
                Ok(()) => say!("The TLS certificates were read again."),
                Err(error) => tracing::warn!("{error}; the certificates before stay in use"),
            }
        }
    }
}
