//! What is sent: each trader has an account that buys and one that sells, so that nobody trades with himself, and goes round a
//! fixed list of ten requests.

use std::collections::VecDeque;
use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use model::Side;
use ring::hmac;
use serde_json::{Value, json};

use super::RestError;
use super::connection::Connection;
use super::server::{PRICE_TICKS, SYMBOL};

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An order that rests within [`NEAR_TICKS`] of the touch, where it will be traded with.
    Near,
    /// An order that rests so far off that nobody trades with it.
    Far,
    /// An order that trades at once: as much as one near order has, at any price that a near order has.
    Take,
    /// The cancel of the oldest far order.
    Cancel,
}

/// The round. There is always a near order for each take, since each comes behind a near order of the other side in its own
/// list; and the far orders are cancelled again.
const ROUND: [(Kind, Side); 10] = [
    (Kind::Near, Side::Buy),
    (Kind::Near, Side::Sell),
    (Kind::Far, Side::Buy),
    (Kind::Take, Side::Sell),
    (Kind::Cancel, Side::Buy),
    (Kind::Near, Side::Buy),
    (Kind::Near, Side::Sell),
    (Kind::Far, Side::Sell),
    (Kind::Take, Side::Buy),
    (Kind::Cancel, Side::Sell),
];

/// Near orders are 1 to so many ticks from the middle.
const NEAR_TICKS: u64 = 100;
/// Far orders are so many ticks further.
const FAR_TICKS: u64 = 10_000;

/// An account and what it signs with.
struct Account {
    key: String,
    secret: hmac::Key,
}

/// One client, with its next request ready.
pub struct Trader {
    number: usize,
    buyer: Account,
    seller: Account,
    /// The far orders that stand, by number.
    far: VecDeque<u64>,
    /// Requests made so far: the place in the round, and in the names of orders.
    made: u64,
    random: u64,
    kind: Kind,
    /// Query or form, and signature.
    params: Vec<u8>,
    request: Vec<u8>,
}

impl Trader {
    /// Opens, funds and gives keys to the accounts of the `number`-th trader.
    pub async fn open(number: usize, operator: &mut Connection, token: &str) -> Result<Self, RestError> {
        let buyer = Account::open(&format!("buyer-{number}"), "USDT", operator, token).await?;
        let seller = Account::open(&format!("seller-{number}"), "BTC", operator, token).await?;
        let mut trader = Self {
            number,
            buyer,
            seller,
            far: VecDeque::new(),
            made: 0,
            // Any seed but zero.
            random: 0x9e37_79b9_7f4a_7c15 ^ u64::try_from(number).expect("fits"),
            kind: Kind::Near,
            params: Vec::new(),
            request: Vec::new(),
        };
        trader.sign_next();
        Ok(trader)
    }

    /// What the next request is for.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The next request, signed.
    pub fn request(&self) -> &[u8] {
        &self.request
    }

    /// Makes the request after this one.
    pub fn sign_next(&mut self) {
        let round = usize::try_from(self.made).expect("fits") % ROUND.len();
        let (kind, side) = ROUND[round];
        self.kind = kind;
        let middle = PRICE_TICKS;
        let off = 1 + self.random() % NEAR_TICKS;
        let price = match (kind, side) {
            (Kind::Near, Side::Buy) => middle - off,
            (Kind::Near, Side::Sell) => middle + off,
            (Kind::Far, Side::Buy) => middle - FAR_TICKS - off,
            (Kind::Far, Side::Sell) => middle + FAR_TICKS + off,
            (Kind::Take, Side::Buy) => middle + NEAR_TICKS,
            (Kind::Take, Side::Sell) => middle - NEAR_TICKS,
            (Kind::Cancel, _) => 0,
        };
        let account = match side {
            Side::Buy => &self.buyer,
            Side::Sell => &self.seller,
        };
        let (number, made) = (self.number, self.made);
        self.params.clear();
        if kind == Kind::Cancel {
            let cancelled = self.far.pop_front().expect("a far order comes before each cancel");
            put(
                &mut self.params,
                format_args!("symbol={SYMBOL}&origClientOrderId=x-rest-{number:08}-{cancelled:016}"),
            );
        } else {
            let side = match side {
                Side::Buy => "BUY",
                Side::Sell => "SELL",
            };
            put(
                &mut self.params,
                format_args!(
                    "symbol={SYMBOL}&side={side}&type=LIMIT&timeInForce=GTC&quantity=0.01&price={}.{:02}&newClientOrderId=x-rest-\
                     {number:08}-{made:016}",
                    price / 100,
                    price % 100
                ),
            );
        }
        if kind == Kind::Far {
            self.far.push_back(made);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        put(&mut self.params, format_args!("&recvWindow=60000&timestamp={now}"));
        let signature = hmac::sign(&account.secret, &self.params);
        self.params.extend_from_slice(b"&signature=");
        for byte in signature.as_ref() {
            self.params.extend([byte >> 4, byte & 15].map(|nibble| HEX[usize::from(nibble)]));
        }

        self.request.clear();
        let key = &account.key;
        if kind == Kind::Cancel {
            self.request.extend_from_slice(b"DELETE /api/v3/order?");
            self.request.extend_from_slice(&self.params);
            put(&mut self.request, format_args!(" HTTP/1.1\r\n{HEADERS}X-MBX-APIKEY: {key}\r\n\r\n"));
        } else {
            put(
                &mut self.request,
                format_args!(
                    "POST /api/v3/order HTTP/1.1\r\n{HEADERS}X-MBX-APIKEY: {key}\r\nContent-Type: \
                     application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
                    self.params.len()
                ),
            );
            self.request.extend_from_slice(&self.params);
        }
        self.made += 1;
    }

    /// Xorshift: any sequence will do, as long as it is the same every time.
    fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// What clients send besides.
const HEADERS: &str = "Host: 127.0.0.1\r\nUser-Agent: rialto-bench\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\n";

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("memory takes it");
}

impl Account {
    /// One with more of `asset` than it can spend, and a key to trade.
    async fn open(
        name: &str,
        asset: &str,
        operator: &mut Connection,
        token: &str,
    ) -> Result<Self, RestError> {
        let opened = ask(operator, token, "accounts", &json!({ "name": name })).await?;
        let account = &opened["account"];
        let deposit =
            json!({ "account": account, "asset": asset, "amount": "1000000000000", "reference": name });
        ask(operator, token, "deposits", &deposit).await?;
        let path = format!("accounts/{account}/keys");
        let issued = ask(operator, token, &path, &json!({ "permissions": ["trade"] })).await?;
        let text = |field: &str| {
            let missing = || RestError::Answer(format!("{path} tells no {field}"));
            issued[field].as_str().map(str::to_owned).ok_or_else(missing)
        };
        let secret = hmac::Key::new(hmac::HMAC_SHA256, text("secret")?.as_bytes());
        Ok(Self { key: text("key")?, secret })
    }
}

/// Asks the operator's API for something to be made.
async fn ask(operator: &mut Connection, token: &str, path: &str, body: &Value) -> Result<Value, RestError> {
    let body = body.to_string();
    let head = format!(
        "POST /admin/v1/{path} HTTP/1.1\r\n{HEADERS}Authorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    operator.send(format!("{head}{body}").as_bytes()).await?;
    let answer = operator.answer().await?;
    if answer.status != 201 {
        return Err(RestError::Admin { path: path.to_owned(), answer: answer.to_string() });
    }
    serde_json::from_slice(answer.body)
        .map_err(|error| RestError::Answer(format!("the answer to {path} is not JSON: {error}")))
}
