//! The connections, from their beginning to the end of one of them: clean up, then step after step.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::{SinkExt as _, StreamExt as _};
use model::PriceTicks;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::wording::{self, Signer};
use super::{ClientError, Mandate};
use crate::market::{Action, Listing, PriceSource, Request, Step, TRADERS, TraderId, Traders};

/// So many requests may be without an answer. An exchange that is slower makes the traders slower.
const MOST_UNANSWERED: u64 = 256;
/// Requests are not kept back for more to come.
const WITHOUT_DELAY: bool = true;
/// Answers take no longer than this, or the connection is given up.
const SILENCE: Duration = Duration::from_secs(30);
/// The first steps follow each other without pauses, so that there are books and trades as soon as somebody looks.
const HURRIED_STEPS: u64 = 300;
/// Steps that are late by more than this are not made up for.
const MOST_LATE: Duration = Duration::from_secs(1);
/// The first pause when the exchange asks for one, doubled each time up to the last.
const HOLD: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// An answer, as far as anybody here listens.
#[derive(Deserialize)]
struct Answer {
    /// `None` in what is no answer, such as the word that the exchange stops.
    status: Option<u16>,
    error: Option<Refusal>,
    result: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    code: i64,
    #[serde(default)]
    msg: String,
    data: Option<RefusalData>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RefusalData {
    /// In milliseconds since 1970.
    retry_after: Option<u64>,
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// One of the two connections.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Spot,
    Contracts,
}

impl Line {
    const fn to(listing: &Listing) -> Self {
        if listing.is_contract() { Self::Contracts } else { Self::Spot }
    }
}

pub(super) struct Session<'m> {
    mandate: &'m Mandate,
    spot: Socket,
    /// `None` where no contract is traded.
    contracts: Option<Socket>,
    /// The one that is used. On the other nothing is unanswered.
    line: Line,
    signers: Vec<Signer>,
    sent: u64,
    answered: u64,
    /// Nothing is sent before this.
    held_until: Instant,
    next_hold: Duration,
}

impl<'m> Session<'m> {
    /// Trades until the connection ends. `next_step` follows.
    pub(super) async fn run(mandate: &'m Mandate, next_step: &mut u64) -> ClientError {
        let ended: Result<(), ClientError> = async {
            let mut session = Self::open(mandate).await?;
            if *next_step > 0 {
                session.clean_up().await?;
            }
            let listings = if *next_step == 0 {
                mandate.listings.clone()
            } else {
                session.listings_at_last_prices().await?
            };
            let traders = Traders::new(mandate.seed, *next_step, mandate.pace, &listings);
            let mut due = Instant::now();
            for step in traders {
                // From here on the names of this step count as used.
                *next_step = step.number + 1;
                session.send_step(&step).await?;
                let pause = Duration::from_micros(if step.number < HURRIED_STEPS {
                    0
                } else {
                    u64::from(step.wait_us)
                });
                let now = Instant::now();
                due = (due + pause).max(now.checked_sub(MOST_LATE).unwrap_or(now)).max(session.held_until);
                session.listen_until(due).await?;
            }
            Ok(())
        }
        .await;
        ended.expect_err("traders never come to an end")
    }

    async fn open(mandate: &'m Mandate) -> Result<Self, ClientError> {
        let connect = async |path: &str| -> Result<Socket, ClientError> {
            let url = format!("ws://{}{path}?returnRateLimits=false", mandate.address);
            let connected = timeout(SILENCE, connect_async_with_config(url, None, WITHOUT_DELAY)).await;
            Ok(connected.map_err(|_| ClientError::Silent)??.0)
        };
        let spot = connect("/ws-api/v3").await?;
        let contracts = if mandate.listings.iter().any(Listing::is_contract) {
            Some(connect("/ws-fapi/v1").await?)
        } else {
            None
        };
        Ok(Self {
            mandate,
            spot,
            contracts,
            line: Line::Spot,
            signers: mandate.credentials.iter().map(Signer::new).collect(),
            sent: 0,
            answered: 0,
            held_until: Instant::now(),
            next_hold: HOLD.0,
        })
    }

    fn socket(&mut self) -> &mut Socket {
        match self.line {
            Line::Spot => &mut self.spot,
            Line::Contracts => self.contracts.as_mut().expect("it is there where a contract is traded"),
        }
    }

    /// Whatever the traders have left on the books goes.
    async fn clean_up(&mut self) -> Result<(), ClientError> {
        for listing in &self.mandate.listings {
            for trader in (0..TRADERS.len()).map(TraderId) {
                let request = Request { trader, market: listing.market, action: Action::CancelAll };
                self.send(&request).await?;
            }
        }
        self.settle().await
    }

    /// The markets as they are now. Where nothing was paid yet, or a price was told, they are worth what they are said to be.
    async fn listings_at_last_prices(&mut self) -> Result<Vec<Listing>, ClientError> {
        let mut listings = self.mandate.listings.clone();
        let told = |listing: &Listing| self.mandate.told.contains(&listing.market);
        // What contracts are worth follows.
        for listing in listings.iter_mut().filter(|listing| !told(listing) && !listing.is_contract()) {
            let question = wording::last_price(self.sent, listing);
            self.send_text(question).await?;
            let answer = self.hear().await?;
            let price = answer.and_then(|answer| answer.result);
            let price = price.as_ref().and_then(|result| result.get("price")?.as_str());
            let last = price.and_then(|text| wording::ticks(text, listing)).filter(|ticks| *ticks > 0);
            if let (Some(last), PriceSource::Walk { start, .. }) = (last, &mut listing.price) {
                *start = PriceTicks(last);
            }
        }
        Ok(listings)
    }

    async fn send_step(&mut self, step: &Step) -> Result<(), ClientError> {
        for request in &step.requests {
            self.send(request).await?;
        }
        Ok(self.socket().flush().await?)
    }

    async fn send(&mut self, request: &Request) -> Result<(), ClientError> {
        let listing = self.mandate.listings.iter().find(|listing| listing.market == request.market);
        let listing = listing.expect("traders trade in the markets that they know");
        if self.line != Line::to(listing) {
            self.settle().await?;
            self.line = Line::to(listing);
        }
        let signer = &self.signers[request.trader.0];
        let text = wording::request(self.sent, request, listing, signer, now_ms());
        self.send_text(text).await
    }

    async fn send_text(&mut self, text: String) -> Result<(), ClientError> {
        if self.sent - self.answered >= MOST_UNANSWERED {
            self.socket().flush().await?;
            while self.sent - self.answered >= MOST_UNANSWERED {
                self.hear().await?;
            }
        }
        self.sent += 1;
        Ok(self.socket().feed(Message::text(text)).await?)
    }

    /// Waits until everything is answered.
    async fn settle(&mut self) -> Result<(), ClientError> {
        self.socket().flush().await?;
        while self.answered < self.sent {
            self.hear().await?;
        }
        Ok(())
    }

    async fn listen_until(&mut self, due: Instant) -> Result<(), ClientError> {
        loop {
            tokio::select! {
                biased;
                message = self.socket().next() => {
                    self.take_in(message)?;
                }
                () = sleep_until(due) => return Ok(()),
            }
        }
    }

    /// The next answer.
    async fn hear(&mut self) -> Result<Option<Answer>, ClientError> {
        self.socket().flush().await?;
        loop {
            let message = timeout(SILENCE, self.socket().next()).await.map_err(|_| ClientError::Silent)?;
            if let Some(answer) = self.take_in(message)? {
                return Ok(Some(answer));
            }
        }
    }

    /// Learns from a message how fast it may go on; the answer, if it is one.
    fn take_in(
        &mut self,
        message: Option<Result<Message, tokio_tungstenite::tungstenite::Error>>,
    ) -> Result<Option<Answer>, ClientError> {
        let closed = tokio_tungstenite::tungstenite::Error::ConnectionClosed;
        let Message::Text(text) = message.ok_or(closed)?? else { return Ok(None) };
        let Ok(answer) = serde_json::from_str::<Answer>(&text) else { return Ok(None) };
        let Some(status) = answer.status else { return Ok(None) };
        self.answered += 1;
        match (status, &answer.error) {
            // An unknown key, a wrong signature, a key that may not trade: no repetition helps.
            (_, Some(Refusal { code: code @ (-2014 | -2015 | -1022), msg, .. })) => {
                return Err(ClientError::KeyRefused { code: *code, message: msg.clone() });
            }
            (418 | 429 | 500.., refusal) => {
                let data = refusal.as_ref().and_then(|refusal| refusal.data.as_ref());
                let told = data.and_then(|data| data.retry_after);
                let asked = Duration::from_millis(told.map_or(0, |at| at.saturating_sub(now_ms())));
                let now = Instant::now();
                if now >= self.held_until {
                    self.held_until = now + asked.max(self.next_hold);
                    self.next_hold = (self.next_hold * 2).min(HOLD.1);
                }
            }
            // A cancel that finds nothing is as good as any other answer.
            _ => {
                if Instant::now() >= self.held_until {
                    self.next_hold = HOLD.0;
                }
            }
        }
        Ok(Some(answer))
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    u64::try_from(since.as_millis()).expect("milliseconds fit for millions of years")
}
