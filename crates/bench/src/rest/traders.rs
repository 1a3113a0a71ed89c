//! Signed requests over REST: each trader has an account that buys and one that sells, so that nobody trades with himself.

use model::Side;

use crate::remote::RemoteError;
use crate::remote::accounts::{Account, KeyKind, Operator, now_ms, put};
use crate::remote::http::HEADERS;
use crate::remote::orders::{Kind, Request, Round, side_name};
use crate::remote::server::SYMBOL;

/// One client, with its next request ready.
pub struct Trader {
    buyer: Account,
    seller: Account,
    round: Round,
    kind: Kind,
    /// Query or form, and signature.
    params: Vec<u8>,
    request: Vec<u8>,
}

impl Trader {
    /// Opens, funds and gives keys to the accounts of the `number`-th trader.
    pub async fn open(number: usize, operator: &mut Operator) -> Result<Self, RemoteError> {
        let buyer = Account::open(&format!("buyer-{number}"), &["USDT"], KeyKind::Hmac, operator).await?;
        let seller = Account::open(&format!("seller-{number}"), &["BTC"], KeyKind::Hmac, operator).await?;
        let mut trader = Self {
            buyer,
            seller,
            round: Round::new(number),
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
        let Request { kind, side, price, name } = self.round.next();
        self.kind = kind;
        let account = match side {
            Side::Buy => &self.buyer,
            Side::Sell => &self.seller,
        };
        self.params.clear();
        if kind == Kind::Cancel {
            put(&mut self.params, format_args!("symbol={SYMBOL}&origClientOrderId={name}"));
        } else {
            put(
                &mut self.params,
                format_args!(
                    "symbol={SYMBOL}&side={}&type=LIMIT&timeInForce=GTC&quantity=0.01&price={price}&newClientOrderId={name}",
                    side_name(side)
                ),
            );
        }
        put(&mut self.params, format_args!("&recvWindow=60000&timestamp={}", now_ms()));
        let signed = self.params.len();
        self.params.extend_from_slice(b"&signature=");
        let mut signature = Vec::with_capacity(64);
        account.sign(&self.params[..signed], &mut signature);
        self.params.extend_from_slice(&signature);

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
    }
}
