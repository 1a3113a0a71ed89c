//! One of many: ten streams of two markets, each without a gap.

use std::cell::RefCell;
use std::rc::Rc;

use super::Shared;
use crate::remote::socket::{Socket, State};
use crate::streams::{depth_head, trade_head};

/// Streams of a connection.
pub(super) const STREAMS: usize = 10;
/// Of each of the two markets.
const KINDS: [&str; STREAMS / 2] = ["trade", "depth", "bookTicker", "kline_1m", "miniTicker"];

/// Where to ask for the streams of two markets.
pub(super) fn path(busy: &str, other: &str) -> String {
    let names = [busy, other].map(|market| KINDS.map(|kind| format!("{market}@{kind}")).join("/"));
    format!("/ws/{}", names.join("/"))
}

/// What one connection has seen. Updates and trades are those of the market that is traded on; the other is quiet.
#[derive(Default)]
pub(super) struct Listener {
    last_update: Option<u64>,
    last_trade: Option<u64>,
    first_problem: Option<String>,
}

impl Listener {
    fn take(&mut self, text: &[u8]) {
        if let Some((_, first, last)) = depth_head(text) {
            if let Some(before) = self.last_update.replace(last)
                && first != before + 1
            {
                self.problem_with(format!("an update of the book begins with {first} after {before}"));
            }
        } else if let Some((_, id)) = trade_head(text)
            && let Some(before) = self.last_trade.replace(id)
            && id != before + 1
        {
            self.problem_with(format!("trade {id} comes after trade {before}"));
        }
    }

    fn problem_with(&mut self, problem: String) {
        self.first_problem.get_or_insert(problem);
    }

    /// What went wrong, if anything did: in a market that moves everybody gets both.
    pub(super) fn problem(&self) -> Option<String> {
        let missing = |what: &str| Some(format!("no {what} came"));
        match (&self.first_problem, self.last_update, self.last_trade) {
            (Some(problem), _, _) => Some(problem.clone()),
            (None, None, _) => missing("update of the book"),
            (None, Some(_), None) => missing("trade"),
            (None, Some(_), Some(_)) => None,
        }
    }
}

/// Reads until the connection is over, which it must not be.
pub(super) async fn listen(mut socket: Socket, listener: Rc<RefCell<Listener>>, shared: Rc<Shared>) {
    loop {
        let mut messages = 0;
        let state = socket
            .texts(&shared.scratch, |text| {
                messages += 1;
                listener.borrow_mut().take(text);
            })
            .await;
        *shared.messages.borrow_mut() += messages;
        let problem = match state {
            Ok(State::Open) => continue,
            Ok(State::Closed(why)) => format!("the server closed the connection: {why}"),
            Err(error) => error.to_string(),
        };
        return listener.borrow_mut().problem_with(problem);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_streams_of_two_markets_are_asked_for() {
        let path = path("btcusdt", "c1usdt");
        assert!(path.starts_with("/ws/btcusdt@trade/btcusdt@depth/"), "{path}");
        assert_eq!(path.matches('@').count(), STREAMS);
    }

    #[test]
    fn who_gets_nothing_or_not_everything_has_a_problem() {
        let mut listener = Listener::default();
        assert!(listener.problem().is_some());
        listener.take(br#"{"e":"depthUpdate","E":1,"s":"X","U":1,"u":5,"b":[],"a":[]}"#);
        assert!(listener.problem().is_some());
        listener.take(br#"{"e":"trade","E":1,"s":"X","t":1,"p":"1","q":"1","T":1,"m":true,"M":true}"#);
        listener.take(br#"{"e":"24hrMiniTicker","E":1}"#);
        assert_eq!(listener.problem(), None);
        listener.take(br#"{"e":"depthUpdate","E":1,"s":"X","U":7,"u":9,"b":[],"a":[]}"#);
        assert!(listener.problem().is_some());
    }
}
