//! The traders as clients of an exchange: what [`crate::market`] says is signed with their keys and sent over one connection
//! of the WebSocket API, in order, without waiting for answers; what goes to contracts over another, and where the two take
//! turns, the one waits for the answers of the other. Nobody here decides anything: answers tell only how fast the exchange can
//! go, and whether it is there at all.

mod session;
mod wording;

use std::fmt;
use std::time::Duration;

use model::{MarketId, PriceTicks};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite;

use crate::market::{Listing, Pace, PriceSource};
use session::Session;

/// An account's key, to sign with.
pub struct Credentials {
    /// The public half.
    pub key: String,
    /// What to sign with.
    pub secret: String,
}

/// Who trades where, and how.
pub struct Mandate {
    /// Where the exchange listens, without TLS: `127.0.0.1:8080`.
    pub address: String,
    /// One for each of [`crate::market::TRADERS`], in their order.
    pub credentials: Vec<Credentials>,
    /// The markets.
    pub listings: Vec<Listing>,
    /// The markets that begin at the prices that their listings say. The others go on from what was paid last, except before
    /// the first step of all.
    pub told: Vec<MarketId>,
    /// What everything follows from.
    pub seed: u64,
    /// 0 for an exchange in which these traders have never been; otherwise a number above those of all their steps so far.
    /// Then they cancel what they may have left there before they begin.
    pub first_step: u64,
    /// How busy they are.
    pub pace: Pace,
}

/// Why traders give up.
#[derive(Debug)]
pub enum ClientError {
    /// No connection, or one that broke: they try again.
    Connection(Box<tungstenite::Error>),
    /// The exchange does not know their keys any more.
    KeyRefused {
        /// Its error code.
        code: i64,
        /// Its words.
        message: String,
    },
    /// Nothing came for as long as answers can take.
    Silent,
}

impl fmt::Display for ClientError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection(error) => write!(out, "no connection to the exchange: {error}"),
            Self::KeyRefused { code, message } => {
                write!(out, "the exchange refuses the traders' keys: {code} {message}")
            }
            Self::Silent => write!(out, "the exchange does not answer"),
        }
    }
}

impl std::error::Error for ClientError {}

impl From<tungstenite::Error> for ClientError {
    fn from(error: tungstenite::Error) -> Self {
        Self::Connection(Box::new(error))
    }
}

/// The first pause before a new connection, doubled each time up to the last.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// Prices to which somebody wants to take the markets: they jump there, and that is where they are drawn back to from then on.
pub type Wishes = Vec<(MarketId, PriceTicks)>;

/// Trades until `stop` says true or its sender has gone. Lost connections are made again; an error is one that will not mend.
pub async fn trade(
    mut mandate: Mandate,
    mut stop: watch::Receiver<bool>,
    mut wishes: watch::Receiver<Wishes>,
) -> Result<(), ClientError> {
    let (mut next_step, mut pause) = (mandate.first_step, RECONNECT.0);
    loop {
        let before = next_step;
        let ended = tokio::select! {
            ended = Session::run(&mandate, &mut next_step) => Some(ended),
            Ok(()) = wishes.changed() => None,
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        };
        if next_step > before {
            mandate.told.clear();
            pause = RECONNECT.0;
        }
        match ended {
            Some(error @ ClientError::KeyRefused { .. }) => return Err(error),
            Some(ClientError::Connection(_) | ClientError::Silent) => {
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    _ = stop.wait_for(|stop| *stop) => return Ok(()),
                }
                pause = (pause * 2).min(RECONNECT.1);
            }
            None => mandate.grant(&wishes.borrow_and_update()),
        }
    }
}

impl Mandate {
    fn grant(&mut self, wishes: &Wishes) {
        for (market, price) in wishes {
            let listing = self.listings.iter_mut().find(|listing| listing.market == *market);
            if let Some(PriceSource::Walk { start, home, .. }) = listing.map(|listing| &mut listing.price) {
                (*start, *home) = (*price, *price);
                self.told.push(*market);
            }
        }
    }
}
