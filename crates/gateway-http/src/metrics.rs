//! What an operator watches, in the text form that Prometheus reads. What this gateway does is counted as it happens; what
//! others know (sequencer, views, the process) is asked for when somebody looks.

use std::fmt;
use std::fs;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::StatusCode;
use model::PartitionId;
use prometheus_client::encoding::{EncodeLabelSet, EncodeMetric, MetricEncoder, NoLabelSet, prometheus_text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::{MetricType, TypedMetric};
use prometheus_client::registry::Registry;
use sequencer::{Bounds, Counts, Snapshots};

use crate::gateway::{Gateway, now_ns};
use crate::read_model::ReadModel;

/// Content type of the text form.
pub(crate) const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Seconds that a request may take, from when it is read whole to its answer.
const REQUEST_SECONDS: [f64; 12] =
    [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0];

/// Whose listener it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Side {
    Public,
    Admin,
}

impl Side {
    const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Admin => "admin",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    endpoint: &'static str,
    verb: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct At {
    endpoint: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct On {
    port: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TurnedAway {
    port: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    limit: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Commands {
    command: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfPartition {
    partition: u64,
}

/// What a stream of Redis is at.
#[derive(Clone, Debug)]
pub struct RedisStreamStatus {
    /// What it is called.
    pub name: String,
    /// Whether this instance reads it.
    pub is_active: bool,
    /// Entries that are durable and acknowledged, those that came again included.
    pub taken: u64,
    /// Entries that came again.
    pub repeated: u64,
    /// Entries that were put aside.
    pub dead_lettered: u64,
    /// Entries that are read and not acknowledged.
    pub in_flight: u64,
    /// Results that were written.
    pub replies: u64,
    /// Commands whose results are not written yet.
    pub reply_lag: u64,
}

/// Tells of the streams of Redis, and how long ago the cache there was complete, where there is one.
pub type RedisStatus = Box<dyn Fn() -> (Vec<RedisStreamStatus>, Option<Duration>) + Send + Sync>;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfStream {
    stream: String,
}

/// What a writer of a database does.
#[derive(Clone, Copy, Debug)]
pub struct SqlWriterStatus {
    /// Of which partition it writes the events.
    pub partition: u8,
    /// Which tables its database has: `all`, `spot` or `futures`.
    pub tables: &'static str,
    /// Whether it writes: not while the database is away, and not after it has stopped.
    pub is_up: bool,
    /// Events that are not in the database yet.
    pub lag_events: u64,
    /// How old the oldest of them is.
    pub lag: Duration,
    /// Transactions since the start.
    pub transactions: u64,
    /// Rows written since the start.
    pub rows: u64,
    /// How often the database did not take something since the start.
    pub failures: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfWriter {
    partition: u64,
    tables: &'static str,
}

/// Tells of the writers of databases.
pub type SqlWriters = Box<dyn Fn() -> Vec<SqlWriterStatus> + Send + Sync>;

type Durations = Family<At, Histogram, fn() -> Histogram>;

/// What the gateway counts.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Asked, Counter>,
    seconds: Durations,
    refused: Family<Of, Counter>,
    connections: Family<On, Gauge>,
    turned_away: Family<TurnedAway, Counter>,
    failed_handshakes: Family<On, Counter>,
    accept_errors: Family<On, Counter>,
    /// Open WebSocket connections.
    pub(crate) sockets: Gauge,
    /// Messages handed to WebSocket connections.
    pub(crate) messages: Counter,
    /// WebSocket connections closed because their clients did not keep up.
    pub(crate) slow_readers: Counter,
    started: SystemTime,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::default();
        let requests = Family::default();
        registry.register("rialto_http_requests", "Requests that were answered", requests.clone());
        let seconds = Durations::new_with_constructor(|| Histogram::new(REQUEST_SECONDS));
        registry.register(
            "rialto_http_request_seconds",
            "From a request read whole to its answer",
            seconds.clone(),
        );
        let refused = Family::default();
        registry.register("rialto_limit_refusals", "Requests and orders refused by a limit", refused.clone());
        let connections = Family::default();
        registry.register("rialto_connections", "Open connections", connections.clone());
        let turned_away = Family::default();
        registry.register("rialto_connections_refused", "Connections closed at once", turned_away.clone());
        let failed_handshakes = Family::default();
        registry.register(
            "rialto_tls_handshakes_failed",
            "TLS handshakes that failed",
            failed_handshakes.clone(),
        );
        let accept_errors = Family::default();
        registry.register(
            "rialto_accept_errors",
            "Connections that could not be accepted",
            accept_errors.clone(),
        );
        let sockets = Gauge::default();
        registry.register("rialto_websocket_connections", "Open WebSocket connections", sockets.clone());
        let messages = Counter::default();
        registry.register(
            "rialto_websocket_messages",
            "Messages handed to WebSocket connections",
            messages.clone(),
        );
        let slow_readers = Counter::default();
        registry.register(
            "rialto_websocket_slow_readers_dropped",
            "WebSocket connections closed because the client did not keep up",
            slow_readers.clone(),
        );
        Self {
            registry,
            requests,
            seconds,
            refused,
            connections,
            turned_away,
            failed_handshakes,
            accept_errors,
            sockets,
            messages,
            slow_readers,
            started: SystemTime::now(),
        }
    }

    /// A request for `endpoint` was answered.
    pub(crate) fn answered(
        &self,
        verb: &'static str,
        endpoint: &'static str,
        status: StatusCode,
        took: Duration,
    ) {
        let asked = Asked { endpoint, verb, status: status.as_u16() };
        self.requests.get_or_create(&asked).inc();
        self.seconds.get_or_create(&At { endpoint }).observe(took.as_secs_f64());
    }

    /// A limit refused something.
    pub(crate) fn refused(&self, limit: &'static str) {
        self.refused.get_or_create(&Of { limit }).inc();
    }

    /// Counts a connection for as long as what is returned lives.
    pub(crate) fn connection(&self, side: Side) -> Counted {
        let gauge = self.connections.get_or_create(&On { port: side.name() }).clone();
        Counted::in_(gauge)
    }

    /// A connection was closed at once, for want of a place or because its address has too many.
    pub(crate) fn turned_away(&self, side: Side, reason: &'static str) {
        self.turned_away.get_or_create(&TurnedAway { port: side.name(), reason }).inc();
    }

    /// A client and this listener found no common language.
    pub(crate) fn handshake_failed(&self, side: Side) {
        self.failed_handshakes.get_or_create(&On { port: side.name() }).inc();
    }

    /// The system had no connection to give, though somebody wanted one.
    pub(crate) fn accept_failed(&self, side: Side) {
        self.accept_errors.get_or_create(&On { port: side.name() }).inc();
    }

    /// All of it as text.
    pub(crate) fn render(&self, gateway: &Gateway) -> Result<String, fmt::Error> {
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.registry)?;
        prometheus_text::encode(&mut text, &self.asked_for(gateway))?;
        Ok(text)
    }

    /// What is known elsewhere, as it is now.
    fn asked_for(&self, gateway: &Gateway) -> Registry {
        let mut registry = Registry::default();
        let mut counts = Counts::default();
        let by_partition: Vec<Counts> = gateway.egress.iter().map(|egress| egress.stats().counts()).collect();
        for of_one in &by_partition {
            counts.join(of_one);
        }
        let commands = Family::<Commands, Counter>::default();
        for row in &counts.commands {
            let labels = Commands { command: row.command, outcome: row.outcome };
            commands.get_or_create(&labels).inc_by(row.count);
        }
        registry.register("rialto_commands", "Durable commands, by what came of them", commands);
        let batches = Fixed::of(&counts.batch_commands, 1.0);
        registry.register("rialto_batch_commands", "Commands behind one sync of the journal", batches);
        let syncs = Fixed::of(&counts.journal_ns, 1e-9);
        registry.register("rialto_journal_sync_seconds", "Append and sync of one batch", syncs);
        let written = Counter::<u64>::default();
        written.inc_by(counts.snapshots.written);
        registry.register("rialto_snapshots_written", "Snapshots since the start", written);
        let failed = Counter::<u64>::default();
        failed.inc_by(counts.snapshots.failed);
        registry.register(
            "rialto_snapshots_failed",
            "Snapshots since the start that could not be made; the reason is in the log",
            failed,
        );
        let mut seconds = |name: &str, help: &str, duration: Duration| {
            registry.register(name, help, ConstGauge::new(duration.as_secs_f64()));
        };
        let Snapshots { last_written, last_took, last_stall, .. } = counts.snapshots;
        seconds(
            "rialto_snapshot_stall_seconds",
            "How long trading stood still for the last snapshot",
            last_stall,
        );
        if let Some(written) = last_written {
            seconds("rialto_snapshot_age_seconds", "Since the last snapshot was written", written.elapsed());
            seconds(
                "rialto_snapshot_write_seconds",
                "How long the last snapshot took to be written",
                last_took,
            );
        }
        let refused = Counter::<u64>::default();
        refused.inc_by(gateway.ingress.refused());
        registry.register(
            "rialto_commands_refused_busy",
            "Commands refused because the queue was full",
            refused,
        );

        if let Some(status) = gateway.redis.get() {
            let (streams, cache_age) = status();
            register_redis_streams(&mut registry, &streams);
            if let Some(age) = cache_age {
                let help = "How long ago the cache in Redis had all that there was";
                registry.register("rialto_redis_cache_age_seconds", help, ConstGauge::new(age.as_secs_f64()));
            }
        }
        let mut gauge = |name: &str, help: &str, number: u64| {
            registry.register(name, help, ConstGauge::new(i64::try_from(number).unwrap_or(i64::MAX)));
        };
        let released = gateway.egress[0].released_seq().0;
        let lag = gateway.views_lags().max().unwrap_or_default();
        let open_orders = |model: &ReadModel| model.with_views(|views| views.orders().open_count());
        let open = gateway.read_models.all().iter().map(open_orders).sum();
        let accounts = gateway.read_models.directory().with_views(|views| views.catalog().accounts().len());
        gauge(
            "rialto_commands_waiting",
            "Commands that wait to be sequenced",
            count(gateway.ingress.waiting()),
        );
        gauge("rialto_released_seq", "The last command whose outcome was told", released);
        gauge("rialto_views_lag_commands", "Commands that the views do not know yet", lag);
        gauge(
            "rialto_event_log_waiting_bytes",
            "Events that are not in the event log yet",
            count(counts.events_waiting_bytes),
        );
        gauge(
            "rialto_websocket_subscriptions",
            "Streams and accounts that WebSocket connections follow",
            count(gateway.read_models.hub().subscriptions()),
        );
        gauge(
            "rialto_envelopes_waiting",
            "Messages to other partitions that are not known to have been taken",
            count(counts.outboxes.iter().sum()),
        );
        gauge("rialto_partitions", "Partitions", count(gateway.egress.len()));
        gauge("rialto_open_orders", "Open orders", count(open));
        gauge("rialto_accounts", "Accounts", count(accounts));
        gauge("rialto_banned_addresses", "Addresses banned now", count(gateway.limits.banned(now_ns())));

        if gateway.egress.len() > 1 {
            register_partitions(&mut registry, gateway, &by_partition);
        }
        if let Some(writers) = gateway.sql_writers.get() {
            register_sql_writers(&mut registry, &writers());
        }
        let mut gauge = |name: &str, help: &str, number: u64| {
            registry.register(name, help, ConstGauge::new(i64::try_from(number).unwrap_or(i64::MAX)));
        };
        let started = self.started.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        gauge("process_start_time_seconds", "When the program was started, in seconds since 1970", started);
        if let Some(bytes) = resident_bytes() {
            gauge("process_resident_memory_bytes", "Memory in use", bytes);
        }
        if let Some(files) = open_files() {
            gauge("process_open_fds", "Open file descriptors", files);
        }
        registry
    }
}

/// A metric of each partition: its name, what it is, and its value.
type OfEach<'a> = (&'a str, &'a str, &'a dyn Fn(usize) -> u64);

/// What differs from partition to partition.
fn register_partitions(registry: &mut Registry, gateway: &Gateway, counts: &[Counts]) {
    let lags: Vec<u64> = gateway.views_lags().collect();
    let each: [OfEach<'_>; 4] = [
        ("rialto_partition_released_seq", "The last command whose outcome was told", &|at| {
            gateway.egress[at].released_seq().0
        }),
        ("rialto_partition_views_lag_commands", "Commands that the views do not know yet", &|at| lags[at]),
        ("rialto_partition_commands_waiting", "Commands that wait to be sequenced", &|at| {
            count(gateway.ingress.waiting_in(PartitionId(u8::try_from(at).unwrap_or(u8::MAX))))
        }),
        (
            "rialto_partition_envelopes_waiting",
            "Messages to other partitions that are not known to have been taken",
            &|at| count(counts[at].outboxes.iter().sum()),
        ),
    ];
    for (name, help, of) in each {
        let family = Family::<OfPartition, Gauge>::default();
        for at in 0..gateway.egress.len() {
            let labels = OfPartition { partition: count(at) };
            family.get_or_create(&labels).set(i64::try_from(of(at)).unwrap_or(i64::MAX));
        }
        registry.register(name, help, family);
    }
}

/// What the streams of Redis are at.
fn register_redis_streams(registry: &mut Registry, streams: &[RedisStreamStatus]) {
    let labels = |status: &RedisStreamStatus| OfStream { stream: status.name.clone() };
    let mut gauge = |name: &str, help: &str, of: &dyn Fn(&RedisStreamStatus) -> u64| {
        let family = Family::<OfStream, Gauge>::default();
        for status in streams {
            family.get_or_create(&labels(status)).set(i64::try_from(of(status)).unwrap_or(i64::MAX));
        }
        registry.register(name, help, family);
    };
    gauge("rialto_redis_active", "Whether this instance reads the stream", &|status| {
        u64::from(status.is_active)
    });
    gauge("rialto_redis_in_flight", "Entries that are read and not acknowledged", &|status| status.in_flight);
    gauge("rialto_redis_reply_lag", "Commands whose results are not written yet", &|status| status.reply_lag);
    let mut counter = |name: &str, help: &str, of: &dyn Fn(&RedisStreamStatus) -> u64| {
        let family = Family::<OfStream, Counter>::default();
        for status in streams {
            family.get_or_create(&labels(status)).inc_by(of(status));
        }
        registry.register(name, help, family);
    };
    counter("rialto_redis_entries", "Entries that are durable and acknowledged", &|status| status.taken);
    counter("rialto_redis_entries_repeated", "Entries that came again", &|status| status.repeated);
    counter("rialto_redis_dead_letters", "Entries that were put aside", &|status| status.dead_lettered);
    counter("rialto_redis_replies", "Results that were written", &|status| status.replies);
}

/// What the writers of databases do, each for its partition.
fn register_sql_writers(registry: &mut Registry, writers: &[SqlWriterStatus]) {
    let labels =
        |writer: &SqlWriterStatus| OfWriter { partition: writer.partition.into(), tables: writer.tables };
    let labelled = || writers.iter().map(|writer| (labels(writer), writer));
    let mut gauge = |name: &str, help: &str, of: &dyn Fn(&SqlWriterStatus) -> f64| {
        let family = Family::<OfWriter, Gauge<f64, AtomicU64>>::default();
        for (labels, writer) in labelled() {
            family.get_or_create(&labels).set(of(writer));
        }
        registry.register(name, help, family);
    };
    gauge("rialto_sql_writer_up", "Whether the database takes what the writer has", &|writer| {
        f64::from(u8::from(writer.is_up))
    });
    gauge("rialto_sql_lag_events", "Events that are not in the database yet", &|writer| {
        // What is shown needs no more than 32 bits.
        f64::from(u32::try_from(writer.lag_events).unwrap_or(u32::MAX))
    });
    gauge(
        "rialto_sql_lag_seconds",
        "How old the oldest event is that is not in the database yet",
        &|writer| writer.lag.as_secs_f64(),
    );
    let mut counter = |name: &str, help: &str, of: &dyn Fn(&SqlWriterStatus) -> u64| {
        let family = Family::<OfWriter, Counter>::default();
        for (labels, writer) in labelled() {
            family.get_or_create(&labels).inc_by(of(writer));
        }
        registry.register(name, help, family);
    };
    counter("rialto_sql_transactions", "Transactions written to the database", &|writer| writer.transactions);
    counter("rialto_sql_rows", "Rows written to the database", &|writer| writer.rows);
    counter("rialto_sql_failures", "How often the database did not take something", &|writer| {
        writer.failures
    });
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// From `/proc`, where there is one.
fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1_024)
}

fn open_files() -> Option<u64> {
    // One of them is the folder that is being read.
    Some(count(fs::read_dir("/proc/self/fd").ok()?.count()).saturating_sub(1))
}

/// Counts one in a gauge for as long as it lives.
#[derive(Debug)]
pub(crate) struct Counted(Gauge);

impl Counted {
    pub(crate) fn in_(gauge: Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A histogram that was counted elsewhere.
#[derive(Debug)]
struct Fixed {
    sum: f64,
    count: u64,
    buckets: Vec<(f64, u64)>,
}

impl Fixed {
    /// `unit` is what 1 of its numbers is in the unit that is shown.
    #[allow(clippy::cast_precision_loss, reason = "what is shown needs no more than 15 digits")]
    fn of<B: Bounds>(histogram: &sequencer::Histogram<B>, unit: f64) -> Self {
        let buckets: Vec<_> = histogram
            .buckets()
            .map(|(bound, count)| (bound.map_or(f64::INFINITY, |bound| bound as f64 * unit), count))
            .collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        Self { sum: histogram.sum() as f64 * unit, count, buckets }
    }
}

impl TypedMetric for Fixed {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Fixed {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        encoder.encode_histogram::<NoLabelSet>(self.sum, self.count, &self.buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    /// What a text calls metrics, without what the text form adds to their names.
    fn named(text: &str) -> BTreeSet<&str> {
        let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        let metrics = words.filter(|word| word.starts_with("rialto_") || word.starts_with("process_"));
        metrics
            .map(|name| {
                ["_total", "_bucket", "_sum", "_count"]
                    .iter()
                    .find_map(|added| name.strip_suffix(added))
                    .unwrap_or(name)
            })
            .collect()
    }

    #[test]
    fn dashboard_and_page_name_the_metrics_that_there_are() {
        let code = include_str!("metrics.rs").split("mod tests").next().unwrap();
        let there = named(code);
        let page = named(include_str!("../../../docs/operations.md"));
        let dashboard = named(include_str!("../../../deploy/grafana-dashboard.json"));
        assert_eq!(page, there, "left: the page, right: the code");
        let unknown: Vec<_> = dashboard.difference(&there).collect();
        assert!(unknown.is_empty(), "only the dashboard knows {unknown:?}");
        assert!(dashboard.len() > 15);
    }
}
