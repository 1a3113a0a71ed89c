//! From a sorted set to a stream, for producers that use `ZADD`. From there on everything is as with any stream: ids, marks,
//! acknowledgements, dead letters. The reader of the stream fills it itself, and takes no more than it reads next.

use std::time::Duration;

use redis::{Connection, RedisResult, cmd, pipe};

use crate::settings::{SortedSet, Take};

/// The field of the stream that has the member.
pub const FIELD: &str = "order";

const MOVE: &str = "local popped = redis.call('ZPOPMIN', KEYS[1], ARGV[1])
for at = 1, #popped, 2 do
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], '*', ARGV[3], popped[at])
end
return #popped / 2";

const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_millis(50);

/// One sorted set, and how long to wait before looking at it again.
pub struct Feed {
    set: SortedSet,
    stream: String,
    /// About how many entries of the stream are kept; more than can be read and not acknowledged.
    kept: usize,
    pause: Duration,
}

impl Feed {
    pub fn new(set: &SortedSet, stream: &str, kept: usize) -> Self {
        Self { set: set.clone(), stream: stream.to_owned(), kept, pause: SHORTEST }
    }

    /// How long to wait when there was nothing.
    pub const fn pause(&self) -> Duration {
        match self.set.take {
            // It has waited in Redis.
            Take::Block => Duration::ZERO,
            Take::Script | Take::Poll => self.pause,
        }
    }

    /// Moves up to `most` members; how many there were. Waits up to `wait` for the first, where that is how they are taken.
    pub fn fill(&mut self, connection: &mut Connection, most: usize, wait: Duration) -> RedisResult<usize> {
        let moved = match self.set.take {
            Take::Script => cmd("EVAL")
                .arg(MOVE)
                .arg(2)
                .arg(&self.set.key)
                .arg(&self.stream)
                .arg(most)
                .arg(self.kept)
                .arg(FIELD)
                .query(connection)?,
            Take::Block | Take::Poll => self.pop(connection, most, wait)?,
        };
        self.pause = if moved > 0 { SHORTEST } else { (self.pause * 2).min(LONGEST) };
        Ok(moved)
    }

    fn pop(&self, connection: &mut Connection, most: usize, wait: Duration) -> RedisResult<usize> {
        let mut members: Vec<Vec<u8>> = Vec::new();
        if self.set.take == Take::Block && !wait.is_zero() {
            let first: Option<(String, Vec<u8>, String)> =
                cmd("BZPOPMIN").arg(&self.set.key).arg(wait.as_secs_f64()).query(connection)?;
            members.extend(first.map(|(_, member, _)| member));
        }
        let more: Vec<(Vec<u8>, String)> =
            cmd("ZPOPMIN").arg(&self.set.key).arg(most.saturating_sub(members.len())).query(connection)?;
        members.extend(more.into_iter().map(|(member, _)| member));
        if members.is_empty() {
            return Ok(0);
        }
        let mut add = pipe();
        for member in &members {
            add.cmd("XADD")
                .arg(&self.stream)
                .arg("MAXLEN")
                .arg("~")
                .arg(self.kept)
                .arg("*")
                .arg(FIELD)
                .arg(member)
                .ignore();
        }
        add.query::<()>(connection)?;
        Ok(members.len())
    }
}

/// The fields of a member: a JSON object of texts, whole numbers and truth values. `None` when it is something else.
pub fn fields(member: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(member).ok()?;
    let field = |(name, value): (String, serde_json::Value)| {
        let text = match value {
            serde_json::Value::String(text) => text,
            // Only whole numbers are written as they were.
            serde_json::Value::Number(number) if number.is_u64() => number.to_string(),
            serde_json::Value::Bool(is_so) => is_so.to_string(),
            _ => return None,
        };
        Some((name.into_bytes(), text.into_bytes()))
    };
    object.into_iter().map(field).collect()
}

/// What the producer calls the order, so that it finds its result.
pub fn reference(member: &[u8]) -> Option<String> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(member).ok()?;
    object.get("ref").and_then(serde_json::Value::as_str).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_a_flat_object_of_texts_whole_numbers_and_truth_values() {
        let text = |text: &str| text.as_bytes().to_vec();
        let member = br#"{"account":"alice","accountId":7,"price":"1.50","ref":"a","reduceOnly":true}"#;
        let found = fields(member).unwrap();
        assert!(found.contains(&(text("reduceOnly"), text("true"))));
        assert!(
            found.contains(&(text("accountId"), text("7"))) && found.contains(&(text("price"), text("1.50")))
        );
        // A number with a point may have lost digits on its way.
        for wrong in ["", "[]", "7", r#"{"price":1.5}"#, r#"{"a":{}}"#, r#"{"a":null}"#, r#"{"a":-1}"#] {
            assert_eq!(fields(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(reference(br#"{"ref":"a","x":{}}"#).as_deref(), Some("a"));
        assert_eq!(reference(b"nonsense"), None);
    }
}
