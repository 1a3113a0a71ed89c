//! The gateway's limits. Each has a default that suits a machine of two cores; the binary reads them from its settings file.

use std::time::Duration;

/// What one listener takes from its clients. A client that goes over a limit harms only itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewaySettings {
    /// Largest request body, in bytes; over it: 413. Default 65,536.
    pub max_body_bytes: usize,
    /// Largest request head (line and headers together), in bytes, at least 8,192; over it: 431. Default 16,384.
    pub max_head_bytes: usize,
    /// Most headers of a request; over it: 431. Default 64.
    pub max_headers: usize,
    /// Most connections at once; one more is answered with 503 and closed. Default 4,096.
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
    /// Most price levels of each side in one answer. Default 5,000.
    pub max_depth_levels: usize,
    /// Most entries of a list in one answer (trades, candles, orders). Default 1,000.
    pub max_list_entries: usize,
}

impl Default for GatewaySettings {
    fn default() -> Self {
        Self {
            max_body_bytes: 65_536,
            max_head_bytes: 16_384,
            max_headers: 64,
            max_connections: 4_096,
            idle_timeout: Duration::from_secs(75),
            body_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(30),
            reply_timeout: Duration::from_secs(10),
            stop_timeout: Duration::from_secs(3),
            max_recv_window_ms: 60_000,
            max_depth_levels: 5_000,
            max_list_entries: 1_000,
        }
    }
}
