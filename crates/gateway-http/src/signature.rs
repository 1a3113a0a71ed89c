//! Who sent a request, and whether it is in time: API key, HMAC-SHA256 over the exact bytes received, timestamp and
//! recvWindow. Source: rest-api.md "Request Security".

use std::borrow::Cow;

use model::{AccountId, ApiKeyId, TimeNs};
use ring::hmac;

use crate::errors::ApiError;
use crate::keys::{KeyStore, Permissions, decode_hex};
use crate::params::{Params, micros};

/// Who sent a signed request, and until when it may be executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Whose key signed.
    pub account: AccountId,
    /// timestamp + recvWindow.
    pub valid_until_ns: TimeNs,
}

/// The recvWindow of a request that names none, in microseconds.
const DEFAULT_RECV_WINDOW_US: u64 = 5_000_000;
/// How far ahead of our clock a timestamp may be, in microseconds.
const MAX_AHEAD_US: u64 = 1_000_000;

/// The caller of a request, as far as it proves to be one.
///
/// `key` is the value of `X-MBX-APIKEY`; `query` and `body` are the bytes as they came.
pub fn authenticate(
    keys: &KeyStore,
    key: Option<&[u8]>,
    (query, body): (&[u8], &[u8]),
    params: &Params<'_>,
    now_ns: TimeNs,
    max_recv_window_ms: u64,
    needed: Permissions,
) -> Result<Caller, ApiError> {
    let key = key.filter(|key| !key.is_empty()).and_then(|key| ApiKeyId::from_bytes(key).ok());
    let key = keys.find(&key.ok_or_else(ApiError::bad_key_format)?).ok_or_else(ApiError::rejected_key)?;

    let signature = params.required("signature")?;
    let timestamp_us = micros(params.required_number("timestamp")?);
    let window_us = recv_window_us(params, max_recv_window_ms)?;

    let tag = decode_hex(signature.as_bytes()).ok_or_else(ApiError::invalid_signature)?;
    hmac::verify(&key.hmac, &signed_bytes(query, body), &tag).map_err(|_| ApiError::invalid_signature())?;

    let valid_until_ns = check_time(timestamp_us, window_us, now_ns)?;
    if !key.permissions.allow(needed) {
        return Err(ApiError::rejected_key());
    }
    Ok(Caller { account: key.account, valid_until_ns })
}

/// Query and body without separator, both without their `signature`. Copies only when the signed bytes are not in one piece.
fn signed_bytes<'r>(query: &'r [u8], body: &'r [u8]) -> Cow<'r, [u8]> {
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
    use super::*;
    use crate::keys::{MasterKey, StoredKey, encode_hex};

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
        let sealed_secret = master.seal(&key, AccountId(3), SECRET.as_bytes()).unwrap();
        let permissions = Permissions::READ.0;
        KeyStore::open(master, [StoredKey { key, account: AccountId(3), sealed_secret, permissions }])
            .unwrap()
    }

    fn ask(query: &str, body: &str, now: TimeNs) -> Result<Caller, ApiError> {
        let (query, body) = (query.as_bytes(), body.as_bytes());
        let params = Params::parse(query, body)?;
        authenticate(&keys(), Some(KEY.as_bytes()), (query, body), &params, now, 60_000, Permissions::READ)
    }

    fn sign(payload: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        encode_hex(hmac::sign(&key, payload.as_bytes()).as_ref())
    }

    #[test]
    fn the_published_examples_verify() {
        let caller = Caller { account: AccountId(3), valid_until_ns: TimeNs::from_millis(1_499_827_324_559) };
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

        let params = Params::parse(signed.as_bytes(), b"").unwrap();
        let with_key = |key: Option<&[u8]>, needed| {
            authenticate(&keys(), key, (signed.as_bytes(), b""), &params, NOW, 60_000, needed)
        };
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
}
