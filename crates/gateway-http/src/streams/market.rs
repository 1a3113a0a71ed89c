//! The market-data streams' side of a connection: where it begins (`/ws`, `/stream`, with any tail; those of futures behind
//! `/public`, `/market` and `/private`), and the requests that it may send. A listen key is the name of a stream, too. Source: web-socket-streams.md "Live Subscribing/Unsubscribing to streams", "Error Messages".

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::extract::ws::{Utf8Bytes, WebSocketUpgrade};
use axum::http::{HeaderMap, Uri, header};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::error::Category;

use crate::client::Dialled;
use crate::connection::Peer;
use crate::errors::ApiError;
use crate::gateway::{Gateway, Refused, TimeUnit, now_ns};
use crate::params::Params;
use crate::settings::SocketSettings;
use crate::streams::hub::{Form, Half, Hub, Listener, Right, UserSubscription};
use crate::streams::topic::{Realm, Subject, Topic};
use crate::streams::{Conversation, Ending, Outbox, accept_on};

/// Longest `id` of a request, in characters.
const MAX_ID: usize = 36;
/// Longest name of a stream, in bytes. None that there is comes near it.
const MAX_NAME: usize = 64;

/// Routes of futures, in front of `/ws` and `/stream`: each has all streams.
pub(crate) const ROUTES: [&str; 3] = ["/public", "/market", "/private"];

/// The path behind a route of futures, and of which markets it tells: without a route those of spot, unless the host is named as that
/// of futures.
fn realm<'p>(path: &'p str, headers: &HeaderMap) -> (&'p str, Realm) {
    if let Some(rest) = ROUTES.iter().find_map(|route| path.strip_prefix(route)) {
        return (rest, Realm::Futures);
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let is_of_futures = ["fstream.", "fapi.", "ws-fapi."].iter().any(|prefix| host.starts_with(prefix));
    (path, if is_of_futures { Realm::Futures } else { Realm::Spot })
}

/// `/ws`, with the names of streams as its tail. A tail that names none does no harm: real clients have one.
pub(crate) async fn raw(
    State(gateway): State<Arc<Gateway>>,
    Extension(peer): Extension<Arc<Peer>>,
    _: Dialled,
    uri: Uri,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Refused> {
    let (path, realm) = realm(uri.path(), &headers);
    let tail = path.strip_prefix("/ws").unwrap_or_default().replace("%40", "@").replace("%2B", "+");
    let is_name = |name: &&str| name.contains('@') || gateway.may_listen(name);
    let mut names: Vec<String> = tail.split('/').filter(is_name).map(str::to_owned).collect();
    let params = Params::parse(uri.query().unwrap_or_default().as_bytes(), &[])?;
    names.extend(params.sent("listenKey").map(str::to_owned));
    open(gateway, peer, &uri, upgrade, (names, realm), false)
}

/// `/stream`, with the names of streams in `streams`.
pub(crate) async fn combined(
    State(gateway): State<Arc<Gateway>>,
    Extension(peer): Extension<Arc<Peer>>,
    _: Dialled,
    uri: Uri,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Refused> {
    let (_, realm) = realm(uri.path(), &headers);
    let params = Params::parse(uri.query().unwrap_or_default().as_bytes(), &[])?;
    // In a query a plus sign is a space.
    let streams = params.sent("streams").unwrap_or_default().replace(' ', "+");
    let mut names: Vec<String> =
        streams.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    names.extend(params.sent("listenKey").map(str::to_owned));
    open(gateway, peer, &uri, upgrade, (names, realm), true)
}

fn open(
    gateway: Arc<Gateway>,
    peer: Arc<Peer>,
    uri: &Uri,
    upgrade: WebSocketUpgrade,
    (names, realm): (Vec<String>, Realm),
    combined: bool,
) -> Result<Response, Refused> {
    let params = Params::parse(uri.query().unwrap_or_default().as_bytes(), &[])?;
    let unit = match params.sent("timeUnit") {
        None | Some("MILLISECOND" | "millisecond") => TimeUnit::Millis,
        Some("MICROSECOND" | "microsecond") => TimeUnit::Micros,
        Some(_) => return Err(ApiError::invalid_value("timeUnit").into()),
    };
    let most = gateway.settings.sockets.max_streams;
    if names.len() > most {
        return Err(ApiError::too_many_parameters(most, names.len()).into());
    }
    let settings = gateway.settings.clone();
    let driven_by = gateway.streams.clone();
    Ok(accept_on(&driven_by, upgrade, peer, &settings, move |outbox| {
        let mut streams = Streams::new(gateway, outbox, (unit, realm), combined);
        for name in names {
            streams.subscribe(&name);
        }
        streams
    }))
}

/// What a request asks.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Method {
    Subscribe,
    Unsubscribe,
    ListSubscriptions,
    SetProperty,
    GetProperty,
}

#[derive(Debug, Deserialize)]
struct Request {
    method: Method,
    #[serde(default)]
    params: Vec<Value>,
    /// Outer `None`: it was not sent.
    #[serde(default, deserialize_with = "sent")]
    id: Option<Value>,
}

fn sent<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(input).map(Some)
}

/// Why a request is refused: one of the documents' four numbers, and the text.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Refusal {
    code: u8,
    msg: Cow<'static, str>,
}

impl Refusal {
    const UNKNOWN_PROPERTY: Self = Self { code: 0, msg: Cow::Borrowed("Unknown property") };
    const NOT_BOOLEAN: Self = Self { code: 1, msg: Cow::Borrowed("Invalid value type: expected Boolean") };

    fn invalid(what: impl std::fmt::Display) -> Self {
        Self { code: 2, msg: format!("Invalid request: {what}").into() }
    }
}

#[derive(Serialize)]
struct Success<'a> {
    result: Value,
    id: &'a Value,
}

#[derive(Serialize)]
struct Failure<'a> {
    error: Refusal,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a Value>,
}

fn text(answer: &impl Serialize) -> Utf8Bytes {
    serde_json::to_string(answer).expect("wire types are plain structs").into()
}

/// One stream of a connection.
#[derive(Debug)]
struct Subscribed {
    /// As it was asked for.
    name: Arc<str>,
    /// `None` when nothing has that name: at Binance it may be asked for all the same.
    topic: Option<Topic>,
    /// Of a listen key.
    user: Option<UserSubscription>,
}

/// The streams of one connection.
struct Streams {
    gateway: Arc<Gateway>,
    outbox: Arc<Outbox>,
    listener: Listener,
    unit: TimeUnit,
    realm: Realm,
    combined: bool,
    /// In the order in which they were asked for.
    subscribed: Vec<Subscribed>,
}

impl Streams {
    fn new(
        gateway: Arc<Gateway>,
        outbox: Arc<Outbox>,
        (unit, realm): (TimeUnit, Realm),
        combined: bool,
    ) -> Self {
        let listener = gateway.read_models.hub().listener();
        Self { gateway, outbox, listener, unit, realm, combined, subscribed: Vec::new() }
    }

    fn hub(&self) -> &Hub {
        self.gateway.read_models.hub()
    }

    fn form(&self, name: &Arc<str>) -> Form {
        if self.combined { Form::Combined(Arc::clone(name)) } else { Form::Raw }
    }

    fn subscribe(&mut self, name: &str) {
        if self.subscribed.iter().any(|subscribed| *subscribed.name == *name) {
            return;
        }
        let listings = self.gateway.read_models.listings();
        let subject = Subject::from_name(name, self.realm, &listings);
        let topic = subject.map(|subject| Topic { subject, unit: self.unit });
        let name: Arc<str> = name.into();
        if let Some(topic) = topic {
            self.hub().subscribe(self.listener, topic, self.form(&name), Arc::clone(&self.outbox));
        }
        let user = self.listen(&name);
        self.subscribed.push(Subscribed { name, topic, user });
    }

    /// Subscribes to what happens at contracts to the account of a listen key, if the name is one.
    fn listen(&self, name: &Arc<str>) -> Option<UserSubscription> {
        let listened = self.gateway.listen_keys.find(name, now_ns())?;
        let (gateway, listen_key) = (Arc::clone(&self.gateway), Arc::clone(name));
        let right = Right::while_true(move || gateway.may_listen(&listen_key));
        let models = &self.gateway.read_models;
        let of = (listened.account, models.home(listened.account));
        let half = Half::Futures { listen_key: Arc::clone(name), form: self.form(name) };
        Some(models.hub().subscribe_user(of, Arc::clone(&self.outbox), half, self.unit, right))
    }

    fn unsubscribe(&mut self, name: &str) {
        let Some(found) = self.subscribed.iter().position(|subscribed| *subscribed.name == *name) else {
            return;
        };
        let Subscribed { name, topic, .. } = self.subscribed.remove(found);
        if let Some(topic) = topic {
            self.hub().unsubscribe(self.listener, topic, &self.form(&name));
        }
    }

    fn set_combined(&mut self, combined: bool) {
        if combined == self.combined {
            return;
        }
        let subscribed = std::mem::take(&mut self.subscribed);
        for Subscribed { name, topic, .. } in &subscribed {
            if let Some(topic) = topic {
                self.hub().unsubscribe(self.listener, *topic, &self.form(name));
            }
        }
        self.combined = combined;
        let mut subscribed = subscribed;
        for Subscribed { name, topic, user } in &mut subscribed {
            if let Some(topic) = topic {
                self.hub().subscribe(self.listener, *topic, self.form(name), Arc::clone(&self.outbox));
            }
            *user = self.listen(name);
        }
        self.subscribed = subscribed;
    }

    fn answer(&mut self, request: &Request) -> Result<Value, Refusal> {
        let params = &request.params;
        match request.method {
            Method::Subscribe => {
                let names = names(params)?;
                let new = |name: &&str| self.subscribed.iter().all(|subscribed| *subscribed.name != **name);
                let most = self.gateway.settings.sockets.max_streams;
                if self.subscribed.len() + names.iter().copied().filter(new).count() > most {
                    return Err(Refusal::invalid(format_args!("more than {most} streams on one connection")));
                }
                for name in names {
                    self.subscribe(name);
                }
                Ok(Value::Null)
            }
            Method::Unsubscribe => {
                for name in names(params)? {
                    self.unsubscribe(name);
                }
                Ok(Value::Null)
            }
            Method::ListSubscriptions if !params.is_empty() => Err(Refusal::invalid("too many parameters")),
            Method::ListSubscriptions => {
                Ok(self.subscribed.iter().map(|subscribed| Value::from(&*subscribed.name)).collect())
            }
            Method::SetProperty => {
                combined_property(params, 2)?;
                let value = params.get(1).and_then(Value::as_bool).ok_or(Refusal::NOT_BOOLEAN)?;
                self.set_combined(value);
                Ok(Value::Null)
            }
            Method::GetProperty => {
                combined_property(params, 1)?;
                Ok(self.combined.into())
            }
        }
    }
}

fn names(params: &[Value]) -> Result<Vec<&str>, Refusal> {
    let names: Option<Vec<&str>> = params.iter().map(Value::as_str).collect();
    let names = names.ok_or_else(|| Refusal::invalid("names of streams must be strings"))?;
    if names.iter().any(|name| name.len() > MAX_NAME) {
        return Err(Refusal::invalid(format_args!("names of streams have at most {MAX_NAME} bytes")));
    }
    Ok(names)
}

/// The only property that there is must be the one that is asked for.
fn combined_property(params: &[Value], most: usize) -> Result<(), Refusal> {
    let name = params.first().and_then(Value::as_str);
    let name = name.ok_or_else(|| Refusal::invalid("property name must be a string"))?;
    if params.len() > most {
        return Err(Refusal::invalid("too many parameters"));
    }
    if name == "combined" { Ok(()) } else { Err(Refusal::UNKNOWN_PROPERTY) }
}

/// A request and its id, or why it is none.
fn parse(text: &str) -> Result<(Request, Value), Refusal> {
    let request: Request = serde_json::from_str(text).map_err(|error| match error.classify() {
        Category::Syntax | Category::Eof | Category::Io => {
            Refusal { code: 3, msg: format!("Invalid JSON: {error}").into() }
        }
        Category::Data => Refusal::invalid(error),
    })?;
    let usable = |id: &Value| match id {
        Value::Null => true,
        Value::Number(number) => number.is_i64() || number.is_u64(),
        Value::String(text) => text.len() <= MAX_ID && text.bytes().all(|byte| byte.is_ascii_graphic()),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
    };
    match request.id.clone().filter(usable) {
        Some(id) => Ok((request, id)),
        None => Err(Refusal::invalid("request ID must be an unsigned integer")),
    }
}

impl Conversation for Streams {
    const LIMITS_TEXTS: bool = true;

    fn on_text(&mut self, received: Utf8Bytes) -> Result<(), Ending> {
        let answer = match parse(&received) {
            Ok((request, id)) => match self.answer(&request) {
                Ok(result) => text(&Success { result, id: &id }),
                Err(error) => text(&Failure { error, id: Some(&id) }),
            },
            Err(error) => text(&Failure { error, id: None }),
        };
        self.outbox.push(answer);
        Ok(())
    }

    fn farewell(&self) -> Option<Utf8Bytes> {
        let event = format!("{{\"e\":\"serverShutdown\",\"E\":{}}}", self.unit.of(now_ns()));
        Some(self.form(&"!serverShutdown".into()).of(&event))
    }

    fn flush_pause(settings: &SocketSettings) -> Duration {
        settings.flush_pause
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        for Subscribed { name, topic, .. } in &self.subscribed {
            if let Some(topic) = topic {
                self.hub().unsubscribe(self.listener, *topic, &self.form(name));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> (u8, String) {
        let refusal = parse(text).expect_err("it is wrong");
        (refusal.code, refusal.msg.into_owned())
    }

    #[test]
    fn a_request_needs_a_method_and_an_id() {
        for id in ["1", "-1", "18446744073709551615", "\"9b1c4b0e-2f5a-4c39-8f36-d29c79bd1c2d\"", "null"] {
            let (_, parsed) = parse(&format!(r#"{{"method":"LIST_SUBSCRIPTIONS","id":{id}}}"#)).unwrap();
            assert_eq!(parsed.to_string(), id);
        }
        let no_id = (2, "Invalid request: request ID must be an unsigned integer".to_owned());
        assert_eq!(refused(r#"{"method":"SUBSCRIBE"}"#), no_id);
        for id in ["true", "1.5", "[]", "{}", "\"1234567890123456789012345678901234567\""] {
            assert_eq!(refused(&format!(r#"{{"method":"SUBSCRIBE","id":{id}}}"#)), no_id, "{id}");
        }
        assert_eq!(
            refused(r#"{"method":"SUBSCRBE","id":1}"#).1,
            "Invalid request: unknown variant `SUBSCRBE`, expected one of `SUBSCRIBE`, `UNSUBSCRIBE`, \
             `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY` at line 1 column 20"
        );
        assert_eq!(refused(r#"{"id":1}"#).1, "Invalid request: missing field `method` at line 1 column 8");
        assert_eq!(refused("hello"), (3, "Invalid JSON: expected value at line 1 column 1".to_owned()));
        assert_eq!(refused(r#"{"method""#).0, 3);
    }
}
