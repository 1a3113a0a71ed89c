//! The way to Redis: connections that give up in time, and how long to wait before the next try.

use std::time::Duration;

use journal::JournalError;
use redis::{Client, Connection, ErrorKind, IntoConnectionInfo as _, Pipeline, RedisError, RedisResult};

use crate::{Context, Settings};

/// Where Redis is.
pub struct Server {
    client: Client,
    timeout: Duration,
}

/// Why a thread does not go on with its connection.
#[derive(Debug)]
pub(crate) enum Broken {
    /// Redis is away, slow, or says no.
    Redis(RedisError),
    /// The event log cannot be read, or does not agree.
    Log(String),
    /// The exchange stops.
    Stopped,
}

impl From<RedisError> for Broken {
    fn from(error: RedisError) -> Self {
        Self::Redis(error)
    }
}

impl From<JournalError> for Broken {
    fn from(error: JournalError) -> Self {
        Self::Log(error.to_string())
    }
}

impl std::fmt::Display for Broken {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Redis(error) => error.fmt(out),
            Self::Log(problem) => out.write_str(problem),
            Self::Stopped => out.write_str("the exchange stops"),
        }
    }
}

impl Server {
    /// Nobody is asked yet; the error says what is wrong with the settings.
    pub fn new(settings: &Settings) -> Result<Self, String> {
        let wrong = |error: RedisError| format!("redis.url: {error}");
        let mut info = settings.url.as_str().into_connection_info().map_err(wrong)?;
        if let Some(password) = &settings.password {
            let with_password = info.redis_settings().clone().set_password(password);
            info = info.set_redis_settings(with_password);
        }
        Ok(Self { client: Client::open(info).map_err(wrong)?, timeout: settings.timeout })
    }

    /// A connection on which no answer takes longer than `blocking` and the timeout of the settings together.
    pub(crate) fn connect(&self, blocking: Duration) -> RedisResult<Connection> {
        let connection = self.client.get_connection_with_timeout(self.timeout)?;
        connection.set_read_timeout(Some(self.timeout + blocking))?;
        connection.set_write_timeout(Some(self.timeout))?;
        Ok(connection)
    }
}

/// Serves again and again until the exchange stops, with longer and longer pauses while Redis is away.
pub(crate) fn keep_serving(context: &Context, what: &str, mut serve: impl FnMut() -> Result<(), Broken>) {
    const FIRST: Duration = Duration::from_millis(50);
    const LONGEST: Duration = Duration::from_secs(2);
    let mut pause = FIRST;
    let mut told = String::new();
    loop {
        let begun = std::time::Instant::now();
        let broken = match serve() {
            Ok(()) | Err(Broken::Stopped) => return,
            Err(broken) => broken,
        };
        if begun.elapsed() > LONGEST {
            pause = FIRST;
            told.clear();
        }
        // The same trouble is told once.
        let trouble = broken.to_string();
        if trouble != told {
            tracing::warn!("{what}: {trouble}; trying again");
            told = trouble;
        }
        if context.stops() {
            return;
        }
        context.pause(pause);
        pause = (pause * 2).min(LONGEST);
    }
}

/// Sends commands whose answers say nothing, if there are any.
pub(crate) fn send(commands: &Pipeline, connection: &mut Connection) -> RedisResult<()> {
    if commands.is_empty() { Ok(()) } else { commands.query(connection) }
}

/// Whether Redis says that something is there already.
pub(crate) fn is_busy_group(error: &RedisError) -> bool {
    error.code() == Some("BUSYGROUP")
}

/// What should never come from Redis.
pub(crate) fn unexpected(what: &'static str) -> RedisError {
    (ErrorKind::UnexpectedReturnType, what).into()
}
