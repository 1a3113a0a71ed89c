//! What a client is told when a request fails: HTTP status, code and text. The texts are part of the interface: client
//! libraries choose their exception by them. Source: errors.md of the Binance spot documents.
//!
//! What the partition refuses is translated in [`crate::rejects`].

use std::borrow::Cow;

use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// One refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// The HTTP status.
    pub status: StatusCode,
    /// Binance's number for the kind of error.
    pub code: i32,
    /// The text that goes with it.
    pub message: Cow<'static, str>,
    /// Seconds after which trying again makes sense.
    pub retry_after: Option<u32>,
}

/// The error as it is written into an answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorBody<'e> {
    code: i32,
    msg: &'e str,
}

/// Characters that a number may have, as named in error -1100.
pub const WHOLE_NUMBER_RANGE: &str = "^[0-9]{1,20}$";
/// Characters that a decimal number may have.
pub const DECIMAL_RANGE: &str = r"^([0-9]{1,20})(\.[0-9]{1,20})?$";
/// Characters that a client order id may have.
pub const CLIENT_ORDER_ID_RANGE: &str = "^[a-zA-Z0-9-_.:/]{1,36}$";
/// Characters that a symbol may have.
pub const SYMBOL_RANGE: &str = "^[A-Z0-9-_.]{1,32}$";

impl ApiError {
    /// A refusal with status 400.
    pub fn new(code: i32, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, message: message.into(), retry_after: None }
    }

    fn with_status(status: StatusCode, code: i32, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, message: message.into(), retry_after: None }
    }

    /// Something here is broken; what, is in the program's log.
    pub fn internal() -> Self {
        Self::with_status(
            StatusCode::INTERNAL_SERVER_ERROR,
            -1000,
            "An unknown error occurred while processing the request.",
        )
    }

    /// The program stopped before it could tell whether the command became durable.
    pub fn outcome_unknown() -> Self {
        Self::with_status(
            StatusCode::SERVICE_UNAVAILABLE,
            -1006,
            "An unexpected response was received from the message bus. Execution status unknown.",
        )
    }

    /// The answer did not come within the setting `reply_timeout`.
    pub fn timeout() -> Self {
        Self::with_status(
            StatusCode::GATEWAY_TIMEOUT,
            -1007,
            "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
        )
    }

    /// The address has as many connections as the setting `connections_per_address` allows.
    pub fn too_many_connections(most: u32) -> Self {
        Self {
            retry_after: Some(1),
            ..Self::with_status(
                StatusCode::TOO_MANY_REQUESTS,
                -1003,
                format!("Too many connections; current limit is {most} connections per address."),
            )
        }
    }

    /// The queue of commands is full; nothing was done.
    pub fn busy() -> Self {
        Self {
            retry_after: Some(1),
            ..Self::with_status(
                StatusCode::SERVICE_UNAVAILABLE,
                -1008,
                "Server is currently overloaded with other requests. Please try again in a few minutes.",
            )
        }
    }

    /// The program is stopping; nothing was done.
    pub fn stopping() -> Self {
        Self {
            retry_after: Some(5),
            ..Self::with_status(
                StatusCode::SERVICE_UNAVAILABLE,
                -1016,
                "This service is no longer available.",
            )
        }
    }

    /// The path leads nowhere.
    pub fn unknown_path() -> Self {
        Self::with_status(StatusCode::NOT_FOUND, -1020, "There is no such endpoint.")
    }

    /// The path is for WebSocket connections.
    pub fn wants_socket() -> Self {
        Self::with_status(StatusCode::UPGRADE_REQUIRED, -1020, "This path is for WebSocket connections only.")
    }

    /// A request of the WebSocket API names no method that there is.
    pub fn unknown_method() -> Self {
        Self::new(-1020, "There is no such method.")
    }

    /// Nobody has logged on to the session.
    pub fn not_logged_on() -> Self {
        Self::with_status(
            StatusCode::UNAUTHORIZED,
            -1002,
            "You are not authorized to execute this request: log on first, or send apiKey and signature.",
        )
    }

    /// Only Ed25519 keys can log on.
    pub fn key_cannot_log_on() -> Self {
        Self::new(-4056, "HMAC_SHA256 API key is not supported.")
    }

    /// The account's events come to this connection already.
    pub fn subscription_active() -> Self {
        Self::new(-2035, "User Data Stream subscription already active.")
    }

    /// There is no such subscription on this connection.
    pub fn subscription_inactive() -> Self {
        Self::new(-2036, "User Data Stream subscription not active.")
    }

    /// The connection has had as many subscriptions as it can have.
    pub fn too_many_subscriptions() -> Self {
        Self::new(-2042, "Maximum subscription ID reached for this connection.")
    }

    /// The path is right, the verb is not.
    pub fn wrong_verb() -> Self {
        Self::with_status(StatusCode::METHOD_NOT_ALLOWED, -1020, "This operation is not supported.")
    }

    /// The body is over the setting `max_body_bytes`.
    pub fn body_too_large(max: usize) -> Self {
        Self::with_status(
            StatusCode::PAYLOAD_TOO_LARGE,
            -1101,
            format!("Too many parameters; the request body may have at most {max} bytes."),
        )
    }

    /// The body did not come within the setting `body_timeout`.
    pub fn body_too_slow() -> Self {
        Self::with_status(StatusCode::REQUEST_TIMEOUT, -1102, "The request body did not arrive in time.")
    }

    /// The body ended before its length.
    pub fn body_incomplete() -> Self {
        Self::new(-1102, "The request body did not arrive whole.")
    }

    /// The timestamp is more than a second ahead of our clock.
    pub fn timestamp_ahead() -> Self {
        Self::new(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    }

    /// The request is older than its `recvWindow`.
    pub fn timestamp_outside() -> Self {
        Self::new(-1021, "Timestamp for this request is outside of the recvWindow.")
    }

    /// The signature is not that of this key over these bytes.
    pub fn invalid_signature() -> Self {
        Self::new(-1022, "Signature for this request is not valid.")
    }

    /// A parameter has characters that it cannot have.
    pub fn illegal_characters(name: &str, range: &str) -> Self {
        Self::new(-1100, format!("Illegal characters found in parameter '{name}'; legal range is '{range}'."))
    }

    /// Something between the `&` is not text.
    pub fn illegal_encoding() -> Self {
        Self::new(-1100, "Illegal characters found in a parameter.")
    }

    /// The endpoint takes fewer parameters.
    pub fn too_many_parameters(expected: usize, received: usize) -> Self {
        Self::new(-1101, format!("Too many parameters; expected '{expected}' and received '{received}'."))
    }

    /// One name came twice from one place.
    pub fn duplicate_parameter() -> Self {
        Self::new(-1101, "Duplicate values for a parameter detected.")
    }

    /// A parameter that must be there is not, or makes no sense.
    pub fn mandatory(name: &str) -> Self {
        Self::new(-1102, format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed."))
    }

    /// One of two parameters must be there.
    pub fn either(one: &str, other: &str) -> Self {
        Self::new(-1102, format!("Param '{one}' or '{other}' must be sent, but both were empty/null!"))
    }

    /// A number is over its bound.
    pub fn greater_than(name: &str, max: &str) -> Self {
        Self::new(-1102, format!("'{name}' contains unexpected value. Cannot be greater than {max}."))
    }

    /// Parameters were sent that the endpoint does not know.
    pub fn unread_parameters(read: usize, sent: usize) -> Self {
        Self::new(
            -1104,
            format!("Not all sent parameters were read; read '{read}' parameter(s) but was sent '{sent}'."),
        )
    }

    /// An optional parameter has no value.
    pub fn empty(name: &str) -> Self {
        Self::new(-1105, format!("Parameter '{name}' was empty."))
    }

    /// The parameter makes no sense together with the others.
    pub fn not_required(name: &str) -> Self {
        Self::new(-1106, format!("Parameter '{name}' sent when not required."))
    }

    /// The number does not fit.
    pub fn overflow(name: &str) -> Self {
        Self::new(-1108, format!("Parameter '{name}' overflowed."))
    }

    /// More decimals than the asset has.
    pub fn too_precise(name: &str) -> Self {
        Self::new(-1111, format!("Parameter '{name}' has too much precision."))
    }

    /// `timeInForce` is none of those there are.
    pub fn invalid_time_in_force() -> Self {
        Self::new(-1115, "Invalid timeInForce.")
    }

    /// `type` is none of those there are.
    pub fn invalid_order_type() -> Self {
        Self::new(-1116, "Invalid orderType.")
    }

    /// `side` is neither.
    pub fn invalid_side() -> Self {
        Self::new(-1117, "Invalid side.")
    }

    /// `interval` is none of those there are.
    pub fn invalid_interval() -> Self {
        Self::new(-1120, "Invalid interval.")
    }

    /// No such market.
    pub fn invalid_symbol() -> Self {
        Self::new(-1121, "Invalid symbol.")
    }

    /// The time range is too long.
    pub fn more_than_hours(hours: u32) -> Self {
        Self::new(-1127, format!("More than {hours} hours between startTime and endTime."))
    }

    /// Optional parameters that do not go together.
    pub fn bad_combination() -> Self {
        Self::new(-1128, "Combination of optional parameters invalid.")
    }

    /// A message of the WebSocket API is no JSON object with id, method and parameters.
    pub fn invalid_json() -> Self {
        Self::new(-1135, "Invalid JSON Request")
    }

    /// The value is none of those there are.
    pub fn invalid_value(name: &str) -> Self {
        Self::new(-1130, format!("Data sent for parameter '{name}' is not valid."))
    }

    /// As [`Self::invalid_value`], with what would be right.
    pub fn invalid_value_but(name: &str, right: &str) -> Self {
        Self::new(-1130, format!("Data sent for parameter '{name}' is not valid: {right}."))
    }

    /// A rule of the market; `name` as in `exchangeInfo`.
    pub fn filter(name: &str) -> Self {
        Self::new(-1013, format!("Filter failure: {name}"))
    }

    /// Neither open nor remembered.
    pub fn no_such_order() -> Self {
        Self::new(-2013, "Order does not exist.")
    }

    /// There is no API key, or it does not look like one.
    pub fn bad_key_format() -> Self {
        Self::with_status(StatusCode::UNAUTHORIZED, -2014, "API-key format invalid.")
    }

    /// The key is unknown, revoked, or may not do this.
    pub fn rejected_key() -> Self {
        Self::with_status(StatusCode::UNAUTHORIZED, -2015, "Invalid API-key, IP, or permissions for action.")
    }

    /// What goes into the answer.
    pub fn body(&self) -> ErrorBody<'_> {
        ErrorBody { code: self.code, msg: &self.message }
    }
}
