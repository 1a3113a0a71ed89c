//! A trader over the WebSocket API: requests, signed just before they are sent, and the answers to them, each of which must be
//! to something that was asked.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::Instant;

use model::Side;

use super::RemoteError;
use super::accounts::{Account, KeyKind, Operator, now_ms, put};
use super::orders::{Kind, Request, side_name};
use super::server::SYMBOL;
use super::socket::{Scratch, Socket, State};

/// What is traded on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Venue {
    /// The spot market.
    Spot,
    /// The perpetual contract of the same name, with what is in futures wallets.
    Contract,
}

impl Venue {
    /// Where its WebSocket API is.
    const fn path(self) -> &'static str {
        match self {
            Self::Spot => "/ws-api/v3",
            Self::Contract => "/ws-fapi/v1",
        }
    }

    /// The parameter that asks for what has become of an order, where that is not told anyhow.
    const fn tells_result(self) -> bool {
        matches!(self, Self::Contract)
    }
}

/// A request that has no answer yet.
struct Sent {
    kind: Kind,
    at: Instant,
    bytes: usize,
}

/// One connection.
pub(crate) struct Trader {
    socket: Socket,
    venue: Venue,
    proof: Proof,
    /// The id of the first of `sent`.
    first_id: u64,
    /// By id, from the oldest without an answer on; those with one are `None`.
    sent: VecDeque<Option<Sent>>,
    under_way: usize,
    /// What is signed.
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// How the server knows whose requests these are.
enum Proof {
    /// Each is signed (HMAC), by an account that buys or by one that sells, so that nobody trades with himself. There is at least
    /// one such pair; they take turns, a round of requests each.
    Signed(Vec<Sides>),
    /// The connection is logged on (Ed25519), so all are of one account.
    LoggedOn,
}

/// Who buys and who sells.
struct Sides {
    buyer: Account,
    seller: Account,
}

/// The answer to a request.
pub(crate) struct Answered<'t> {
    /// What was asked.
    pub(crate) kind: Kind,
    /// From just before the request was signed, or from when it was due, until its answer was read.
    pub(crate) nanos: u64,
    /// Of the request.
    pub(crate) request_bytes: usize,
    pub(crate) status: u16,
    /// All of it.
    pub(crate) text: &'t [u8],
}

impl Answered<'_> {
    /// True when `text` stands in it.
    pub(crate) fn says(&self, text: &str) -> bool {
        self.text.windows(text.len()).any(|window| window == text.as_bytes())
    }
}

impl Trader {
    /// Connects, with an account that buys and one that sells; each request will be signed.
    pub(crate) async fn open(
        number: usize,
        address: &str,
        operator: &mut Operator,
    ) -> Result<Self, RemoteError> {
        Self::open_for(Venue::Spot, number, 1, address, operator).await
    }

    /// As [`Self::open`], with `pairs` of such accounts, at least one.
    pub(crate) async fn open_for(
        venue: Venue,
        number: usize,
        pairs: usize,
        address: &str,
        operator: &mut Operator,
    ) -> Result<Self, RemoteError> {
        let mut all = Vec::with_capacity(pairs);
        for pair in 0..pairs {
            let name =
                |what| if pair == 0 { format!("{what}-{number}") } else { format!("{what}-{number}-{pair}") };
            let sold = match venue {
                Venue::Spot => "BTC",
                Venue::Contract => "USDT",
            };
            let buyer = Account::open(&name("buyer"), &["USDT"], KeyKind::Hmac, operator).await?;
            let seller = Account::open(&name("seller"), &[sold], KeyKind::Hmac, operator).await?;
            if venue == Venue::Contract {
                for account in [&buyer, &seller] {
                    account.fund_futures(address).await?;
                }
            }
            all.push(Sides { buyer, seller });
        }
        let socket = Socket::open(address, venue.path(), None).await?;
        Ok(Self::new(socket, venue, Proof::Signed(all)))
    }

    /// Connects and logs on with an account that buys and sells; no request will be signed.
    pub(crate) async fn log_on(
        number: usize,
        address: &str,
        operator: &mut Operator,
        scratch: &RefCell<Scratch>,
    ) -> Result<Self, RemoteError> {
        let name = format!("trader-{number}");
        let account = Account::open(&name, &["USDT", "BTC"], KeyKind::Ed25519, operator).await?;
        let venue = Venue::Spot;
        let mut socket = Socket::open(address, venue.path(), None).await?;
        let (key, now) = (&account.key, now_ms());
        let mut signature = Vec::new();
        account.sign(format!("apiKey={key}&timestamp={now}").as_bytes(), &mut signature);
        let signature = String::from_utf8(signature).expect("base64");
        socket.put(|out| {
            put(
                out,
                format_args!(
                    "{{\"id\":0,\"method\":\"session.logon\",\"params\":{{\"apiKey\":\"{key}\",\"signature\":\"{signature}\",\
                     \"timestamp\":{now}}}}}"
                ),
            );
        });
        socket.flush().await?;
        let mut answer = Vec::new();
        let state = socket.texts(scratch, |text| answer.extend_from_slice(text)).await?;
        if state != State::Open || head(&answer) != Some((0, 200)) {
            let answer = String::from_utf8_lossy(&answer);
            return Err(RemoteError::Answer(format!("session.logon was refused: {answer}")));
        }
        Ok(Self::new(socket, venue, Proof::LoggedOn))
    }

    fn new(socket: Socket, venue: Venue, proof: Proof) -> Self {
        Self {
            socket,
            venue,
            proof,
            first_id: 1,
            sent: VecDeque::new(),
            under_way: 0,
            payload: Vec::new(),
            signature: Vec::new(),
        }
    }

    /// Requests without an answer.
    pub(crate) fn under_way(&self) -> usize {
        self.under_way
    }

    /// Sends what was put in.
    pub(crate) async fn flush(&mut self) -> Result<(), RemoteError> {
        Ok(self.socket.flush().await?)
    }

    /// Waits until something comes, and passes each answer on. May be dropped while it waits.
    pub(crate) async fn answers(
        &mut self,
        scratch: &RefCell<Scratch>,
        mut on_answer: impl FnMut(&Answered<'_>),
    ) -> Result<(), RemoteError> {
        let mut wrong = None;
        let (sent, first_id, under_way) = (&mut self.sent, &mut self.first_id, &mut self.under_way);
        let texts = self.socket.texts(scratch, |text| {
            if let Some(answered) = answered(text, sent, first_id) {
                *under_way -= 1;
                on_answer(&answered);
            } else {
                let text = String::from_utf8_lossy(text);
                wrong.get_or_insert_with(|| format!("not an answer to anything that was asked: {text}"));
            }
        });
        match (texts.await?, wrong) {
            (State::Open, None) => Ok(()),
            (State::Open, Some(wrong)) => Err(RemoteError::Answer(wrong)),
            (State::Closed(why), _) => {
                Err(RemoteError::Answer(format!("the server closed a connection: {why}")))
            }
        }
    }

    /// Puts a request behind what is to be sent; signs it, unless the connection is logged on.
    pub(crate) fn put(&mut self, request: Request) {
        self.put_due(request, Instant::now());
    }

    /// As [`Self::put`], for a request that was due `at` some time and is timed from then on.
    pub(crate) fn put_due(&mut self, request: Request, at: Instant) {
        let Request { kind, side, price, name } = request;
        let account = match &self.proof {
            Proof::Signed(pairs) => {
                let Sides { buyer, seller } = &pairs[name.round() % pairs.len()];
                Some(match side {
                    Side::Buy => buyer,
                    Side::Sell => seller,
                })
            }
            Proof::LoggedOn => None,
        };
        let id = self.first_id + u64::try_from(self.sent.len()).expect("fits");
        let (now, side) = (now_ms(), side_name(side));
        let result = if self.venue.tells_result() { "&newOrderRespType=RESULT" } else { "" };
        // What is signed has its parameters in the order of their names.
        if let Some(account) = account {
            let key = &account.key;
            self.payload.clear();
            if kind == Kind::Cancel {
                put(
                    &mut self.payload,
                    format_args!(
                        "apiKey={key}&origClientOrderId={name}&recvWindow=60000&symbol={SYMBOL}&timestamp={now}"
                    ),
                );
            } else {
                put(
                    &mut self.payload,
                    format_args!(
                        "apiKey={key}&newClientOrderId={name}{result}&price={price}&quantity=0.01&recvWindow=60000&side={side}\
                         &symbol={SYMBOL}&timeInForce=GTC&timestamp={now}&type=LIMIT"
                    ),
                );
            }
            self.signature.clear();
            account.sign(&self.payload, &mut self.signature);
        }
        let signature = std::str::from_utf8(&self.signature).expect("digits");
        let mut bytes = 0;
        let result = if self.venue.tells_result() { "\"newOrderRespType\":\"RESULT\"," } else { "" };
        self.socket.put(|out| {
            let before = out.len();
            let method = if kind == Kind::Cancel { "order.cancel" } else { "order.place" };
            put(out, format_args!("{{\"id\":{id},\"method\":\"{method}\",\"params\":{{"));
            if let Some(Account { key, .. }) = account {
                put(out, format_args!("\"apiKey\":\"{key}\",\"signature\":\"{signature}\","));
            }
            if kind == Kind::Cancel {
                put(out, format_args!("\"origClientOrderId\":\"{name}\","));
            } else {
                put(
                    out,
                    format_args!(
                        "\"newClientOrderId\":\"{name}\",{result}\"price\":\"{price}\",\"quantity\":\"0.01\",\"side\":\"{side}\",\
                         \"timeInForce\":\"GTC\",\"type\":\"LIMIT\","
                    ),
                );
            }
            put(out, format_args!("\"recvWindow\":60000,\"symbol\":\"{SYMBOL}\",\"timestamp\":{now}}}}}"));
            bytes = out.len() - before;
        });
        self.sent.push_back(Some(Sent { kind, at, bytes }));
        self.under_way += 1;
    }
}

/// What `text` answers; `None` when it answers nothing that was asked.
fn answered<'t>(
    text: &'t [u8],
    sent: &mut VecDeque<Option<Sent>>,
    first_id: &mut u64,
) -> Option<Answered<'t>> {
    let (id, status) = head(text)?;
    let place = usize::try_from(id.checked_sub(*first_id)?).ok()?;
    let Sent { kind, at, bytes } = sent.get_mut(place)?.take()?;
    let nanos = u64::try_from(at.elapsed().as_nanos()).expect("a run does not take centuries");
    while let Some(None) = sent.front() {
        sent.pop_front();
        *first_id += 1;
    }
    Some(Answered { kind, nanos, request_bytes: bytes, status, text })
}

/// The id and the status of an answer, which begins with both.
fn head(text: &[u8]) -> Option<(u64, u16)> {
    let text = std::str::from_utf8(text.get(..text.len().min(64))?).ok()?;
    let (id, rest) = text.strip_prefix("{\"id\":")?.split_once(',')?;
    let status = rest.strip_prefix("\"status\":")?.get(..3)?;
    Some((id.parse().ok()?, status.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_begin_with_id_and_status() {
        assert_eq!(head(br#"{"id":7,"status":200,"result":{}}"#), Some((7, 200)));
        assert_eq!(head(br#"{"id":12,"status":400,"error":{"code":-1121,"msg":"."}}"#), Some((12, 400)));
        for wrong in [r#"{"id":null,"status":400}"#, r#"{"status":200,"id":7}"#, r#"{"event":{}}"#, ""] {
            assert_eq!(head(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
