//! Who sent a request, and whether it is in time: API key, signature over the exact bytes received, timestamp and recvWindow.
//! Small steps, since REST, the WebSocket API and its logon take them with other bytes or not all of them.
//! Source: rest-api.md "Request Security".

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::{ApiKeyId, TimeNs};
use ring::hmac;

pub use dialect::Caller;

use crate::errors::ApiError;
use crate::keys::{ApiKey, Credential, KeyStore, Permissions};
use crate::master_key::decode_hex;
use crate::params::{Params, micros};

/// The recvWindow of a request that names none, in microseconds.
const DEFAULT_RECV_WINDOW_US: u64 = 5_000_000;
/// How far ahead of our clock a timestamp may be, in microseconds.
const MAX_AHEAD_US: u64 = 1_000_000;

/// What a request shows of its sender, whichever way it came.
pub struct Signed<'r> {
    /// The name of the API key: the header `X-MBX-APIKEY`, or the WebSocket API's parameter `apiKey`.
    pub key: Option<&'r [u8]>,
    /// The bytes that were signed: [`signed_bytes`] of REST, [`sorted_payload`] of the WebSocket API.
    pub bytes: &'r [u8],
    /// `signature`, `timestamp` and `recvWindow` are among them.
    pub params: &'r Params<'r>,
    /// Where it came from, as far as that is known.
    pub peer: Option<IpAddr>,
}

/// The caller of a request, as far as it proves to be one: the steps below, one after the other.
pub fn authenticate(
    keys: &KeyStore,
    signed: &Signed<'_>,
    needed: Permissions,
    now_ns: TimeNs,
    max_recv_window_ms: u64,
) -> Result<Caller, ApiError> {
    let key = named_key(keys, signed.key)?;
    permit(&key, needed, signed.peer)?;
    verify(&key, signed.bytes, signed.params)?;
    let valid_until_ns = deadline(signed.params, now_ns, max_recv_window_ms)?;
    Ok(Caller { account: key.account(), key: key.stored.key, valid_until_ns })
}

/// The key of that name: -2014 when it is no name of a key, -2015 when there is no such key.
pub fn named_key(keys: &KeyStore, name: Option<&[u8]>) -> Result<Arc<ApiKey>, ApiError> {
    let name = name.filter(|name| !name.is_empty()).and_then(|name| ApiKeyId::from_bytes(name).ok());
    keys.find(&name.ok_or_else(ApiError::bad_key_format)?).ok_or_else(ApiError::rejected_key)
}

/// Whether the key may do what is asked from there: -2015 otherwise, the same as for a key that does not exist.
pub fn permit(key: &ApiKey, needed: Permissions, peer: Option<IpAddr>) -> Result<(), ApiError> {
    if key.permissions().allow(needed) && key.allows_from(peer) {
        Ok(())
    } else {
        Err(ApiError::rejected_key())
    }
}

/// Whether `signature` among `params` is that of this key over `bytes`: -1022 otherwise.
pub fn verify(key: &ApiKey, bytes: &[u8], params: &Params<'_>) -> Result<(), ApiError> {
    let signature = params.required("signature")?;
    let is_valid = match &key.credential {
        // Hexadecimal digits of either case.
        Credential::Hmac(secret) => {
            decode_hex(signature.as_bytes()).is_some_and(|tag| hmac::verify(secret, bytes, &tag).is_ok())
        }
        // Base64. A `+` that came unescaped was read as a blank, of which base64 has none.
        Credential::Ed25519(public_half) => STANDARD
            .decode(signature.replace(' ', "+"))
            .is_ok_and(|signature| public_half.verify(bytes, &signature).is_ok()),
    };
    if is_valid { Ok(()) } else { Err(ApiError::invalid_signature()) }
}

/// Until when the request may be executed: its `timestamp` and its `recvWindow`; -1021 when it is not in time now.
pub fn deadline(params: &Params<'_>, now_ns: TimeNs, max_recv_window_ms: u64) -> Result<TimeNs, ApiError> {
    let timestamp_us = micros(params.required_number("timestamp")?);
    let window_us = recv_window_us(params, max_recv_window_ms)?;
    check_time(timestamp_us, window_us, now_ns)
}

/// What the WebSocket API signs: all parameters but `signature`, sorted by name, as `name=value` joined by `&`.
/// Source: web-socket-api.md "SIGNED request example".
pub fn sorted_payload<'p>(params: impl IntoIterator<Item = (&'p str, &'p str)>) -> String {
    let mut params: Vec<_> = params.into_iter().filter(|(name, _)| *name != "signature").collect();
    params.sort_unstable();
    let mut payload = String::new();
    for (name, value) in params {
        if !payload.is_empty() {
            payload.push('&');
        }
        payload.extend([name, "=", value]);
    }
    payload
}

/// Query and body without separator, both without their `signature`: what REST signs. Copies only when the signed bytes are not
/// in one piece.
pub fn signed_bytes<'r>(query: &'r [u8], body: &'r [u8]) -> Cow<'r, [u8]> {
    let (query, body) = (without_signature(query), without_signature(body));
    if body.is_empty() {
        query
    } else if query.is_empty() {
        body
    } else {
        Cow::Owned([&*query, &*body].concat())
    }
}

/// `source` without its pair `signature=...` and one of the `&` beside it.
fn without_signature(source: &[u8]) -> Cow<'_, [u8]> {
    let mut at = 0;
    for pair in source.split(|byte| *byte == b'&') {
        let end = at + pair.len();
        if pair.starts_with(b"signature=") || pair == b"signature" {
            // The pair is nearly always the last.
            if end == source.len() {
                return Cow::Borrowed(&source[..at.saturating_sub(1)]);
            }
            return Cow::Owned([&source[..at], &source[end + 1..]].concat());
        }
        at = end + 1;
    }
    Cow::Borrowed(source)
}

/// recvWindow in microseconds: milliseconds with up to three decimals.
fn recv_window_us(params: &Params<'_>, max_ms: u64) -> Result<u64, ApiError> {
    let Some(text) = params.optional("recvWindow")? else {
        return Ok(DEFAULT_RECV_WINDOW_US.min(max_ms * 1_000));
    };
    let window_us = crate::decimal::parse(text, 3)
        .map_err(|error| crate::listings::decimal_refused("recvWindow", error))?;
    match u64::try_from(window_us) {
        Ok(window_us) if window_us <= max_ms * 1_000 => Ok(window_us),
        _ => Err(ApiError::greater_than("recvWindow", &max_ms.to_string())),
    }
}

/// Accepts a timestamp less than a second ahead and at most the window behind; the answer is when it runs out.
fn check_time(timestamp_us: u64, window_us: u64, now_ns: TimeNs) -> Result<TimeNs, ApiError> {
    let clock_us = now_ns.0 / 1_000;
    if timestamp_us >= clock_us.saturating_add(MAX_AHEAD_US) {
        return Err(ApiError::timestamp_ahead());
    }
    if clock_us.saturating_sub(timestamp_us) > window_us {
        return Err(ApiError::timestamp_outside());
    }
    Ok(TimeNs(timestamp_us.saturating_add(window_us).saturating_mul(1_000)))
}

#[cfg(test)]
mod tests {
    use model::AccountId;

    use super::*;
    use crate::keys::{Grant, StoredKey};
    use crate::master_key::{MasterKey, encode_hex};
    use crate::public_key::PublicKey;
    use model::KeyKind;

    // The example of rest-api.md, "SIGNED Endpoint Examples for POST /api/v3/order", HMAC keys.
    const KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
    const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
    const PAYLOAD: &str = "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559";
    const SIGNATURE: &str = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71";
    const ENCODED_PAYLOAD: &str = "symbol=%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559";
    const ENCODED_SIGNATURE: &str = "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3";
    const NOW: TimeNs = TimeNs::from_millis(1_499_827_319_600);

    fn keys() -> KeyStore {
        let master = MasterKey::generate().unwrap();
        let key = ApiKeyId::new(KEY).unwrap();
        let (kind, account) = (KeyKind::HmacSha256, AccountId(3));
        let sealed = master.seal(kind, &key, account, SECRET.as_bytes()).unwrap();
        let (permissions, ip_ranges) = (Permissions::READ.0, Vec::new());
        KeyStore::open(master, [StoredKey { key, account, kind, sealed, permissions, ip_ranges }]).unwrap()
    }

    fn ask_as(
        keys: &KeyStore,
        key: Option<&[u8]>,
        (query, body): (&str, &str),
        now: TimeNs,
        needed: Permissions,
    ) -> Result<Caller, ApiError> {
        let (query, body) = (query.as_bytes(), body.as_bytes());
        let params = &Params::parse(query, body)?;
        let signed = Signed { key, bytes: &signed_bytes(query, body), params, peer: None };
        authenticate(keys, &signed, needed, now, 60_000)
    }

    fn ask(query: &str, body: &str, now: TimeNs) -> Result<Caller, ApiError> {
        ask_as(&keys(), Some(KEY.as_bytes()), (query, body), now, Permissions::READ)
    }

    fn sign(payload: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        encode_hex(hmac::sign(&key, payload.as_bytes()).as_ref())
    }

    #[test]
    fn the_published_examples_verify() {
        let key = ApiKeyId::new(KEY).unwrap();
        let valid_until_ns = TimeNs::from_millis(1_499_827_324_559);
        let caller = Caller { account: AccountId(3), key, valid_until_ns };
        for (payload, signature) in [(PAYLOAD, SIGNATURE), (ENCODED_PAYLOAD, ENCODED_SIGNATURE)] {
            let signed = format!("{payload}&signature={signature}");
            let upper = format!("{payload}&signature={}", signature.to_uppercase());
            let (left, right) = payload.split_at(payload.find("&quantity").unwrap());
            assert_eq!(ask(&signed, "", NOW), Ok(caller), "in the query");
            assert_eq!(ask("", &signed, NOW), Ok(caller), "in the body");
            assert_eq!(ask(&upper, "", NOW), Ok(caller), "in capitals");
            assert_eq!(ask(&format!("signature={signature}"), payload, NOW), Ok(caller), "apart");
            assert_eq!(ask(&format!("signature={signature}&{payload}"), "", NOW), Ok(caller), "first");
            assert_eq!(ask(&format!("{left}&signature={signature}{right}"), "", NOW), Ok(caller), "between");
            assert_eq!(ask(left, &format!("{right}&signature={signature}"), NOW), Ok(caller), "both signed");
        }
    }

    #[test]
    fn another_byte_another_key_or_none_is_refused() {
        let code = |result: Result<Caller, ApiError>| result.unwrap_err().code;
        let signed = format!("{PAYLOAD}&signature={SIGNATURE}");
        assert_eq!(code(ask(&signed.replace("0.1", "0.2"), "", NOW)), -1022);
        assert_eq!(code(ask(&signed.replace("6b71", "6b72"), "", NOW)), -1022);
        assert_eq!(code(ask(&signed.replace("6b71", "6b"), "", NOW)), -1022);
        assert_eq!(code(ask(PAYLOAD, "", NOW)), -1102);

        let with_key = |key: Option<&[u8]>, needed| ask_as(&keys(), key, (&signed, ""), NOW, needed);
        assert_eq!(code(with_key(None, Permissions::READ)), -2014);
        assert_eq!(code(with_key(Some(b""), Permissions::READ)), -2014);
        assert_eq!(code(with_key(Some(&[b'x'; 65]), Permissions::READ)), -2014);
        assert_eq!(code(with_key(Some(b"unknown"), Permissions::READ)), -2015);
        assert_eq!(code(with_key(Some(KEY.as_bytes()), Permissions::TRADE)), -2015);
    }

    #[test]
    fn too_early_and_too_late_are_refused() {
        let at = |payload: &str, now_us: u64| {
            ask(&format!("{payload}&signature={}", sign(payload)), "", TimeNs(now_us * 1_000))
                .map_err(|error| (error.code, error.message.into_owned()))
        };
        let sent = 1_499_827_319_559_000;
        let ahead = (-1021, "Timestamp for this request was 1000ms ahead of the server's time.".to_owned());
        let outside = (-1021, "Timestamp for this request is outside of the recvWindow.".to_owned());
        assert_eq!(at(PAYLOAD, sent - 1_000_000), Err(ahead));
        assert!(at(PAYLOAD, sent - 999_999).is_ok());
        assert!(at(PAYLOAD, sent + 5_000_000).is_ok());
        assert_eq!(at(PAYLOAD, sent + 5_000_001), Err(outside.clone()));

        let in_micros = "timestamp=1499827319559123&recvWindow=6000.346";
        let caller = at(in_micros, sent + 6_000_469).unwrap();
        assert_eq!(caller.valid_until_ns, TimeNs((sent + 123 + 6_000_346) * 1_000));
        assert_eq!(at(in_micros, sent + 6_000_470), Err(outside));

        for (window, code) in [
            ("60000", None),
            ("60000.001", Some(-1102)),
            ("60001", Some(-1102)),
            ("1.2345", Some(-1111)),
            ("-1", Some(-1100)),
            ("", Some(-1105)),
        ] {
            let payload = format!("timestamp=1499827319559&recvWindow={window}");
            assert_eq!(at(&payload, sent).err().map(|(code, _)| code), code, "{window}");
        }
    }

    // A pair that openssl made, and what it signed: `openssl pkeyutl -sign -rawin`.
    const PUBLIC_HALF: &str = "ZGF3d2FRYkBCeqoGv/ULpSgHRudY9NUe6laLvzN0IEs=";
    const ED25519_PAYLOAD: &str = "symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=GTC&quantity=1.0000000&price=0.20&timestamp=1668481559918";
    const ED25519_SIGNATURE: &str =
        "tfCJQlK+5JS8Xu5S9MwgorgLMGNl0U9NGNIfKu6OqAlK4khoIoLckxG3ulz0OWs8l+GExE9Nr9VbzMbPyebBDw==";

    #[test]
    fn what_openssl_signed_verifies() {
        let store = KeyStore::open(MasterKey::generate().unwrap(), []).unwrap();
        let grant = Grant::new(AccountId(4), Permissions::READ);
        let add = store.register(grant, &PublicKey::parse(PUBLIC_HALF).unwrap()).unwrap();
        store.insert(&StoredKey::from(&add)).unwrap();
        let ask = |query: &str, body: &str| {
            let now = TimeNs::from_millis(1_668_481_560_000);
            ask_as(&store, Some(add.key.as_bytes()), (query, body), now, Permissions::READ)
        };
        let escaped = ED25519_SIGNATURE.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        for signature in [ED25519_SIGNATURE, &escaped] {
            let signed = format!("{ED25519_PAYLOAD}&signature={signature}");
            assert_eq!(ask(&signed, "").map(|caller| caller.account), Ok(AccountId(4)), "in the query");
            assert!(ask("", &signed).is_ok(), "in the body");
            assert!(ask(ED25519_PAYLOAD, &format!("signature={signature}")).is_ok(), "apart");
        }
        for wrong in [
            ED25519_SIGNATURE.to_uppercase(),
            ED25519_SIGNATURE.replace('t', "u"),
            ED25519_SIGNATURE[4..].to_owned(),
            ED25519_SIGNATURE.replace("==", ""),
            SIGNATURE.to_owned(),
        ] {
            let refused = ask(&format!("{ED25519_PAYLOAD}&signature={wrong}"), "");
            assert_eq!(refused.unwrap_err().code, -1022, "{wrong}");
        }
        let other = ED25519_PAYLOAD.replace("0.20", "0.21");
        let refused = ask(&format!("{other}&signature={ED25519_SIGNATURE}"), "");
        assert_eq!(refused.unwrap_err().code, -1022);
        // The public half is no secret, so it must not do as one.
        let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(PUBLIC_HALF).unwrap());
        let tag = encode_hex(hmac::sign(&key, ED25519_PAYLOAD.as_bytes()).as_ref());
        assert_eq!(ask(&format!("{ED25519_PAYLOAD}&signature={tag}"), "").unwrap_err().code, -1022);
    }

    #[test]
    fn the_payload_of_the_websocket_api_is_sorted() {
        // Some parameters of the example of web-socket-api.md, "SIGNED request example (HMAC)", in another order.
        let params = [
            ("symbol", "BTCUSDT"),
            ("signature", "left out"),
            ("side", "SELL"),
            ("price", "52000.00"),
            ("newOrderRespType", "ACK"),
            ("apiKey", KEY),
        ];
        assert_eq!(
            sorted_payload(params),
            format!("apiKey={KEY}&newOrderRespType=ACK&price=52000.00&side=SELL&symbol=BTCUSDT")
        );
        assert_eq!(sorted_payload([]), "");
    }
}
