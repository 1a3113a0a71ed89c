//! The settings file: every setting with its default and its check. A wrong one is refused with its line and what would be
//! right. The commented file that `rialto init` writes is [`TEMPLATE`]; a test holds the two together.

mod contracts;
mod futures;
mod sql;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::anyhow;
use bridge_redis::{CacheSettings, Only, Replies, SortedSet, StreamSettings, Take};
use gateway_http::market_pattern::most_specific;
use gateway_http::{
    CertificateFiles, ContractForm, GatewaySettings, HealthSettings, LimitSettings, MarketForm,
    SocketSettings,
};
use model::{AssetId, AssetTerms, IpRange, MarketTerms, PartitionId};
use serde::{Deserialize, Deserializer};
use toml::Spanned;
use views::ViewSettings;

pub use self::sql::Sql;
use crate::log::Log;

pub use futures::Futures;

/// What `rialto init` writes.
pub const TEMPLATE: &str = include_str!("rialto.toml");

/// How the program ends when its settings or arguments are wrong: trying again does not help.
pub const WRONG_SETTINGS: u8 = 2;

/// A settings file that cannot be used, and why.
#[derive(Debug)]
pub struct WrongSettings(String);

impl WrongSettings {
    /// With what is wrong, and what would be right.
    pub fn new(problem: impl Into<String>) -> Self {
        Self(problem.into())
    }
}

impl fmt::Display for WrongSettings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for WrongSettings {}

/// All settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub data_dir: PathBuf,
    pub public: Listener,
    pub sockets: Sockets,
    pub admin: Admin,
    pub limits: Limits,
    pub metrics: Metrics,
    pub health: Health,
    pub futures: Futures,
    pub log: Log,
    pub keys: Keys,
    pub journal: Journal,
    pub sequencer: Sequencer,
    pub partitions: Partitions,
    pub views: Views,
    pub redis: Redis,
    pub sql: Sql,
    #[serde(rename = "asset")]
    pub assets: Vec<Spanned<Asset>>,
    #[serde(rename = "market")]
    pub markets: Vec<Spanned<MarketForm>>,
    #[serde(rename = "contract")]
    pub contracts: Vec<Spanned<ContractForm>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asset {
    pub name: String,
    #[serde(deserialize_with = "within::<0, 18, _, _>")]
    pub scale: u8,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listener {
    pub listen: SocketAddr,
    #[serde(deserialize_with = "within::<1, 16_777_216, _, _>")]
    pub max_body_bytes: usize,
    #[serde(deserialize_with = "within::<8_192, 1_048_576, _, _>")]
    pub max_head_bytes: usize,
    #[serde(deserialize_with = "within::<1, 1_000, _, _>")]
    pub max_headers: usize,
    #[serde(deserialize_with = "within::<1, 1_000_000, _, _>")]
    pub max_connections: usize,
    /// Names and patterns of the markets that take orders.
    pub open_markets: Vec<String>,
    #[serde(deserialize_with = "within::<1, 86_400, _, _>")]
    pub idle_timeout_s: u64,
    #[serde(deserialize_with = "within::<1, 3_600, _, _>")]
    pub body_timeout_s: u64,
    #[serde(deserialize_with = "within::<1, 3_600, _, _>")]
    pub write_timeout_s: u64,
    #[serde(deserialize_with = "within::<1, 3_600, _, _>")]
    pub reply_timeout_s: u64,
    #[serde(deserialize_with = "within::<1, 600_000, _, _>")]
    pub max_recv_window_ms: u64,
    #[serde(deserialize_with = "within::<1, 1_000_000, _, _>")]
    pub max_depth_levels: usize,
    #[serde(deserialize_with = "within::<1, 1_000_000, _, _>")]
    pub max_list_entries: usize,
    #[serde(deserialize_with = "within::<1, 3_600, _, _>")]
    pub tls_handshake_timeout_s: u64,
    pub tls: Option<Tls>,
}

/// A listener that speaks TLS.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    pub certificates: Vec<Certificate>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    pub cert: PathBuf,
    pub key: PathBuf,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    #[serde(deserialize_with = "within::<0, 1_000_000_000, _, _>")]
    pub weight_per_minute: u32,
    #[serde(deserialize_with = "within::<0, 1_000_000_000, _, _>")]
    pub requests_per_5_minutes: u32,
    #[serde(deserialize_with = "within::<0, 1_000_000_000, _, _>")]
    pub socket_attempts_per_5_minutes: u32,
    #[serde(deserialize_with = "within::<0, 1_000_000_000, _, _>")]
    pub orders_per_10_seconds: u32,
    #[serde(deserialize_with = "within::<0, 1_000_000_000, _, _>")]
    pub orders_per_day: u32,
    #[serde(deserialize_with = "within::<0, 1_000_000_000, _, _>")]
    pub refusals_before_ban: u32,
    #[serde(deserialize_with = "within::<1, 31_536_000, _, _>")]
    pub first_ban_s: u64,
    #[serde(deserialize_with = "within::<1, 31_536_000, _, _>")]
    pub longest_ban_s: u64,
    #[serde(deserialize_with = "within::<0, 1_000_000, _, _>")]
    pub connections_per_address: u32,
    #[serde(deserialize_with = "within::<16, 10_000_000, _, _>")]
    pub addresses_kept: usize,
    #[serde(deserialize_with = "ranges")]
    pub exempt: Vec<IpRange>,
    #[serde(deserialize_with = "ranges")]
    pub trusted_proxies: Vec<IpRange>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Metrics {
    pub open: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Health {
    #[serde(deserialize_with = "within::<1, 1_000_000_000_000, _, _>")]
    pub max_views_lag: u64,
    #[serde(deserialize_with = "within::<0, 1_000_000_000, _, _>")]
    pub min_free_mib: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sockets {
    #[serde(deserialize_with = "within::<1_024, 1_048_576, _, _>")]
    pub max_message_bytes: usize,
    #[serde(deserialize_with = "within::<16, 1_000_000, _, _>")]
    pub max_outbox_messages: usize,
    #[serde(deserialize_with = "within::<16, 1_048_576, _, _>")]
    pub max_outbox_kib: usize,
    #[serde(deserialize_with = "within::<1, 3_600, _, _>")]
    pub ping_interval_s: u64,
    #[serde(deserialize_with = "within::<1, 3_600, _, _>")]
    pub pong_timeout_s: u64,
    #[serde(deserialize_with = "within::<1, 8_760, _, _>")]
    pub max_life_h: u64,
    #[serde(deserialize_with = "within::<1, 1_000_000, _, _>")]
    pub max_frames_per_s: u32,
    #[serde(deserialize_with = "within::<1, 1_000_000, _, _>")]
    pub max_requests_in_flight: usize,
    #[serde(deserialize_with = "within::<1, 100_000, _, _>")]
    pub max_streams: usize,
    #[serde(deserialize_with = "within::<0, 1_000, _, _>")]
    pub flush_pause_ms: u64,
    #[serde(deserialize_with = "within::<1, 64, _, _>")]
    pub stream_threads: usize,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    pub listen: SocketAddr,
    pub tls: Option<Tls>,
    /// Relative to the data directory.
    pub token_file: PathBuf,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Keys {
    /// Relative to the data directory.
    pub master_key_file: PathBuf,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Journal {
    #[serde(deserialize_with = "within::<1, 2_048, _, _>")]
    pub segment_mib: u64,
    #[serde(deserialize_with = "within::<1, 2_048, _, _>")]
    pub event_segment_mib: u64,
    #[serde(deserialize_with = "within::<1, 1_000, _, _>")]
    pub snapshots_kept: usize,
    #[serde(deserialize_with = "within::<1, 1_000_000_000_000, _, _>")]
    pub snapshot_every_commands: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sequencer {
    #[serde(deserialize_with = "within::<1, 10_000_000, _, _>")]
    pub ingress_limit: usize,
    #[serde(deserialize_with = "within::<1, 10_000_000, _, _>")]
    pub outbox_limit: usize,
    #[serde(deserialize_with = "within::<1, 100_000, _, _>")]
    pub batch_max_commands: usize,
    #[serde(deserialize_with = "within::<10, 3_600_000, _, _>")]
    pub tick_ms: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Views {
    #[serde(deserialize_with = "within::<1, 1_000_000_000, _, _>")]
    pub orders_kept: usize,
    #[serde(deserialize_with = "within::<1, 1_000_000_000, _, _>")]
    pub orders_kept_per_account: usize,
    #[serde(deserialize_with = "within::<1, 1_000_000_000, _, _>")]
    pub own_trades_kept: usize,
    #[serde(deserialize_with = "within::<1, 1_000_000_000, _, _>")]
    pub own_trades_kept_per_account: usize,
    #[serde(deserialize_with = "within::<1, 1_000_000_000, _, _>")]
    pub income_kept: usize,
    #[serde(deserialize_with = "within::<1, 1_000_000_000, _, _>")]
    pub income_kept_per_account: usize,
    #[serde(deserialize_with = "within::<1, 1_000_000_000, _, _>")]
    pub margin_changes_kept: usize,
    #[serde(deserialize_with = "within::<1, 1_000_000_000, _, _>")]
    pub margin_changes_kept_per_account: usize,
    #[serde(deserialize_with = "within::<1, 1_000_000_000, _, _>")]
    pub open_interest_kept: usize,
    #[serde(deserialize_with = "within::<1, 1_000_000_000, _, _>")]
    pub fundings_kept: usize,
    #[serde(deserialize_with = "within::<1, 1_000_000_000, _, _>")]
    pub trades_kept: usize,
}

/// The Redis that orders come in by.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Redis {
    /// Empty: none.
    pub url: String,
    /// The environment variable that holds the password; empty: none does.
    pub password_env: String,
    /// The file that holds the password; empty: none does. Relative to the data directory.
    pub password_file: PathBuf,
    #[serde(deserialize_with = "within::<10, 600_000, _, _>")]
    pub timeout_ms: u64,
    pub cache: Option<RedisCache>,
    #[serde(rename = "stream")]
    pub streams: Vec<Spanned<RedisStream>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisStream {
    pub name: String,
    pub key: String,
    #[serde(default = "one", deserialize_with = "within::<0, 1_000_000_000, _, _>")]
    pub incarnation: u64,
    pub market: Option<String>,
    pub contract: Option<String>,
    pub sorted_set: Option<String>,
    #[serde(default)]
    pub sorted_set_take: RedisTake,
    #[serde(default = "group")]
    pub group: String,
    #[serde(default = "number::<100_000, _>", deserialize_with = "within::<1, 10_000_000, _, _>")]
    pub remember_ids: u32,
    #[serde(default = "number::<1_000, _>", deserialize_with = "within::<1, 100_000, _, _>")]
    pub read_max: usize,
    #[serde(default = "number::<10_000, _>", deserialize_with = "within::<1, 1_000_000, _, _>")]
    pub in_flight_max: usize,
    #[serde(default = "number::<5_000, _>", deserialize_with = "within::<100, 3_600_000, _, _>")]
    pub lease_ms: u64,
    #[serde(default)]
    pub replies: RedisReplies,
    #[serde(default = "number::<100_000, _>", deserialize_with = "within::<1, 1_000_000_000, _, _>")]
    pub replies_max: usize,
    #[serde(default = "number::<3_600, _>", deserialize_with = "within::<1, 31_536_000, _, _>")]
    pub reply_ttl_s: u64,
    #[serde(default = "number::<100_000, _>", deserialize_with = "within::<1, 1_000_000_000, _, _>")]
    pub dead_letters_max: usize,
}

/// What is kept in Redis for whoever asks there.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RedisCache {
    pub prefix: String,
    #[serde(deserialize_with = "within::<1, 5_000, _, _>")]
    pub depth_levels: usize,
    #[serde(deserialize_with = "within::<1, 1_000_000, _, _>")]
    pub trades_max: usize,
    #[serde(deserialize_with = "within::<1, 1_000_000_000, _, _>")]
    pub events_max: usize,
    #[serde(deserialize_with = "within::<1, 60_000, _, _>")]
    pub interval_ms: u64,
}

impl Default for RedisCache {
    fn default() -> Self {
        let prefix = "rialto".to_owned();
        Self { prefix, depth_levels: 20, trades_max: 100, events_max: 1_000, interval_ms: 5 }
    }
}

/// Where the results of a stream go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RedisReplies {
    #[default]
    Stream,
    Key,
    Off,
}

/// How members are taken out of a sorted set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RedisTake {
    #[default]
    Script,
    Block,
    Poll,
}

fn one() -> u64 {
    1
}

fn group() -> String {
    "rialto".to_owned()
}

fn number<const N: u64, T: TryFrom<u64>>() -> T {
    T::try_from(N).ok().expect("defaults fit")
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("./rialto-data"),
            public: Listener::default(),
            sockets: Sockets::default(),
            admin: Admin::default(),
            limits: Limits::default(),
            metrics: Metrics::default(),
            health: Health::default(),
            futures: Futures::default(),
            log: Log::default(),
            keys: Keys::default(),
            journal: Journal::default(),
            sequencer: Sequencer::default(),
            partitions: Partitions::default(),
            views: Views::default(),
            redis: Redis::default(),
            sql: Sql::default(),
            assets: Vec::new(),
            markets: Vec::new(),
            contracts: Vec::new(),
        }
    }
}

impl Default for Listener {
    fn default() -> Self {
        let gateway = GatewaySettings::default();
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8_080)),
            max_body_bytes: gateway.max_body_bytes,
            max_head_bytes: gateway.max_head_bytes,
            max_headers: gateway.max_headers,
            max_connections: gateway.max_connections,
            open_markets: gateway.open_markets,
            idle_timeout_s: gateway.idle_timeout.as_secs(),
            body_timeout_s: gateway.body_timeout.as_secs(),
            write_timeout_s: gateway.write_timeout.as_secs(),
            reply_timeout_s: gateway.reply_timeout.as_secs(),
            max_recv_window_ms: gateway.max_recv_window_ms,
            max_depth_levels: gateway.max_depth_levels,
            max_list_entries: gateway.max_list_entries,
            tls_handshake_timeout_s: gateway.handshake_timeout.as_secs(),
            tls: None,
        }
    }
}

impl Default for Sockets {
    fn default() -> Self {
        let sockets = SocketSettings::default();
        Self {
            max_message_bytes: sockets.max_message_bytes,
            max_outbox_messages: sockets.max_outbox_messages,
            max_outbox_kib: sockets.max_outbox_bytes >> 10,
            ping_interval_s: sockets.ping_interval.as_secs(),
            pong_timeout_s: sockets.pong_timeout.as_secs(),
            max_life_h: sockets.max_life.as_secs() / 3_600,
            max_frames_per_s: sockets.max_frames_per_s,
            max_requests_in_flight: sockets.max_requests_in_flight,
            max_streams: sockets.max_streams,
            flush_pause_ms: u64::try_from(sockets.flush_pause.as_millis()).expect("milliseconds"),
            stream_threads: 1,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        let limits = LimitSettings::default();
        Self {
            weight_per_minute: limits.weight_per_minute,
            requests_per_5_minutes: limits.requests_per_5_minutes,
            socket_attempts_per_5_minutes: limits.socket_attempts_per_5_minutes,
            orders_per_10_seconds: limits.orders_per_10_seconds,
            orders_per_day: limits.orders_per_day,
            refusals_before_ban: limits.refusals_before_ban,
            first_ban_s: limits.first_ban.as_secs(),
            longest_ban_s: limits.longest_ban.as_secs(),
            connections_per_address: limits.connections_per_address,
            addresses_kept: limits.addresses_kept,
            exempt: limits.exempt,
            trusted_proxies: limits.trusted_proxies,
        }
    }
}

impl Default for Health {
    fn default() -> Self {
        let health = HealthSettings::default();
        Self { max_views_lag: health.max_views_lag, min_free_mib: health.min_free_bytes >> 20 }
    }
}

impl Default for Admin {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8_081)),
            tls: None,
            token_file: PathBuf::from("admin.token"),
        }
    }
}

impl Default for Keys {
    fn default() -> Self {
        Self { master_key_file: PathBuf::from("master.key") }
    }
}

impl Default for Journal {
    fn default() -> Self {
        let (files, sequencer) = (journal::Settings::default(), sequencer::Settings::default());
        Self {
            segment_mib: files.journal_segment_bytes >> 20,
            event_segment_mib: files.event_segment_bytes >> 20,
            snapshots_kept: files.snapshots_kept,
            snapshot_every_commands: sequencer.snapshot_every_commands,
        }
    }
}

impl Default for Sequencer {
    fn default() -> Self {
        let settings = sequencer::Settings::default();
        Self {
            ingress_limit: settings.ingress_limit,
            outbox_limit: settings.outbox_limit,
            batch_max_commands: settings.batch_max_commands,
            tick_ms: u64::try_from(settings.tick.as_millis()).expect("a second"),
        }
    }
}

/// Over how many partitions an exchange is spread, and which market begins where.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Partitions {
    #[serde(deserialize_with = "within::<1, 32, _, _>")]
    pub count: u8,
    /// By name or pattern.
    pub markets: BTreeMap<String, Spanned<u8>>,
}

impl Default for Partitions {
    fn default() -> Self {
        Self { count: 1, markets: BTreeMap::new() }
    }
}

impl Partitions {
    /// Where a market begins, as far as the table says; an error says between which patterns it cannot be decided.
    pub fn of(&self, market: &str) -> Result<Option<PartitionId>, String> {
        let table = self.markets.iter().map(|(pattern, partition)| (pattern.as_str(), *partition.get_ref()));
        match most_specific(table, market) {
            Ok(partition) => Ok(partition.map(PartitionId)),
            Err((one, other)) => Err(format!(
                "partitions.markets: both \"{one}\" and \"{other}\" mean the market {market}, and neither says more: name it"
            )),
        }
    }
}

impl Default for Redis {
    fn default() -> Self {
        Self {
            url: String::new(),
            password_env: String::new(),
            password_file: PathBuf::new(),
            timeout_ms: 5_000,
            cache: None,
            streams: Vec::new(),
        }
    }
}

impl RedisStream {
    /// As the bridge takes it; the error says what is wrong.
    fn settings(&self) -> Result<StreamSettings, String> {
        let named = |field: &str, text: &str| {
            if text.is_empty() { Err(format!("{field} must not be empty")) } else { Ok(()) }
        };
        named("name", &self.name)?;
        named("key", &self.key)?;
        named("group", &self.group)?;
        if self.sorted_set.as_ref() == Some(&self.key) {
            return Err("sorted_set and key are the same: the stream is filled from the sorted set, and needs a key of its own".to_owned());
        }
        let only = match (&self.market, &self.contract) {
            (None, None) => None,
            (Some(name), None) => Some(Only::Market(name.clone())),
            (None, Some(name)) => Some(Only::Contract(name.clone())),
            (Some(market), Some(contract)) => {
                return Err(format!(
                    "market = \"{market}\" and contract = \"{contract}\": a stream is for one of the two, or for all markets without either"
                ));
            }
        };
        let in_flight = u64::try_from(self.in_flight_max).unwrap_or(u64::MAX);
        if u64::from(self.remember_ids) < in_flight {
            return Err(format!(
                "remember_ids = {} must be at least in_flight_max, which is {in_flight}: what comes again is told by it from what is new",
                self.remember_ids
            ));
        }
        Ok(StreamSettings {
            name: self.name.parse().map_err(|error| format!("name = \"{}\": {error}", self.name))?,
            key: self.key.parse().map_err(|error| format!("key = \"{}\": {error}", self.key))?,
            sorted_set: self.sorted_set.as_ref().map(|key| SortedSet {
                key: key.clone(),
                take: match self.sorted_set_take {
                    RedisTake::Script => Take::Script,
                    RedisTake::Block => Take::Block,
                    RedisTake::Poll => Take::Poll,
                },
            }),
            incarnation: self.incarnation,
            remember: self.remember_ids,
            group: self.group.clone(),
            only,
            read_max: self.read_max,
            in_flight_max: self.in_flight_max,
            lease: Duration::from_millis(self.lease_ms),
            replies: match self.replies {
                RedisReplies::Off => Replies::Off,
                RedisReplies::Stream => Replies::Stream { max: self.replies_max },
                RedisReplies::Key => Replies::Key { ttl: Duration::from_secs(self.reply_ttl_s) },
            },
            dead_letters_max: self.dead_letters_max,
        })
    }
}

impl Default for Views {
    fn default() -> Self {
        let settings = ViewSettings::default();
        Self {
            orders_kept: settings.orders_kept,
            orders_kept_per_account: settings.orders_kept_per_account,
            own_trades_kept: settings.own_trades_kept,
            own_trades_kept_per_account: settings.own_trades_kept_per_account,
            income_kept: settings.income_kept,
            income_kept_per_account: settings.income_kept_per_account,
            margin_changes_kept: settings.margin_changes_kept,
            margin_changes_kept_per_account: settings.margin_changes_kept_per_account,
            open_interest_kept: settings.open_interest_kept,
            fundings_kept: settings.fundings_kept,
            trades_kept: settings.trades_kept,
        }
    }
}

/// A whole number from `MIN` to `MAX`.
fn within<'de, const MIN: u64, const MAX: u64, T, D>(input: D) -> Result<T, D::Error>
where
    T: TryFrom<u64>,
    D: Deserializer<'de>,
{
    let refused = |found: &dyn fmt::Display| {
        serde::de::Error::custom(format!("must be a whole number from {MIN} to {MAX}, not {found}"))
    };
    let found = i64::deserialize(input)?;
    let number = u64::try_from(found).map_err(|_| refused(&found))?;
    if !(MIN..=MAX).contains(&number) {
        return Err(refused(&found));
    }
    T::try_from(number).map_err(|_| refused(&found))
}

/// A list of addresses and ranges of them.
fn ranges<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<IpRange>, D::Error> {
    let texts = Vec::<String>::deserialize(input)?;
    let range = |text: &String| {
        text.parse().map_err(|error| serde::de::Error::custom(format_args!("'{text}': {error}")))
    };
    texts.iter().map(range).collect()
}

impl Tls {
    /// The files, as the gateway takes them.
    pub fn files(&self) -> Vec<CertificateFiles> {
        let files = |Certificate { cert, key }: &Certificate| CertificateFiles {
            certificate: cert.clone(),
            key: key.clone(),
        };
        self.certificates.iter().map(files).collect()
    }
}

impl Config {
    /// Reads and checks a settings file.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            let file = path.display();
            WrongSettings(format!("cannot read the settings file {file} (rialto init writes one): {error}"))
        })?;
        Ok(Self::parse(&text).map_err(|error| WrongSettings(format!("{}: {error}", path.display())))?)
    }

    /// As [`Self::read`], from the text. Errors begin with the line.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let config: Self = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            anyhow!("line {line}: {}", error.message().trim())
        })?;
        config.check(text)?;
        Ok(config)
    }

    /// Where a market begins: where it says itself, or the table says.
    pub fn partition_of(&self, market: &MarketForm) -> Result<PartitionId, String> {
        match market.partition {
            Some(partition) => Ok(PartitionId(partition)),
            None => Ok(self.partitions.of(&market.name)?.unwrap_or_default()),
        }
    }

    /// What one value alone does not tell.
    fn check(&self, text: &str) -> anyhow::Result<()> {
        if self.public.listen == self.admin.listen && self.public.listen.port() != 0 {
            return Err(anyhow!(
                "public.listen and admin.listen are both {}: choose two ports",
                self.admin.listen
            ));
        }
        self.check_sql()?;
        let at =
            |start: usize, problem: &dyn fmt::Display| anyhow!("line {}: {problem}", line_of(text, start));
        for (pattern, partition) in &self.partitions.markets {
            let count = self.partitions.count;
            if *partition.get_ref() >= count {
                return Err(at(
                    partition.span().start,
                    &format!(
                        "{pattern} = {}: there are {count} partitions, numbered from 0",
                        partition.get_ref()
                    ),
                ));
            }
        }
        if let Some(cache) = &self.redis.cache {
            if self.redis.url.is_empty() {
                return Err(anyhow!("redis.url is empty: say where the Redis of [redis.cache] is"));
            }
            if cache.prefix.is_empty() || cache.prefix.contains(['{', '}']) {
                return Err(anyhow!(
                    "redis.cache.prefix must not be empty and have no braces: it stands within the hash tags"
                ));
            }
        }
        if self.redis.url.is_empty() && !self.redis.streams.is_empty() {
            return Err(anyhow!("redis.url is empty: say where the Redis of [[redis.stream]] is"));
        }
        if !self.redis.password_env.is_empty() && self.redis.password_file != Path::new("") {
            return Err(anyhow!("redis.password_env and redis.password_file: give one of the two"));
        }
        if let Some(settings) = self.redis(None) {
            bridge_redis::Server::new(&settings).map_err(|problem| anyhow!("{problem}"))?;
        }
        for (index, stream) in self.redis.streams.iter().enumerate() {
            let (start, stream) = (stream.span().start, stream.get_ref());
            stream.settings().map_err(|problem| at(start, &problem))?;
            for earlier in self.redis.streams[..index].iter().map(Spanned::get_ref) {
                if earlier.name == stream.name || earlier.key == stream.key {
                    return Err(at(
                        start,
                        &format!("the stream {} is there twice: names and keys differ", stream.name),
                    ));
                }
            }
        }
        let assets = self.assets()?;
        for (index, asset) in self.assets.iter().enumerate() {
            if assets[..index].iter().any(|earlier| earlier.name == assets[index].name) {
                return Err(at(
                    asset.span().start,
                    &format!("the asset {} is listed twice", asset.get_ref().name),
                ));
            }
        }
        for (index, market) in self.markets.iter().enumerate() {
            let (start, form) = (market.span().start, market.get_ref());
            market_terms(form, &assets).map_err(|problem| at(start, &problem))?;
            let partition = self.partition_of(form).map_err(|problem| at(start, &problem))?;
            let count = self.partitions.count;
            if partition.0 >= count {
                return Err(at(
                    start,
                    &format!("partition = {partition}: there are {count} partitions, numbered from 0"),
                ));
            }
            if self.markets[..index].iter().any(|earlier| earlier.get_ref().name == form.name) {
                return Err(at(start, &format!("the market {} is listed twice", form.name)));
            }
        }
        self.check_contracts(text, &assets)
    }

    /// What an empty data directory begins with.
    pub fn assets(&self) -> anyhow::Result<Vec<AssetTerms>> {
        let terms = |asset: &Spanned<Asset>| {
            let Asset { name, scale } = asset.get_ref();
            let named =
                dialect::listings::asset_name(name).map_err(|problem| anyhow!("the asset name {problem}"))?;
            Ok(AssetTerms { name: named, scale: *scale })
        };
        self.assets.iter().map(terms).collect()
    }

    /// What an empty data directory begins with.
    pub fn markets(&self) -> anyhow::Result<Vec<MarketTerms>> {
        let assets = self.assets()?;
        self.markets.iter().map(|market| market_terms(market.get_ref(), &assets)).collect()
    }

    /// Changes the reference price before the first trade of a market that is listed here, and of a contract of that name.
    pub fn set_initial_price(&mut self, market: &str, price: &str) {
        for form in self.markets.iter_mut().map(Spanned::get_mut).filter(|form| form.name == market) {
            price.clone_into(&mut form.initial_price);
        }
        // A contract's ticks may be larger.
        let contracts = self.contracts.iter_mut().map(|form| &mut form.get_mut().market);
        for form in contracts.filter(|form| form.name == market) {
            let decimals = form.tick_size.split_once('.').map_or(0, |(_, decimals)| decimals.len());
            let (whole, rest) = price.split_once('.').unwrap_or((price, ""));
            let rest = rest.get(..decimals).unwrap_or(rest);
            form.initial_price = if rest.is_empty() { whole.to_owned() } else { format!("{whole}.{rest}") };
        }
    }

    pub fn gateway(&self) -> GatewaySettings {
        let public = &self.public;
        GatewaySettings {
            max_body_bytes: public.max_body_bytes,
            max_head_bytes: public.max_head_bytes,
            max_headers: public.max_headers,
            max_connections: public.max_connections,
            open_markets: public.open_markets.clone(),
            idle_timeout: Duration::from_secs(public.idle_timeout_s),
            body_timeout: Duration::from_secs(public.body_timeout_s),
            write_timeout: Duration::from_secs(public.write_timeout_s),
            reply_timeout: Duration::from_secs(public.reply_timeout_s),
            max_recv_window_ms: public.max_recv_window_ms,
            max_depth_levels: public.max_depth_levels,
            max_list_entries: public.max_list_entries,
            sockets: self.sockets(),
            handshake_timeout: Duration::from_secs(public.tls_handshake_timeout_s),
            open_metrics: self.metrics.open,
            futures: self.futures.settings(),
            limits: self.limits(),
            health: HealthSettings {
                max_views_lag: self.health.max_views_lag,
                min_free_bytes: self.health.min_free_mib << 20,
                data_dir: Some(self.data_dir.clone()),
            },
            ..GatewaySettings::default()
        }
    }

    fn sockets(&self) -> SocketSettings {
        let sockets = &self.sockets;
        SocketSettings {
            max_message_bytes: sockets.max_message_bytes,
            max_outbox_messages: sockets.max_outbox_messages,
            max_outbox_bytes: sockets.max_outbox_kib << 10,
            ping_interval: Duration::from_secs(sockets.ping_interval_s),
            pong_timeout: Duration::from_secs(sockets.pong_timeout_s),
            max_life: Duration::from_hours(sockets.max_life_h),
            max_frames_per_s: sockets.max_frames_per_s,
            max_requests_in_flight: sockets.max_requests_in_flight,
            max_streams: sockets.max_streams,
            flush_pause: Duration::from_millis(sockets.flush_pause_ms),
        }
    }

    fn limits(&self) -> LimitSettings {
        let limits = &self.limits;
        LimitSettings {
            weight_per_minute: limits.weight_per_minute,
            requests_per_5_minutes: limits.requests_per_5_minutes,
            socket_attempts_per_5_minutes: limits.socket_attempts_per_5_minutes,
            orders_per_10_seconds: limits.orders_per_10_seconds,
            orders_per_day: limits.orders_per_day,
            refusals_before_ban: limits.refusals_before_ban,
            first_ban: Duration::from_secs(limits.first_ban_s),
            longest_ban: Duration::from_secs(limits.longest_ban_s),
            connections_per_address: limits.connections_per_address,
            addresses_kept: limits.addresses_kept,
            exempt: limits.exempt.clone(),
            trusted_proxies: limits.trusted_proxies.clone(),
        }
    }

    /// `None` where there is no Redis. Streams that are not as they should be are left out: [`Self::check`] refuses them.
    pub fn redis(&self, password: Option<String>) -> Option<bridge_redis::Settings> {
        let redis = &self.redis;
        let streams = redis.streams.iter().filter_map(|stream| stream.get_ref().settings().ok());
        (!redis.url.is_empty()).then(|| bridge_redis::Settings {
            url: redis.url.clone(),
            password,
            timeout: Duration::from_millis(redis.timeout_ms),
            streams: streams.collect(),
            cache: redis.cache.as_ref().map(|cache| CacheSettings {
                prefix: cache.prefix.clone(),
                depth_levels: cache.depth_levels,
                trades_max: cache.trades_max,
                events_max: cache.events_max,
                interval: Duration::from_millis(cache.interval_ms),
            }),
        })
    }

    pub fn journal(&self) -> journal::Settings {
        journal::Settings {
            journal_segment_bytes: clamp_mib(self.journal.segment_mib),
            event_segment_bytes: clamp_mib(self.journal.event_segment_mib),
            snapshots_kept: self.journal.snapshots_kept,
            ..journal::Settings::default()
        }
    }

    pub fn sequencer(&self) -> sequencer::Settings {
        sequencer::Settings {
            ingress_limit: self.sequencer.ingress_limit,
            outbox_limit: self.sequencer.outbox_limit,
            batch_max_commands: self.sequencer.batch_max_commands,
            snapshot_every_commands: self.journal.snapshot_every_commands,
            tick: Duration::from_millis(self.sequencer.tick_ms),
        }
    }

    pub fn views(&self) -> ViewSettings {
        ViewSettings {
            orders_kept: self.views.orders_kept,
            orders_kept_per_account: self.views.orders_kept_per_account,
            own_trades_kept: self.views.own_trades_kept,
            own_trades_kept_per_account: self.views.own_trades_kept_per_account,
            income_kept: self.views.income_kept,
            income_kept_per_account: self.views.income_kept_per_account,
            margin_changes_kept: self.views.margin_changes_kept,
            margin_changes_kept_per_account: self.views.margin_changes_kept_per_account,
            open_interest_kept: self.views.open_interest_kept,
            fundings_kept: self.views.fundings_kept,
            trades_kept: self.views.trades_kept,
            agg_trades_kept: self.views.trades_kept,
            ..ViewSettings::default()
        }
    }

    /// A file that belongs to the data directory unless its path says otherwise.
    pub fn beside_data(&self, file: &Path) -> PathBuf {
        self.data_dir.join(file)
    }
}

fn market_terms(form: &MarketForm, assets: &[AssetTerms]) -> anyhow::Result<MarketTerms> {
    Ok(form.terms(find_asset(assets, "base", &form.base)?, find_asset(assets, "quote", &form.quote)?)?)
}

fn find_asset<'a>(
    assets: &'a [AssetTerms],
    field: &str,
    name: &str,
) -> anyhow::Result<(AssetId, &'a AssetTerms)> {
    let found = (0..).map(AssetId).zip(assets).find(|(_, asset)| asset.name.as_str() == name);
    found.ok_or_else(|| anyhow!("{field} = \"{name}\" is no asset: add an [[asset]] of that name"))
}

fn clamp_mib(mib: u64) -> u64 {
    (mib << 20).clamp(journal::Settings::MIN_SEGMENT_BYTES, journal::Settings::MAX_SEGMENT_BYTES)
}

fn line_of(text: &str, at: usize) -> usize {
    text.get(..at).unwrap_or(text).matches('\n').count() + 1
}

/// Only this machine can reach it.
pub fn is_loopback(address: SocketAddr) -> bool {
    match address.ip() {
        IpAddr::V4(ip) => ip.is_loopback(),
        IpAddr::V6(ip) => ip.is_loopback(),
    }
}

#[cfg(test)]
mod tests;
