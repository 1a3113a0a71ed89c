//! One request of the WebSocket API, from its text: id, method, parameters, and the bytes that its signature covers.
//! Source: web-socket-api.md "Request format", "Request security".

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::errors::ApiError;
use crate::params::Params;
use crate::signature::sorted_payload;

/// The longest id that is given back, in bytes of its JSON: a UUID has 38.
const MAX_ID_BYTES: usize = 256;

/// A string of JSON, borrowed where nothing in it is escaped.
#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct Text<'r>(#[serde(borrow)] Cow<'r, str>);

#[derive(Deserialize)]
struct Wire<'r> {
    #[serde(borrow, default)]
    id: Option<&'r RawValue>,
    #[serde(borrow, default)]
    method: Option<Text<'r>>,
    #[serde(borrow, default)]
    params: Option<BTreeMap<Text<'r>, &'r RawValue>>,
}

/// A request that could be read.
pub(super) struct Request<'r> {
    /// JSON, to be given back as it came.
    pub(super) id: &'r str,
    /// Without a version in front.
    pub(super) method: Cow<'r, str>,
    /// By name, in the order of names, each value as text.
    params: Vec<(Cow<'r, str>, Cow<'r, str>)>,
}

/// What is wrong with a text that is no request, and the id to answer with.
pub(super) struct Unreadable<'r> {
    pub(super) id: &'r str,
    pub(super) error: ApiError,
}

impl<'r> Request<'r> {
    pub(super) fn read(text: &'r str) -> Result<Self, Unreadable<'r>> {
        let without_id = |error| Unreadable { id: "null", error };
        // A list would be read as the fields in their order.
        let is_object = text.trim_start().starts_with('{');
        let wire: Option<Wire<'r>> = if is_object { serde_json::from_str(text).ok() } else { None };
        let wire = wire.ok_or_else(|| without_id(ApiError::invalid_json()))?;
        let id = wire.id.map_or("null", RawValue::get);
        if id.len() > MAX_ID_BYTES || id.starts_with(['{', '[', 't', 'f']) {
            return Err(without_id(ApiError::mandatory("id")));
        }
        let unreadable = |error| Unreadable { id, error };
        let method = wire.method.map(|Text(method)| method).filter(|method| !method.is_empty());
        let method = method.ok_or_else(|| unreadable(ApiError::mandatory("method")))?;
        let method = match method {
            Cow::Borrowed(method) => Cow::Borrowed(method.strip_prefix("v3/").unwrap_or(method)),
            // None of the names that there are needs an escape.
            owned @ Cow::Owned(_) => owned,
        };
        let mut params = Vec::new();
        for (Text(name), raw) in wire.params.unwrap_or_default() {
            let value = value(raw.get()).map_err(|()| unreadable(ApiError::mandatory(&name)))?;
            params.push((name, value));
        }
        Ok(Self { id, method, params })
    }

    /// The value of a parameter as text.
    pub(super) fn sent(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// What the signature covers.
    pub(super) fn payload(&self) -> String {
        sorted_payload(self.params.iter().map(|(name, value)| (&**name, &**value)))
    }

    /// All parameters: where the signature and its time are looked for.
    pub(super) fn signing(&self) -> Result<Params<'_>, ApiError> {
        Params::of_pairs(self.params.iter().map(|(name, value)| (&**name, &**value)))
    }

    /// The parameters as the endpoints know them: without those that belong to the connection.
    pub(super) fn params(&self) -> Result<Params<'_>, ApiError> {
        let of_connection = ["apiKey", "signature", "returnRateLimits"];
        let params = self.params.iter().filter(|(name, _)| !of_connection.contains(&&**name));
        Params::of_pairs(params.map(|(name, value)| (&**name, &**value)))
    }

    /// Whether the answer has the `rateLimits`; `usually` when the request does not say.
    pub(super) fn wants_rate_limits(&self, usually: bool) -> Result<bool, ApiError> {
        match self.sent("returnRateLimits") {
            None => Ok(usually),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(_) => Err(ApiError::invalid_value("returnRateLimits")),
        }
    }
}

/// A value as text: strings without their quotes, numbers, flags and lists as they were written.
fn value(raw: &str) -> Result<Cow<'_, str>, ()> {
    match raw.as_bytes().first() {
        Some(b'"') => {
            let Text(text) = serde_json::from_str(raw).map_err(drop)?;
            Ok(text)
        }
        Some(b'{' | b'n') | None => Err(()),
        Some(_) => Ok(Cow::Borrowed(raw)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> (String, i32) {
        let unreadable = Request::read(text).err().expect("it is none");
        (unreadable.id.to_owned(), unreadable.error.code)
    }

    #[test]
    fn ids_come_back_as_they_came() {
        for id in ["1", "\"a-b\"", "null", "18446744073709551616", "\"\\u20ac\""] {
            let text = format!("{{\"id\":{id},\"method\":\"ping\"}}");
            assert_eq!(Request::read(&text).ok().expect("sound").id, id);
        }
        assert_eq!(Request::read("{\"method\":\"ping\"}").ok().expect("sound").id, "null");
    }

    #[test]
    fn the_signature_covers_everything_else_by_name() {
        let text = r#"{"id":1,"method":"v3/order.place","params":{"symbol":"BTCUSDT","side":"SELL","price":"52000.00",
            "quantity":0.0100,"recvWindow":100,"timestamp":1645423376532,"apiKey":"KEY","signature":"x",
            "newClientOrderId":"a\"b\u00e9","symbols":["A","B"],"flag":true}}"#;
        let request = Request::read(text).ok().expect("sound");
        assert_eq!(request.method, "order.place");
        assert_eq!(
            request.payload(),
            "apiKey=KEY&flag=true&newClientOrderId=a\"b\u{e9}&price=52000.00&quantity=0.0100&recvWindow=100&side=SELL\
             &symbol=BTCUSDT&symbols=[\"A\",\"B\"]&timestamp=1645423376532"
        );
        let params = request.params().unwrap();
        assert_eq!(params.sent("quantity"), Some("0.0100"), "as it was written");
        assert_eq!(params.list("symbols").unwrap().unwrap(), ["A", "B"]);
        assert_eq!((params.sent("apiKey"), params.sent("signature")), (None, None));
    }

    #[test]
    fn what_is_no_request_is_told_so_with_its_id_as_far_as_it_has_one() {
        for text in ["", "x", "[]", "{", "{\"id\":1", "\"ping\"", "{\"id\":1,\"method\":5}"] {
            assert_eq!(error(text), ("null".to_owned(), -1135), "{text}");
        }
        assert_eq!(error("{\"id\":{},\"method\":\"ping\"}"), ("null".to_owned(), -1102));
        let long = format!("{{\"id\":\"{}\",\"method\":\"ping\"}}", "x".repeat(300));
        assert_eq!(error(&long), ("null".to_owned(), -1102));
        assert_eq!(error("{\"id\":7}"), ("7".to_owned(), -1102));
        assert_eq!(error("{\"id\":7,\"method\":\"\"}"), ("7".to_owned(), -1102));
        for value in ["null", "{}"] {
            let text = format!("{{\"id\":7,\"method\":\"depth\",\"params\":{{\"symbol\":{value}}}}}");
            assert_eq!(error(&text), ("7".to_owned(), -1102), "{value}");
        }
    }

    #[test]
    fn rate_limits_are_told_unless_somebody_said_no() {
        let asked = |params: &str| {
            let text = format!("{{\"id\":1,\"method\":\"time\",\"params\":{params}}}");
            Request::read(&text).ok().expect("sound").wants_rate_limits(true).map_err(|error| error.code)
        };
        assert_eq!(asked("{}"), Ok(true));
        assert_eq!(asked("{\"returnRateLimits\":false}"), Ok(false));
        assert_eq!(asked("{\"returnRateLimits\":\"false\"}"), Ok(false));
        assert_eq!(asked("{\"returnRateLimits\":1}"), Err(-1130));
    }
}
