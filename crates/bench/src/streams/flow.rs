//! The busy market: orders and cancels over the WebSocket API at a fixed rate, whatever the answers do.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use model::Side;
use tokio::time::{MissedTickBehavior, interval};

use super::nanos;
use crate::remote::accounts::Operator;
use crate::remote::orders::{Kind, Name, Price, Random, Request};
use crate::remote::server::{AdminAccess, PRICE_TICKS};
use crate::remote::socket::Scratch;
use crate::remote::trader::Trader;
use crate::remote::{RemoteError, one_thread};

/// Orders that trade come to one at a price this near to the middle, in ticks; all others rest further off.
const NEAR_TICKS: u64 = 10;
/// Those within so many ticks more.
const FAR_TICKS: u64 = 250;
/// So many stand before it begins, so that each cancel finds one.
const STANDING: usize = 500;
/// How long answers may be awaited at the end.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was sent, and what came of it.
pub(crate) struct Sent {
    /// Orders and cancels, without those that stood before.
    pub(crate) events: u64,
    pub(crate) elapsed: Duration,
    pub(crate) refused: u64,
    pub(crate) first_refusal: Option<String>,
    /// Orders that were meant to trade, and those that did.
    pub(crate) takes: u64,
    pub(crate) filled: u64,
    /// From sending to the answer.
    pub(crate) nanos: Histogram<u64>,
}

/// A round in which as much comes to the book as leaves it, and two orders trade.
struct Flow {
    /// Half a round.
    half: u64,
    made: u64,
    far: VecDeque<Name>,
    far_side: Side,
    random: Random,
}

impl Flow {
    fn new(events_per_trade: u64) -> Self {
        Self {
            half: events_per_trade.max(4),
            made: 0,
            far: VecDeque::new(),
            far_side: Side::Buy,
            random: Random::new(1),
        }
    }

    /// An order that rests, off the touch.
    fn far(&mut self) -> Request {
        let name = Name::new(0, self.made);
        self.made += 1;
        self.far.push_back(name);
        let off = NEAR_TICKS + 1 + self.random.below(FAR_TICKS);
        let side = self.far_side;
        let price = match side {
            Side::Buy => PRICE_TICKS - off,
            Side::Sell => PRICE_TICKS + off,
        };
        self.far_side = match side {
            Side::Buy => Side::Sell,
            Side::Sell => Side::Buy,
        };
        Request { kind: Kind::Far, side, price: Price(price), name }
    }

    /// The `event`-th: a near order and, at the end of the half, the one that takes it; between them orders that rest, in turn
    /// with cancels of the oldest.
    fn next(&mut self, event: u64) -> Request {
        let buys = (event / self.half).is_multiple_of(2);
        let place = event % self.half;
        let near = |made: u64, kind, side, price| Request {
            kind,
            side,
            price: Price(price),
            name: Name::new(0, made),
        };
        if place == 0 {
            let off = 1 + self.random.below(NEAR_TICKS);
            let (side, price) =
                if buys { (Side::Buy, PRICE_TICKS - off) } else { (Side::Sell, PRICE_TICKS + off) };
            self.made += 1;
            near(self.made - 1, Kind::Near, side, price)
        } else if place == self.half - 1 {
            let (side, price) = if buys {
                (Side::Sell, PRICE_TICKS - NEAR_TICKS)
            } else {
                (Side::Buy, PRICE_TICKS + NEAR_TICKS)
            };
            self.made += 1;
            near(self.made - 1, Kind::Take, side, price)
        } else if self.far.len() > STANDING {
            let name = self.far.pop_front().expect("more than none");
            // Whose it is goes by its number: far orders are made in turn.
            let side = self.side_of_oldest();
            Request { kind: Kind::Cancel, side, price: Price(0), name }
        } else {
            self.far()
        }
    }

    /// The side of the far order that has just left: sides alternate, so it goes by how many stand.
    fn side_of_oldest(&self) -> Side {
        let other = |side| match side {
            Side::Buy => Side::Sell,
            Side::Sell => Side::Buy,
        };
        // The next far order would be of `far_side`; the one that left is `far.len() + 1` places before it.
        if (self.far.len() + 1).is_multiple_of(2) { self.far_side } else { other(self.far_side) }
    }
}

/// Trades until `stop` is true.
pub(crate) fn trade(
    public: &str,
    admin: &AdminAccess,
    events_per_s: u64,
    trades_per_s: u64,
    stop: &AtomicBool,
) -> Result<Sent, RemoteError> {
    one_thread()?.block_on(async {
        let mut operator = Operator::open(admin).await?;
        let mut trader = Trader::open(0, public, &mut operator).await?;
        let scratch = RefCell::new(Scratch::new());
        let mut flow = Flow::new(events_per_s / trades_per_s.max(1));
        for _ in 0..STANDING {
            trader.put(flow.far());
        }
        trader.flush().await?;
        let mut sent = Sent::nothing();
        while trader.under_way() > 0 {
            trader.answers(&scratch, |answered| sent.count_status(answered.status, answered.text)).await?;
        }

        let start = Instant::now();
        let mut clock = interval(Duration::from_millis(1));
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !stop.load(Ordering::Relaxed) {
            tokio::select! {
                _ = clock.tick() => {
                    let due = start.elapsed().as_micros() * u128::from(events_per_s) / 1_000_000;
                    while u128::from(sent.events) < due {
                        trader.put(flow.next(sent.events));
                        sent.events += 1;
                    }
                    trader.flush().await?;
                }
                received = trader.answers(&scratch, |answered| sent.count(answered)), if trader.under_way() > 0 => received?,
            }
        }
        sent.elapsed = start.elapsed();
        let missing = async {
            while trader.under_way() > 0 {
                trader.answers(&scratch, |answered| sent.count(answered)).await?;
            }
            Ok::<(), RemoteError>(())
        };
        tokio::time::timeout(PATIENCE, missing)
            .await
            .map_err(|_| RemoteError::Answer("orders were not answered".to_owned()))??;
        Ok(sent)
    })
}

impl Sent {
    fn nothing() -> Self {
        Self {
            events: 0,
            elapsed: Duration::ZERO,
            refused: 0,
            first_refusal: None,
            takes: 0,
            filled: 0,
            nanos: nanos(),
        }
    }

    fn count_status(&mut self, status: u16, text: &[u8]) {
        if status != 200 {
            self.refused += 1;
            self.first_refusal.get_or_insert_with(|| String::from_utf8_lossy(text).into_owned());
        }
    }

    fn count(&mut self, answered: &crate::remote::trader::Answered<'_>) {
        self.count_status(answered.status, answered.text);
        self.nanos.record(answered.nanos).expect("it grows as it must");
        if answered.kind == Kind::Take {
            self.takes += 1;
            self.filled += u64::from(answered.says("\"status\":\"FILLED\""));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_book_stays_as_large_as_it_is_and_cancels_name_the_right_side() {
        let mut flow = Flow::new(25);
        let mut standing = std::collections::HashMap::new();
        for _ in 0..STANDING {
            let request = flow.far();
            standing.insert(request.name.to_string(), request.side);
        }
        let (mut takes, mut cancels) = (0, 0);
        for event in 0..5_000 {
            let request = flow.next(event);
            match request.kind {
                Kind::Near => {}
                Kind::Far => {
                    standing.insert(request.name.to_string(), request.side);
                }
                Kind::Take => takes += 1,
                Kind::Cancel => {
                    cancels += 1;
                    assert_eq!(standing.remove(&request.name.to_string()), Some(request.side));
                }
            }
        }
        assert_eq!(takes, 200);
        assert_eq!(cancels, 2_300);
        assert!(standing.len().abs_diff(STANDING) <= 1);
    }
}
