//! Who reads a stream: a key with an expiry names the instance. One that dies is followed by a spare when the key has
//! expired; one that comes back with the same files finds its own name and goes on at once.
//!
//! The lease keeps two instances from wasting each other's reads. It is not what keeps an order from being done twice: that is
//! the partition's mark.

use std::time::{Duration, Instant};

use redis::{Connection, RedisResult, cmd};

/// Takes or keeps it: 1 when it is ours now.
const KEEP: &str = "local holder = redis.call('GET', KEYS[1])
if holder == false or holder == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return 1
end
return 0";
const RELEASE: &str = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0";

pub(crate) struct Lease {
    key: String,
    instance: String,
    time: Duration,
    /// When it was last ours; `None` when it is not.
    kept: Option<Instant>,
}

impl Lease {
    pub(crate) fn new(key: String, instance: &str, time: Duration) -> Self {
        Self { key, instance: instance.to_owned(), time, kept: None }
    }

    /// How long whoever holds it may wait for something else.
    pub(crate) fn patience(&self) -> Duration {
        self.time / 3
    }

    /// Whether the stream is ours to read; asks only after a third of the time.
    pub(crate) fn keep(&mut self, connection: &mut Connection) -> RedisResult<bool> {
        if self.kept.is_some_and(|kept| kept.elapsed() < self.patience()) {
            return Ok(true);
        }
        let begun = Instant::now();
        let millis = u64::try_from(self.time.as_millis()).unwrap_or(u64::MAX);
        let ours: bool =
            cmd("EVAL").arg(KEEP).arg(1).arg(&self.key).arg(&self.instance).arg(millis).query(connection)?;
        self.kept = ours.then_some(begun);
        Ok(ours)
    }

    pub(crate) fn release(&mut self, connection: &mut Connection) -> RedisResult<()> {
        self.kept = None;
        cmd("EVAL").arg(RELEASE).arg(1).arg(&self.key).arg(&self.instance).query(connection)
    }
}
