//! Accounts to trade with, opened by the operator, and the signatures of their keys.

use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use ring::{hmac, rand};
use serde_json::{Value, json};

use super::RemoteError;
use super::http::{Connection, HEADERS};
use super::server::AdminAccess;

/// What accounts have of an asset: more than they can spend.
const PLENTY: &str = "1000000000000";

/// The operator of a server, connected.
pub(crate) struct Operator {
    connection: Connection,
    token: String,
}

impl Operator {
    pub(crate) async fn open(access: &AdminAccess) -> Result<Self, RemoteError> {
        let AdminAccess { address, token } = access.clone();
        Ok(Self { connection: Connection::open(&address).await?, token })
    }

    /// Asks for something to be made.
    async fn make(&mut self, path: &str, body: &Value) -> Result<Value, RemoteError> {
        let body = body.to_string();
        let head = format!(
            "POST /admin/v1/{path} HTTP/1.1\r\n{HEADERS}Authorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n",
            self.token,
            body.len()
        );
        self.connection.send(format!("{head}{body}").as_bytes()).await?;
        let answer = self.connection.answer().await?;
        if answer.status != 201 {
            return Err(RemoteError::Admin { path: path.to_owned(), answer: answer.to_string() });
        }
        serde_json::from_slice(answer.body)
            .map_err(|error| RemoteError::Answer(format!("the answer to {path} is not JSON: {error}")))
    }
}

/// An account and what it signs with.
pub(crate) struct Account {
    pub(crate) key: String,
    secret: Secret,
}

enum Secret {
    Hmac(hmac::Key),
    Ed25519(Box<Ed25519KeyPair>),
}

/// Of which kind an account's key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyKind {
    Hmac,
    Ed25519,
}

impl Account {
    /// One with more of each of `assets` than it can spend, and a key to trade.
    pub(crate) async fn open(
        name: &str,
        assets: &[&str],
        kind: KeyKind,
        operator: &mut Operator,
    ) -> Result<Self, RemoteError> {
        let account = fund(name, assets, operator).await?;
        let path = format!("accounts/{account}/keys");
        let mut asked = json!({ "permissions": ["read", "trade"] });
        let pair = match kind {
            KeyKind::Hmac => None,
            KeyKind::Ed25519 => Some(new_pair()?),
        };
        if let Some(pair) = &pair {
            asked["public_key"] = BASE64.encode(pair.public_key()).into();
        }
        let issued = operator.make(&path, &asked).await?;
        let text = |field: &str| {
            let missing = || RemoteError::Answer(format!("{path} tells no {field}"));
            issued[field].as_str().map(str::to_owned).ok_or_else(missing)
        };
        let secret = match pair {
            None => Secret::Hmac(hmac::Key::new(hmac::HMAC_SHA256, text("secret")?.as_bytes())),
            Some(pair) => Secret::Ed25519(Box::new(pair)),
        };
        Ok(Self { key: text("key")?, secret })
    }

    /// Moves all its USDT into its futures wallet.
    pub(crate) async fn fund_futures(&self, address: &str) -> Result<(), RemoteError> {
        let payload =
            format!("type=MAIN_UMFUTURE&asset=USDT&amount={PLENTY}&recvWindow=60000&timestamp={}", now_ms());
        let mut signature = Vec::new();
        self.sign(payload.as_bytes(), &mut signature);
        let signature = String::from_utf8(signature).expect("text");
        let mut connection = Connection::open(address).await?;
        let request = format!(
            "POST /sapi/v1/asset/transfer?{payload}&signature={signature} HTTP/1.1\r\n{HEADERS}X-MBX-APIKEY: {}\r\nContent-Length: 0\r\n\r\n",
            self.key
        );
        connection.send(request.as_bytes()).await?;
        let answer = connection.answer().await?;
        if answer.status == 200 {
            return Ok(());
        }
        Err(RemoteError::Answer(format!("a transfer into the futures wallet was refused: {answer}")))
    }

    /// Puts the signature of `payload` behind `out`, as the kind of key wants it written.
    pub(crate) fn sign(&self, payload: &[u8], out: &mut Vec<u8>) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        match &self.secret {
            Secret::Hmac(secret) => {
                for byte in hmac::sign(secret, payload).as_ref() {
                    out.extend([byte >> 4, byte & 15].map(|nibble| HEX[usize::from(nibble)]));
                }
            }
            Secret::Ed25519(pair) => out.extend(BASE64.encode(pair.sign(payload)).into_bytes()),
        }
    }
}

/// Opens an account with more of each of `assets` than it can spend, and returns its number.
pub(crate) async fn fund(name: &str, assets: &[&str], operator: &mut Operator) -> Result<Value, RemoteError> {
    let opened = operator.make("accounts", &json!({ "name": name })).await?;
    let account = &opened["account"];
    for asset in assets {
        let reference = format!("{name}-{asset}");
        let deposit = json!({ "account": account, "asset": asset, "amount": PLENTY, "reference": reference });
        operator.make("deposits", &deposit).await?;
    }
    Ok(account.clone())
}

fn new_pair() -> Result<Ed25519KeyPair, RemoteError> {
    let failed = || RemoteError::Answer("no pair of keys can be made".to_owned());
    let document = Ed25519KeyPair::generate_pkcs8(&rand::SystemRandom::new()).map_err(|_| failed())?;
    Ed25519KeyPair::from_pkcs8(document.as_ref()).map_err(|_| failed())
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()
}

/// Puts `text` behind `out`.
pub(crate) fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("memory takes it");
}
