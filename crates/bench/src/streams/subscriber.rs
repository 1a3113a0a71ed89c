//! One subscriber: what must hold of every message it gets, and of all of them together.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;
use serde::Deserialize;

use super::{Book, nanos};
use crate::remote::socket::{Scratch, Socket, State};

/// What arrived late by how much, over all subscribers, of what happened while it is measured: by the time in a message, so
/// that every subscriber counts the same ones.
pub(crate) struct Delays {
    /// In milliseconds since 1970: after the first, until the second.
    measured: (u64, u64),
    /// All, also those outside the measurement.
    received: u64,
    pub(crate) depth: Kind,
    /// Of depth: from the time of the update before.
    pub(crate) oldest_nanos: Histogram<u64>,
    pub(crate) trades: Kind,
}

/// Messages of one kind.
pub(crate) struct Kind {
    pub(crate) messages: u64,
    bytes: u64,
    pub(crate) nanos: Histogram<u64>,
}

impl Kind {
    fn new() -> Self {
        Self { messages: 0, bytes: 0, nanos: nanos() }
    }

    fn count(&mut self, text: &[u8], delay: Duration) {
        self.messages += 1;
        self.bytes += u64::try_from(text.len()).expect("fits");
        record(&mut self.nanos, delay);
    }

    pub(crate) fn mean_bytes(&self) -> u64 {
        self.bytes / self.messages.max(1)
    }
}

fn record(nanos: &mut Histogram<u64>, delay: Duration) {
    nanos.record(u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX / 2)).expect("it grows as it must");
}

impl Delays {
    pub(crate) fn new() -> Self {
        let measured = (u64::MAX, u64::MAX);
        Self { measured, received: 0, depth: Kind::new(), oldest_nanos: nanos(), trades: Kind::new() }
    }

    pub(crate) fn begin(&mut self) {
        self.measured.0 = millis(since_1970());
    }

    pub(crate) fn end(&mut self) {
        self.measured.1 = millis(since_1970());
    }

    fn measures(&self, time: u64) -> bool {
        self.measured.0 < time && time <= self.measured.1
    }

    /// All that came so far, measured or not.
    pub(crate) fn messages(&self) -> u64 {
        self.received
    }
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).expect("milliseconds fit for millions of years")
}

/// What one subscriber has seen.
#[derive(Default)]
pub(crate) struct Subscriber {
    /// The last update of the last message about the book, and that message's time in milliseconds.
    last_update: Option<(u64, u64)>,
    last_trade: Option<u64>,
    first_problem: Option<String>,
    /// All messages about the book, where they are kept.
    kept: Option<Vec<Vec<u8>>>,
}

impl Subscriber {
    pub(crate) fn new(keeps: bool) -> Self {
        Self { kept: keeps.then(Vec::new), ..Self::default() }
    }

    fn take(&mut self, text: &[u8], delays: &mut Delays) {
        delays.received += 1;
        let now = since_1970();
        let since = |ms: u64| now.saturating_sub(Duration::from_millis(ms));
        if let Some((time, first, last)) = depth_head(text) {
            if let Some((before, time_before)) = self.last_update {
                if first != before + 1 {
                    self.problem_with(format!("an update of the book begins with {first} after {before}"));
                }
                if delays.measures(time) {
                    delays.depth.count(text, since(time));
                    record(&mut delays.oldest_nanos, since(time_before));
                }
            }
            if last < first {
                self.problem_with(format!("an update of the book goes from {first} to {last}"));
            }
            self.last_update = Some((last, time));
            if let Some(kept) = &mut self.kept {
                kept.push(text.to_vec());
            }
        } else if let Some((time, id)) = trade_head(text) {
            if let Some(before) = self.last_trade
                && id != before + 1
            {
                self.problem_with(format!("trade {id} comes after trade {before}"));
            }
            if delays.measures(time) {
                delays.trades.count(text, since(time));
            }
            self.last_trade = Some(id);
        } else {
            self.problem_with(format!("what is this: {}", String::from_utf8_lossy(text)));
        }
    }

    fn problem_with(&mut self, problem: String) {
        self.first_problem.get_or_insert(problem);
    }

    /// What went wrong, if anything did. `last_update` is the book's when all is quiet.
    pub(crate) fn problem(&self, last_update: u64) -> Option<String> {
        if let Some(problem) = &self.first_problem {
            return Some(problem.clone());
        }
        match self.last_update {
            Some((update, _)) if update == last_update => None,
            Some((update, _)) => Some(format!("the last update is {update}, the book's {last_update}")),
            None => Some("no update of the book came".to_owned()),
        }
    }

    pub(crate) fn last_trade(&self) -> Option<u64> {
        self.last_trade
    }

    /// The book from `snapshot` and the updates behind it, which must be `wanted`; how many levels it has. `None` for those who
    /// did not keep their updates. Source: web-socket-streams.md, "How to manage a local order book correctly".
    pub(crate) fn rebuilt(&self, snapshot: &Book, wanted: &Book) -> Option<Result<usize, String>> {
        self.kept.as_ref().map(|kept| rebuild(kept, snapshot, wanted))
    }
}

fn rebuild(kept: &[Vec<u8>], snapshot: &Book, wanted: &Book) -> Result<usize, String> {
    #[derive(Deserialize)]
    struct Update<'t> {
        #[serde(rename = "U")]
        first: u64,
        #[serde(rename = "u")]
        last: u64,
        #[serde(rename = "b", borrow)]
        bids: Vec<[&'t str; 2]>,
        #[serde(rename = "a", borrow)]
        asks: Vec<[&'t str; 2]>,
    }
    let levels = |side: &[[String; 2]]| -> BTreeMap<String, String> {
        side.iter().map(|[price, quantity]| (price.clone(), quantity.clone())).collect()
    };
    let [mut bids, mut asks] = [levels(&snapshot.bids), levels(&snapshot.asks)];
    let mut at = snapshot.update;
    for text in kept {
        let update: Update<'_> =
            serde_json::from_slice(text).map_err(|error| format!("an update: {error}"))?;
        if update.last <= at {
            continue;
        }
        if update.first > at + 1 {
            return Err(format!("the book is at {at}, the next update begins with {}", update.first));
        }
        for (side, changes) in [(&mut bids, &update.bids), (&mut asks, &update.asks)] {
            for [price, quantity] in changes {
                if quantity.bytes().all(|digit| matches!(digit, b'0' | b'.')) {
                    side.remove(*price);
                } else {
                    side.insert((*price).to_owned(), (*quantity).to_owned());
                }
            }
        }
        at = update.last;
    }
    let same = at == wanted.update && bids == levels(&wanted.bids) && asks == levels(&wanted.asks);
    same.then_some(bids.len() + asks.len())
        .ok_or_else(|| "the book that was rebuilt is not the one of REST".to_owned())
}

/// Time, first and last update of a message about the book; `None` for any other message.
pub(crate) fn depth_head(text: &[u8]) -> Option<(u64, u64, u64)> {
    let rest = text.strip_prefix(b"{\"e\":\"depthUpdate\",\"E\":")?;
    let (time, rest) = number(rest)?;
    let rest = behind(rest, b"\"U\":")?;
    let (first, rest) = number(rest)?;
    let (last, _) = number(rest.strip_prefix(b",\"u\":")?)?;
    Some((time, first, last))
}

/// Time and number of a trade; `None` for any other message.
pub(crate) fn trade_head(text: &[u8]) -> Option<(u64, u64)> {
    let rest = text.strip_prefix(b"{\"e\":\"trade\",\"E\":")?;
    let (id, rest) = number(behind(rest, b"\"t\":")?)?;
    let (time, _) = number(behind(rest, b"\"T\":")?)?;
    Some((time, id))
}

fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(digits);
    let value = |value: u64, digit: &u8| value.checked_mul(10)?.checked_add(u64::from(digit - b'0'));
    (!digits.is_empty()).then(|| digits.iter().try_fold(0, value)).flatten().map(|number| (number, rest))
}

/// What comes behind `key`, which must stand in the first 200 bytes.
fn behind<'t>(text: &'t [u8], key: &[u8]) -> Option<&'t [u8]> {
    let head = &text[..text.len().min(200)];
    let at = head.windows(key.len()).position(|window| window == key)?;
    text.get(at + key.len()..)
}

/// Reads for a subscriber until the connection is over, which it must not be.
pub(crate) async fn read(
    mut socket: Socket,
    subscriber: Rc<RefCell<Subscriber>>,
    delays: Rc<RefCell<Delays>>,
    scratch: Rc<RefCell<Scratch>>,
) {
    loop {
        let state = {
            let (subscriber, delays) = (&subscriber, &delays);
            socket.texts(&scratch, |text| subscriber.borrow_mut().take(text, &mut delays.borrow_mut())).await
        };
        let problem = match state {
            Ok(State::Open) => continue,
            Ok(State::Closed(why)) => format!("the server closed the connection: {why}"),
            Err(error) => error.to_string(),
        };
        subscriber.borrow_mut().problem_with(problem);
        return;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEPTH: &str = r#"{"e":"depthUpdate","E":1672515782136,"s":"BNBBTC","U":157,"u":160,"b":[["0.0024","10"]],"a":[["0.0026","0.000"]]}"#;
    const TRADE: &str = r#"{"e":"trade","E":1672515782136,"s":"BNBBTC","t":12345,"p":"0.001","q":"100","T":1672515782135,"m":true,"M":true}"#;

    #[test]
    fn heads_are_read_without_the_rest() {
        assert_eq!(depth_head(DEPTH.as_bytes()), Some((1_672_515_782_136, 157, 160)));
        assert_eq!(trade_head(DEPTH.as_bytes()), None);
        assert_eq!(trade_head(TRADE.as_bytes()), Some((1_672_515_782_135, 12_345)));
        assert_eq!(depth_head(TRADE.as_bytes()), None);
    }

    #[test]
    fn gaps_are_noticed() {
        let mut delays = Delays::new();
        let update = |first: u64, last: u64| {
            format!(r#"{{"e":"depthUpdate","E":1,"s":"X","U":{first},"u":{last},"b":[],"a":[]}}"#)
        };
        let trade = |id: u64| {
            format!(r#"{{"e":"trade","E":1,"s":"X","t":{id},"p":"1","q":"1","T":1,"m":true,"M":true}}"#)
        };
        let seen = |texts: &[String]| {
            let mut subscriber = Subscriber::new(false);
            for text in texts {
                subscriber.take(text.as_bytes(), &mut delays);
            }
            subscriber.problem(9)
        };
        let mut seen = seen;
        assert_eq!(seen(&[update(1, 5), trade(7), update(6, 9), trade(8)]), None);
        assert!(seen(&[update(1, 5), update(7, 9)]).unwrap().contains("begins with 7 after 5"));
        assert!(seen(&[update(1, 9), trade(7), trade(7)]).unwrap().contains("trade 7 comes after trade 7"));
        assert!(seen(&[update(1, 8)]).unwrap().contains("the last update is 8"));
        assert!(seen(&[trade(1)]).is_some());
        assert!(seen(&["{}".to_owned()]).is_some());
    }

    #[test]
    fn what_happened_in_the_measured_time_counts_whenever_it_is_read() {
        let mut delays = Delays { measured: (10, 20), ..Delays::new() };
        let mut subscriber = Subscriber::new(false);
        for (time, id) in [(10, 1), (11, 2), (20, 3), (21, 4)] {
            let trade = format!(
                r#"{{"e":"trade","E":{time},"s":"X","t":{id},"p":"1","q":"1","T":{time},"m":true,"M":true}}"#
            );
            let depth =
                format!(r#"{{"e":"depthUpdate","E":{time},"s":"X","U":{id},"u":{id},"b":[],"a":[]}}"#);
            subscriber.take(trade.as_bytes(), &mut delays);
            subscriber.take(depth.as_bytes(), &mut delays);
        }
        assert_eq!((delays.trades.messages, delays.depth.messages), (2, 2));
        assert_eq!(delays.messages(), 8);
    }

    #[test]
    fn a_book_is_rebuilt_from_snapshot_and_updates() {
        let level = |price: &str, quantity: &str| [price.to_owned(), quantity.to_owned()];
        let snapshot =
            Book { update: 156, bids: vec![level("0.0023", "1")], asks: vec![level("0.0026", "5")] };
        let wanted =
            Book { update: 160, bids: vec![level("0.0023", "1"), level("0.0024", "10")], asks: Vec::new() };
        assert_eq!(rebuild(&[DEPTH.into()], &snapshot, &wanted), Ok(2));
        assert!(rebuild(&[DEPTH.into()], &Book { update: 100, ..snapshot }, &wanted).is_err(), "a gap");
        assert!(rebuild(&[], &wanted, &wanted).is_ok());
        let other = Book { update: 160, bids: Vec::new(), asks: Vec::new() };
        assert!(rebuild(&[DEPTH.into()], &wanted, &other).is_err());
    }
}
