//! An answer of the WebSocket API, as text. Source: web-socket-api.md "Response format".

use axum::http::StatusCode;

use crate::errors::ApiError;
use crate::gateway::Json;
use crate::limits::RateLimit;

/// `{"id":..,"status":..,"result":..}`, or with `error` in place of the result; `rate_limits` where they are told.
pub(super) fn text(id: &str, outcome: Result<Json, ApiError>, rate_limits: Option<&[RateLimit]>) -> String {
    let Json { status, text: body } = outcome.unwrap_or_else(|error| Json::of_error(&error));
    let body = String::from_utf8(body).expect("JSON is text");
    let what = if status == StatusCode::OK { "result" } else { "error" };
    let mut text =
        String::with_capacity(body.len() + id.len() + if rate_limits.is_some() { 384 } else { 64 });
    text.push_str("{\"id\":");
    text.push_str(id);
    text.push_str(",\"status\":");
    text.push_str(status.as_str());
    text.push_str(",\"");
    text.push_str(what);
    text.push_str("\":");
    text.push_str(&body);
    if let Some(rate_limits) = rate_limits {
        text.push_str(",\"rateLimits\":");
        text.push_str(&serde_json::to_string(rate_limits).expect("wire types are plain structs"));
    }
    text.push('}');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_have_the_documented_form() {
        let fine = Json::ok(&serde_json::Map::new());
        assert_eq!(
            text("\"a\"", Ok(fine), Some(&[])),
            r#"{"id":"a","status":200,"result":{},"rateLimits":[]}"#
        );
        assert_eq!(
            text("1", Err(ApiError::invalid_symbol()), None),
            r#"{"id":1,"status":400,"error":{"code":-1121,"msg":"Invalid symbol."}}"#
        );
    }
}
