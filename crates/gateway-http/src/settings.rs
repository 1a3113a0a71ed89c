//! The gateway's limits. Each has a default that suits a machine of two cores; the binary reads them from its settings file.

use std::time::Duration;

use crate::health::HealthSettings;
use crate::limits::LimitSettings;

/// What one listener takes from its clients. A client that goes over a limit harms only itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewaySettings {
    /// Largest request body, in bytes; over it: 413. Default 65,536.
    pub max_body_bytes: usize,
    /// Largest request head (line and headers together), in bytes, at least 8,192; over it: 431. Default 16,384.
    pub max_head_bytes: usize,
    /// Most headers of a request; over it: 431. Default 64.
    pub max_headers: usize,
    /// Most connections at once; one more is answered with 503 and closed. Default 10,000.
    pub max_connections: usize,
    /// How long a connection may wait for a request and its whole head, from the answer before. Default 75 seconds.
    pub idle_timeout: Duration,
    /// How long the body may take once the head is there; over it: 408. Default 10 seconds.
    pub body_timeout: Duration,
    /// How long a client may take nothing of an answer before its connection is closed. Default 30 seconds.
    pub write_timeout: Duration,
    /// How long a command's answer is awaited; over it: error -1007, outcome unknown. Default 10 seconds.
    pub reply_timeout: Duration,
    /// How long connections may take to finish when the program stops. Default 3 seconds.
    pub stop_timeout: Duration,
    /// Largest recvWindow, in milliseconds. Default 60,000, as at Binance.
    pub max_recv_window_ms: u64,
    /// Names and patterns of the markets that take orders here; the others say that they are closed. Default: all.
    pub open_markets: Vec<String>,
    /// Most price levels of each side in one answer. Default 5,000.
    pub max_depth_levels: usize,
    /// Most entries of a list in one answer (trades, candles, orders). Default 1,000.
    pub max_list_entries: usize,
    /// WebSocket connections.
    pub sockets: SocketSettings,
    /// How long a TLS handshake may take. Default 10 seconds.
    pub handshake_timeout: Duration,
    /// Whether the admin port tells its metrics to those who do not show the operator's token. Default no.
    pub open_metrics: bool,
    /// What is beside the spot dialect.
    pub futures: FuturesSettings,
    /// How much a client may ask.
    pub limits: LimitSettings,
    /// When the exchange counts as ready.
    pub health: HealthSettings,
}

/// What one WebSocket connection takes from its client and keeps for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketSettings {
    /// Largest message from a client, in bytes, at least 1,024; over it the connection is closed with 1009. Default 65,536.
    pub max_message_bytes: usize,
    /// Most messages that wait for a client; a client that falls further behind is dropped. Default 16,384.
    pub max_outbox_messages: usize,
    /// Most bytes that wait for a client; a client that falls further behind is dropped. Default 4 MiB.
    pub max_outbox_bytes: usize,
    /// How often the server sends a ping. Default 20 seconds, as at Binance.
    pub ping_interval: Duration,
    /// How long a ping may stay without its pong. Default 60 seconds, as at Binance.
    pub pong_timeout: Duration,
    /// How long a connection lives at the most. Default 24 hours, as at Binance.
    pub max_life: Duration,
    /// Most frames that a client of the streams may send in a second (requests, pings and pongs), or pings and pongs that one
    /// of the WebSocket API may; over it the connection is closed with 1008. Default 5, as at Binance.
    pub max_frames_per_s: u32,
    /// Most requests of one connection of the WebSocket API that are answered at the same time; a client that sends more is
    /// not read from until some of them are done. Default 1,024.
    pub max_requests_in_flight: usize,
    /// Most streams of one connection. Default 1,024, as at Binance.
    pub max_streams: usize,
    /// How long a connection of the streams collects messages after it has sent some, so that those that come close together
    /// leave together. Default 20 milliseconds.
    pub flush_pause: Duration,
}

/// What is told of contracts, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FuturesSettings {
    /// How long a ranking of positions for deleveraging serves before another is made for whoever asks. Default 30 seconds, as at Binance.
    pub adl_refresh: Duration,
    /// How long a listen key is good after it was asked for or kept alive. Default an hour, as at Binance.
    pub listen_key_life: Duration,
    /// From which margin ratio on (maintenance margin by what is left, in millionths) who listens to an account is told `MARGIN_CALL`; at 1,000,000
    /// it is liquidated. 0: never. Default 800,000.
    pub margin_call_ppm: u32,
}

impl Default for FuturesSettings {
    fn default() -> Self {
        Self {
            adl_refresh: Duration::from_secs(30),
            listen_key_life: Duration::from_hours(1),
            margin_call_ppm: 800_000,
        }
    }
}

impl Default for SocketSettings {
    fn default() -> Self {
        Self {
            max_message_bytes: 65_536,
            max_outbox_messages: 16_384,
            max_outbox_bytes: 4 << 20,
            ping_interval: Duration::from_secs(20),
            pong_timeout: Duration::from_mins(1),
            max_life: Duration::from_hours(24),
            max_frames_per_s: 5,
            max_requests_in_flight: 1_024,
            max_streams: 1_024,
            flush_pause: Duration::from_millis(20),
        }
    }
}

impl Default for GatewaySettings {
    fn default() -> Self {
        Self {
            max_body_bytes: 65_536,
            max_head_bytes: 16_384,
            max_headers: 64,
            max_connections: 10_000,
            idle_timeout: Duration::from_secs(75),
            body_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(30),
            reply_timeout: Duration::from_secs(10),
            stop_timeout: Duration::from_secs(3),
            max_recv_window_ms: 60_000,
            open_markets: vec!["*".to_owned()],
            max_depth_levels: 5_000,
            max_list_entries: 1_000,
            sockets: SocketSettings::default(),
            handshake_timeout: Duration::from_secs(10),
            open_metrics: false,
            futures: FuturesSettings::default(),
            limits: LimitSettings::default(),
            health: HealthSettings::default(),
        }
    }
}
