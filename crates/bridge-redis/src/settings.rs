//! What can be set.

use std::time::Duration;

use model::{SourceKey, SourceName};

/// Where Redis is, and what is read there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `redis://HOST:PORT/DB`, or `rediss://` with TLS.
    pub url: String,
    /// What Redis wants to hear first, unless it stands in the URL.
    pub password: Option<String>,
    /// A connection that is not made in this time, and an answer that has not come, count as an error.
    pub timeout: Duration,
    /// Streams that orders come in by.
    pub streams: Vec<StreamSettings>,
    /// What is kept in Redis for whoever asks there.
    pub cache: Option<CacheSettings>,
}

/// What is kept in Redis for whoever asks there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheSettings {
    /// What all keys begin with.
    pub prefix: String,
    /// Levels of each side of a book.
    pub depth_levels: usize,
    /// About how many trades of a market or a contract are kept.
    pub trades_max: usize,
    /// About how many events of a market or an account are kept, and settlements of funding of a contract.
    pub events_max: usize,
    /// The shortest time between two writes.
    pub interval: Duration,
}

/// One stream that orders come in by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamSettings {
    /// What it is called in logs and metrics; with key and incarnation it is the source.
    pub name: SourceName,
    /// The stream's key.
    pub key: SourceKey,
    /// A sorted set from which the stream is filled.
    pub sorted_set: Option<SortedSet>,
    /// To be raised when the stream begins anew with ids below those that were read.
    pub incarnation: u64,
    /// How many of the newest entries each partition remembers one by one.
    pub remember: u32,
    /// The consumer group.
    pub group: String,
    /// The one market that all entries are for; without it each names its own.
    pub only: Option<Only>,
    /// Most entries of one read.
    pub read_max: usize,
    /// Most entries that are read and not acknowledged yet.
    pub in_flight_max: usize,
    /// How long the stream is held without a sign of life, before a spare takes over.
    pub lease: Duration,
    /// Where results go.
    pub replies: Replies,
    /// About how many dead letters are kept.
    pub dead_letters_max: usize,
}

/// The one market that all entries of a stream are for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Only {
    /// The spot market of this name.
    Market(String),
    /// The perpetual contract of this name.
    Contract(String),
}

/// A sorted set that producers add orders to, as members of JSON; the lowest score comes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortedSet {
    /// Its key, which lies where the stream lies in a cluster.
    pub key: String,
    /// How members are taken out of it.
    pub take: Take,
}

/// How members are taken out of a sorted set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// A script moves them into the stream: nothing is ever lost. It looks every 1 to 50 ms.
    Script,
    /// They are popped, then added to the stream; who dies in between loses them. Waits in Redis for the first.
    Block,
    /// The same, looking every 1 to 50 ms, where a proxy forbids waiting.
    Poll,
}

/// Where results go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replies {
    /// Nowhere.
    Off,
    /// To a stream, of which about so many are kept.
    Stream {
        /// How many.
        max: usize,
    },
    /// To a hash each, which lives so long.
    Key {
        /// How long.
        ttl: Duration,
    },
}
