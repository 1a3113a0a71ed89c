//! The parameters of a request, from query and form body alike, and the codes for those that are missing, empty, unknown,
//! sent twice, or not what they should be. Content types and verbs decide nothing here: real clients disagree about them.
//! Sources: rest-api.md "General Information on Endpoints", errors.md (11xx).

use std::borrow::Cow;

use model::TimeNs;

use crate::errors::{self, ApiError};

/// What every signed request has besides its own parameters; read by whoever checks the signature.
const OF_SIGNING: [&str; 3] = ["timestamp", "recvWindow", "signature"];
/// More than any endpoint knows: what a hostile request can make us look at.
const MAX_PARAMETERS: usize = 64;

/// What a parameter is called, whatever else is known of it.
pub trait Named {
    /// Its name.
    fn name(&self) -> &str;
}

impl Named for &str {
    fn name(&self) -> &str {
        self
    }
}

struct Param<'r> {
    name: Cow<'r, str>,
    value: Cow<'r, str>,
    from_query: bool,
}

/// The parameters of one request, borrowed from its bytes wherever nothing is escaped.
pub struct Params<'r> {
    params: Vec<Param<'r>>,
}

impl<'r> Params<'r> {
    /// Splits query and body. A name in both counts once, with the query's value; a name twice in one of them is refused.
    pub fn parse(query: &'r [u8], body: &'r [u8]) -> Result<Self, ApiError> {
        let mut parsed = Self { params: Vec::with_capacity(12) };
        parsed.add(query, true)?;
        parsed.add(body, false)?;
        Ok(parsed)
    }

    /// Parameters that came one by one, each name once.
    pub fn of_pairs(pairs: impl Iterator<Item = (&'r str, &'r str)>) -> Result<Self, ApiError> {
        let mut params = Vec::with_capacity(12);
        for (name, value) in pairs {
            if params.len() == MAX_PARAMETERS {
                return Err(ApiError::too_many_parameters(MAX_PARAMETERS, MAX_PARAMETERS + 1));
            }
            params.push(Param { name: Cow::Borrowed(name), value: Cow::Borrowed(value), from_query: true });
        }
        Ok(Self { params })
    }

    fn add(&mut self, source: &'r [u8], from_query: bool) -> Result<(), ApiError> {
        for pair in source.split(|byte| *byte == b'&') {
            if pair.is_empty() {
                continue;
            }
            let (name, value) = match pair.iter().position(|byte| *byte == b'=') {
                Some(at) => (&pair[..at], &pair[at + 1..]),
                None => (pair, &pair[pair.len()..]),
            };
            let (name, value) = (decode(name)?, decode(value)?);
            match self.params.iter().find(|param| param.name == name) {
                Some(other) if other.from_query == from_query => return Err(ApiError::duplicate_parameter()),
                // The query has it already, and wins.
                Some(_) => {}
                None if self.params.len() == MAX_PARAMETERS => {
                    return Err(ApiError::too_many_parameters(MAX_PARAMETERS, MAX_PARAMETERS + 1));
                }
                None => self.params.push(Param { name, value, from_query }),
            }
        }
        Ok(())
    }

    /// Refuses every parameter but those `known` to a public endpoint.
    pub fn allow<N: Named>(&self, known: &[N]) -> Result<(), ApiError> {
        self.allow_besides(known, &[])
    }

    /// Refuses every parameter but those `known` to a signed endpoint and those that all signed requests have.
    pub fn allow_signed<N: Named>(&self, known: &[N]) -> Result<(), ApiError> {
        self.allow_besides(known, &OF_SIGNING)
    }

    fn allow_besides<N: Named>(&self, known: &[N], always: &[&str]) -> Result<(), ApiError> {
        let is_known = |param: &&Param<'_>| {
            known.iter().any(|known| known.name() == param.name) || always.contains(&&*param.name)
        };
        let sent = self.params.len();
        let read = self.params.iter().filter(is_known).count();
        if read == sent {
            return Ok(());
        }
        let most = known.len() + always.len();
        if sent > most {
            return Err(ApiError::too_many_parameters(most, sent));
        }
        Err(ApiError::unread_parameters(read, sent))
    }

    /// The value as it was sent, which may be empty; `None` when it was not.
    pub fn sent(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|param| param.name == name).map(|param| &*param.value)
    }

    /// The value of a parameter that may be left out, but not empty.
    pub fn optional(&self, name: &str) -> Result<Option<&str>, ApiError> {
        match self.sent(name) {
            Some("") => Err(ApiError::empty(name)),
            value => Ok(value),
        }
    }

    /// The value of a parameter that must be there.
    pub fn required(&self, name: &str) -> Result<&str, ApiError> {
        match self.sent(name) {
            None | Some("") => Err(ApiError::mandatory(name)),
            Some(value) => Ok(value),
        }
    }

    /// A whole number that may be left out.
    pub fn optional_number(&self, name: &str) -> Result<Option<u64>, ApiError> {
        self.optional(name)?.map(|text| number(name, text)).transpose()
    }

    /// A whole number that must be there.
    pub fn required_number(&self, name: &str) -> Result<u64, ApiError> {
        number(name, self.required(name)?)
    }

    /// `limit`: `default` when it is left out; what is over `max` counts as `max`.
    pub fn limit(&self, default: usize, max: usize) -> Result<usize, ApiError> {
        match self.optional_number("limit")? {
            None => Ok(default.min(max)),
            Some(0) => Err(ApiError::invalid_value("limit")),
            Some(limit) => Ok(usize::try_from(limit).map_or(max, |limit| limit.min(max))),
        }
    }

    /// The first moment of a milli- or microsecond: where a range of times begins.
    pub fn optional_start(&self, name: &str) -> Result<Option<TimeNs>, ApiError> {
        Ok(self.optional_number(name)?.map(|value| TimeNs(micros(value).saturating_mul(1_000))))
    }

    /// The last moment of a milli- or microsecond: where a range of times ends, itself included.
    pub fn optional_end(&self, name: &str) -> Result<Option<TimeNs>, ApiError> {
        Ok(self.optional_number(name)?.map(|value| {
            let unit_ns = if is_millis(value) { 1_000_000 } else { 1_000 };
            TimeNs(value.saturating_mul(unit_ns).saturating_add(unit_ns - 1))
        }))
    }

    /// `true` or `false`; false when it is left out.
    pub fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.optional(name)? {
            None => Ok(false),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(_) => Err(ApiError::invalid_value(name)),
        }
    }

    /// A list of names, either `["A","B"]` or one bare name.
    pub fn list(&self, name: &str) -> Result<Option<Vec<String>>, ApiError> {
        let Some(text) = self.optional(name)? else { return Ok(None) };
        let names = if text.starts_with('[') {
            serde_json::from_str::<Vec<String>>(text).map_err(|_| ApiError::mandatory(name))?
        } else {
            vec![text.to_owned()]
        };
        if names.is_empty() {
            return Err(ApiError::mandatory(name));
        }
        Ok(Some(names))
    }
}

/// Times come in milliseconds or microseconds since 1970; as milliseconds, 10^14 is the year 5138.
const fn is_millis(time: u64) -> bool {
    time < 100_000_000_000_000
}

/// Milliseconds or microseconds since 1970, whichever it must be, as microseconds.
pub const fn micros(time: u64) -> u64 {
    if is_millis(time) { time * 1_000 } else { time }
}

fn number(name: &str, text: &str) -> Result<u64, ApiError> {
    if text.len() > 20 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ApiError::illegal_characters(name, errors::WHOLE_NUMBER_RANGE));
    }
    text.parse().map_err(|_| ApiError::overflow(name))
}

/// Undoes `%41` and `+`.
fn decode(raw: &[u8]) -> Result<Cow<'_, str>, ApiError> {
    let text = if raw.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        let mut decoded = Vec::with_capacity(raw.len());
        let mut rest = raw;
        while let [byte, tail @ ..] = rest {
            rest = tail;
            match byte {
                b'+' => decoded.push(b' '),
                b'%' => {
                    let [high, low, tail @ ..] = rest else { return Err(ApiError::illegal_encoding()) };
                    rest = tail;
                    let digit = |byte: u8| char::from(byte).to_digit(16);
                    let (Some(high), Some(low)) = (digit(*high), digit(*low)) else {
                        return Err(ApiError::illegal_encoding());
                    };
                    decoded.push(u8::try_from(high * 16 + low).expect("two hexadecimal digits are a byte"));
                }
                byte => decoded.push(*byte),
            }
        }
        Cow::Owned(String::from_utf8(decoded).map_err(|_| ApiError::illegal_encoding())?)
    } else {
        Cow::Borrowed(std::str::from_utf8(raw).map_err(|_| ApiError::illegal_encoding())?)
    };
    if text.bytes().any(|byte| byte == 0) { Err(ApiError::illegal_encoding()) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params<'r>(query: &'r str, body: &'r str) -> Result<Params<'r>, ApiError> {
        Params::parse(query.as_bytes(), body.as_bytes())
    }

    fn code<T>(result: Result<T, ApiError>) -> Option<i32> {
        result.err().map(|error| error.code)
    }

    #[test]
    fn query_and_body_are_one_and_the_query_wins() {
        let params = params("symbol=A&side=BUY", "symbol=B&price=1").unwrap();
        assert_eq!(params.sent("symbol"), Some("A"));
        assert_eq!(params.sent("side"), Some("BUY"));
        assert_eq!(params.sent("price"), Some("1"));
        assert_eq!(params.sent("quantity"), None);
        assert!(params.allow(&(["symbol", "side", "price"])).is_ok());
    }

    #[test]
    fn escapes_are_undone() {
        let params = params("symbols=%5B%22BTCUSDT%22%2C%22ETHBTC%22%5D&a+b=%E2%82%AC+1", "").unwrap();
        assert_eq!(params.list("symbols").unwrap().unwrap(), ["BTCUSDT", "ETHBTC"]);
        assert_eq!(params.sent("a b"), Some("\u{20ac} 1"));
        for broken in ["a=%", "a=%4", "a=%zz", "a=%ff", "a=%00"] {
            assert_eq!(code(super::Params::parse(broken.as_bytes(), b"")), Some(-1100), "{broken}");
        }
    }

    #[test]
    fn missing_empty_twice_unknown_and_too_many_have_their_codes() {
        assert_eq!(code(params("a=1&a=2", "")), Some(-1101));
        assert_eq!(code(params("", "a=1&a=1")), Some(-1101));
        let sent = params("symbol=&limit=", "").unwrap();
        assert_eq!(code(sent.required("symbol")), Some(-1102));
        assert_eq!(code(sent.required("side")), Some(-1102));
        assert_eq!(code(sent.optional("limit")), Some(-1105));
        assert_eq!(sent.optional("side"), Ok(None));

        let extra = params("symbol=A&foo=1", "").unwrap();
        let error = extra.allow(&(["symbol", "limit"])).unwrap_err();
        assert_eq!(error.code, -1104);
        assert_eq!(
            error.message,
            "Not all sent parameters were read; read '1' parameter(s) but was sent '2'."
        );
        let error = extra.allow::<&str>(&[]).unwrap_err();
        assert_eq!(
            (error.code, &*error.message),
            (-1101, "Too many parameters; expected '0' and received '2'.")
        );
        assert!(
            params("timestamp=1&recvWindow=2&signature=3", "").unwrap().allow_signed::<&str>(&[]).is_ok()
        );

        let flood: String = (0..100).map(|at| format!("p{at}=1")).collect::<Vec<_>>().join("&");
        assert_eq!(code(params(&flood, "")), Some(-1101));
    }

    #[test]
    fn numbers_are_digits_that_fit() {
        let sent = params("a=12&b=-1&c=1.5&d=99999999999999999999&e=x&limit=0", "").unwrap();
        assert_eq!(sent.required_number("a"), Ok(12));
        for name in ["b", "c", "e"] {
            assert_eq!(code(sent.required_number(name)), Some(-1100), "{name}");
        }
        assert_eq!(code(sent.required_number("d")), Some(-1108));
        assert_eq!(code(sent.limit(500, 1_000)), Some(-1130));
        assert_eq!(params("limit=5000", "").unwrap().limit(500, 1_000), Ok(1_000));
        assert_eq!(params("", "").unwrap().limit(500, 1_000), Ok(500));
    }

    #[test]
    fn times_are_milliseconds_or_microseconds() {
        assert_eq!(micros(1_700_000_000_000), 1_700_000_000_000_000);
        assert_eq!(micros(1_700_000_000_000_123), 1_700_000_000_000_123);
        let sent = params("startTime=1700000000000&endTime=1700000000000123", "").unwrap();
        assert_eq!(sent.optional_start("startTime"), Ok(Some(TimeNs(1_700_000_000_000_000_000))));
        assert_eq!(sent.optional_end("startTime"), Ok(Some(TimeNs(1_700_000_000_000_999_999))));
        assert_eq!(sent.optional_start("endTime"), Ok(Some(TimeNs(1_700_000_000_000_123_000))));
        assert_eq!(sent.optional_end("endTime"), Ok(Some(TimeNs(1_700_000_000_000_123_999))));
    }
}
