//! The bridge to Redis, started where the settings name one.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use bridge_redis::{Bridge, Directory, Exchange};
use gateway_http::{Listings, ReadModels, RedisStatus, RedisStreamStatus};
use journal::Storage;
use model::PartitionId;
use sequencer::{Egress, Ingress};
use views::Views;

use crate::config::{Config, WrongSettings};

/// What the gateway's views know.
struct Known(Arc<ReadModels>);

impl Directory for Known {
    fn listings(&self) -> Arc<Listings> {
        self.0.listings()
    }

    fn look(&self, partition: PartitionId, look: &mut dyn FnMut(&Views)) {
        self.0.of(partition).with_views(look);
    }
}

/// The running bridge, or none.
pub struct Redis(Option<Bridge>);

impl Redis {
    /// Starts it, if the settings name a Redis. That need not be there yet.
    pub fn start(
        config: &Config,
        storages: &[Arc<dyn Storage>],
        ingress: &Ingress,
        egress: &[Egress],
        read_models: &Arc<ReadModels>,
    ) -> anyhow::Result<Self> {
        let Some(settings) = config.redis(password(config)?) else { return Ok(Self(None)) };
        let exchange = Exchange {
            ingress: ingress.clone(),
            egress: egress.to_vec(),
            storages: storages.to_vec(),
            directory: Arc::new(Known(Arc::clone(read_models))),
        };
        let bridge = Bridge::start(&settings, exchange, &instance(&config.data_dir)?);
        Ok(Self(Some(bridge.map_err(|problem| anyhow!("Redis: {problem}"))?)))
    }

    /// What the metrics show of it.
    pub fn shown(&self) -> Option<RedisStatus> {
        let stats = self.0.as_ref()?.stats();
        let shown = |source: &Arc<bridge_redis::SourceStats>| RedisStreamStatus {
            name: source.name.clone(),
            is_active: source.active(),
            taken: source.taken(),
            repeated: source.repeated(),
            dead_lettered: source.dead_lettered(),
            in_flight: source.in_flight(),
            replies: source.replies(),
            reply_lag: source.reply_lag(),
        };
        Some(Box::new(move || {
            let cache_age = stats.cache.as_ref().map(|cache| cache.age());
            (stats.sources.iter().map(shown).collect(), cache_age)
        }))
    }

    /// Reads nothing more, and waits for what was read. Before the sequencer is stopped.
    pub fn stop_reading(&mut self) {
        if let Some(bridge) = &mut self.0 {
            bridge.stop_reading();
        }
    }

    /// Waits until the results are written. Behind the sequencer's end.
    pub fn join(self) {
        if let Some(bridge) = self.0 {
            bridge.join();
        }
    }
}

/// The one process that has these files, on this machine: nobody else can have the same name at the same time.
fn instance(data_dir: &Path) -> anyhow::Result<String> {
    let folder = fs::canonicalize(data_dir).context("the data directory is there")?;
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Ok(format!("{}:{}", host.trim(), folder.display()))
}

fn password(config: &Config) -> anyhow::Result<Option<String>> {
    let redis = &config.redis;
    if !redis.password_env.is_empty() {
        let found = std::env::var(&redis.password_env).map_err(|_| {
            WrongSettings::new(format!("redis.password_env: the variable {} is not set", redis.password_env))
        })?;
        return Ok(Some(found));
    }
    if redis.password_file == Path::new("") {
        return Ok(None);
    }
    let file = config.beside_data(&redis.password_file);
    let found = fs::read_to_string(&file).map_err(|error| {
        WrongSettings::new(format!("redis.password_file: cannot read {}: {error}", file.display()))
    })?;
    Ok(Some(found.trim_end().to_owned()))
}
