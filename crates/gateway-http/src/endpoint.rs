//! What can be asked, whichever way it comes: the one [`TABLE`] has every endpoint's REST path and WebSocket method, who may
//! ask, what it weighs, its parameters, and the handler. REST, the WebSocket API and the `OpenAPI` document are made from it, so
//! that they cannot differ. How a question arrives, and how it is signed there, is the matter of [`crate::server`] and
//! [`crate::ws_api`].

mod futures;
mod table;

use std::net::IpAddr;
use std::pin::Pin;

use axum::http::Method;

pub(crate) use futures::{CONTRACT_ORDER, MODIFICATION, futures};
pub(crate) use table::TABLE;

use crate::errors::ApiError;
use crate::gateway::{Gateway, Json, TimeUnit, now_ns};
use crate::keys::Permissions;
use crate::openapi::Shape;
use crate::params::{Named, Params};
use crate::signature::Caller;

/// A question as the handlers see it: signed and in time, if it has to be, with no parameter that is not known.
pub(crate) struct Ask<'r> {
    pub(crate) params: Params<'r>,
    /// In which unit the answer tells times.
    pub(crate) unit: TimeUnit,
    caller: Option<Caller>,
}

impl Ask<'_> {
    /// Who asks.
    pub(crate) fn caller(&self) -> Caller {
        self.caller.expect("a handler that wants a caller stands in the table as signed")
    }
}

/// Every endpoint there is.
pub(crate) fn all() -> impl Iterator<Item = &'static Endpoint> {
    TABLE.iter().chain(futures())
}

/// What a handler promises.
pub(crate) type Answer<'a> = Pin<Box<dyn Future<Output = Result<Json, ApiError>> + Send + 'a>>;

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Security {
    /// Everybody.
    Public,
    /// Everybody, with whatever parameters: some clients sign it, some do not, and there is nothing to protect.
    Anyhow,
    /// Who names a key that has these permissions, with whatever parameters; nothing is signed.
    Keyed(Permissions),
    /// Who signs with a key that has these permissions.
    Signed(Permissions),
}

/// What a question counts against the request weight of its sender. Source: rest-api.md, "Weight" of each endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    /// Always the same.
    Fixed(u32),
    /// Less with `symbol` than for all markets.
    OneOrAll { one: u32, all: u32 },
    /// By the number of `symbols`: at most 20, at most 100, more or all.
    BySymbols { few: u32, many: u32, all: u32 },
    /// So much for each of `symbols`, at most fifty times that.
    EachSymbol(u32),
    /// By `limit`: the levels of a book.
    ByLevels,
    /// Less with `parameter` than without.
    Less { parameter: &'static str, with: u32, without: u32 },
}

impl Weight {
    /// What these parameters weigh. Those that make no sense weigh as if they were not there; they are refused later.
    pub(crate) fn of(self, params: &Params<'_>) -> u32 {
        let one = params.sent("symbol").is_some();
        let listed = || params.list("symbols").ok().flatten().map(|symbols| symbols.len());
        match self {
            Self::Fixed(weight) => weight,
            Self::OneOrAll { one: weight, .. } if one => weight,
            Self::OneOrAll { all, .. } => all,
            Self::BySymbols { few, .. } if one => few,
            Self::BySymbols { few, many, all } => match listed() {
                Some(..=20) => few,
                Some(21..=100) => many,
                Some(_) | None => all,
            },
            Self::EachSymbol(weight) if one => weight,
            Self::EachSymbol(weight) => {
                weight * u32::try_from(listed().unwrap_or(1).min(50)).expect("at most 50")
            }
            Self::ByLevels => match params.optional_number("limit").ok().flatten().unwrap_or(100) {
                ..=100 => 5,
                101..=500 => 25,
                501..=1_000 => 50,
                1_001.. => 250,
            },
            Self::Less { parameter, with, .. } if params.sent(parameter).is_some() => with,
            Self::Less { without, .. } => without,
        }
    }
}

/// What a parameter's value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A market's name.
    Symbol,
    /// A list of names: `["A","B"]`, or one bare name.
    Names,
    /// A client order id.
    Name,
    /// Any text.
    Text,
    /// A decimal number.
    Decimal,
    /// A whole number.
    Whole,
    /// A time in milliseconds or microseconds since 1970.
    Time,
    /// `true` or `false`.
    Flag,
    /// One of these.
    OneOf(&'static [&'static str]),
}

/// One parameter of an endpoint.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// False also for what is needed only together with others.
    pub(crate) required: bool,
}

impl Named for Parameter {
    fn name(&self) -> &str {
        self.name
    }
}

impl Parameter {
    pub(crate) const fn required(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, required: true }
    }

    pub(crate) const fn optional(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, required: false }
    }
}

/// Something that can be asked.
pub(crate) struct Endpoint {
    pub(crate) verb: Method,
    pub(crate) path: &'static str,
    /// Its name in the WebSocket API; `None` where there is none.
    pub(crate) method: Option<&'static str>,
    /// One line for people.
    pub(crate) summary: &'static str,
    pub(crate) security: Security,
    pub(crate) weight: Weight,
    /// How many orders it places, to be counted against the order rate.
    pub(crate) orders: u32,
    /// Besides those that every signed request has.
    pub(crate) parameters: &'static [Parameter],
    /// What the answer looks like.
    pub(crate) response: Shape,
    pub(crate) handler: for<'a> fn(&'a Gateway, &'a Ask<'a>) -> Answer<'a>,
}

impl Endpoint {
    /// Answers a question that came with `params` from `address`, as far as the limits allow it. `prove` tells who asks, and is
    /// called where somebody has to be.
    pub(crate) async fn answer(
        &self,
        gateway: &Gateway,
        address: IpAddr,
        params: Params<'_>,
        unit: Result<TimeUnit, ApiError>,
        prove: impl FnOnce(&Params<'_>, Security) -> Result<Caller, ApiError>,
    ) -> Result<Json, ApiError> {
        gateway.limited(gateway.limits.weigh(address, self.weight.of(&params), now_ns()))?;
        let caller = match self.security {
            Security::Public => {
                params.allow(self.parameters)?;
                None
            }
            Security::Anyhow => None,
            // Clients send more than is asked for; nothing is done with it.
            Security::Keyed(_) => Some(prove(&params, self.security)?),
            Security::Signed(_) => {
                let caller = prove(&params, self.security)?;
                params.allow_signed(self.parameters)?;
                if self.orders > 0 {
                    gateway.limited(gateway.limits.place(caller.account, address, self.orders, now_ns()))?;
                }
                Some(caller)
            }
        };
        let ask = Ask { params, unit: unit?, caller };
        (self.handler)(gateway, &ask).await
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn nothing_stands_in_the_table_twice() {
        let (mut paths, mut methods) = (HashSet::new(), HashSet::new());
        for endpoint in all() {
            assert!(paths.insert((&endpoint.verb, endpoint.path)), "{} {}", endpoint.verb, endpoint.path);
            if let Some(method) = endpoint.method {
                // The WebSocket API of futures has names of its own.
                assert!(methods.insert((endpoint.path.starts_with("/fapi"), method)), "{method}");
            }
            let mut names = HashSet::new();
            for parameter in endpoint.parameters {
                assert!(names.insert(parameter.name), "{}: {}", endpoint.path, parameter.name);
            }
        }
    }

    #[test]
    fn a_question_weighs_what_the_documents_say() {
        let weight = |path: &str, query: &str| {
            let params = Params::parse(query.as_bytes(), b"").unwrap();
            TABLE.iter().find(|endpoint| endpoint.path == path).unwrap().weight.of(&params)
        };
        assert_eq!(weight("/api/v3/ping", ""), 1);
        for (limit, expected) in [("", 5), ("limit=100", 5), ("limit=101", 25), ("limit=500", 25)] {
            assert_eq!(weight("/api/v3/depth", limit), expected, "{limit}");
        }
        for (limit, expected) in [("limit=1000", 50), ("limit=5000", 250), ("limit=x", 5)] {
            assert_eq!(weight("/api/v3/depth", limit), expected, "{limit}");
        }
        assert_eq!(weight("/api/v3/ticker/24hr", "symbol=A"), 2);
        assert_eq!(weight("/api/v3/ticker/24hr", "symbols=[\"A\",\"B\"]"), 2);
        let names: Vec<String> = (0..101).map(|at| format!("\"M{at}\"")).collect();
        assert_eq!(weight("/api/v3/ticker/24hr", &format!("symbols=[{}]", names[..21].join(","))), 40);
        assert_eq!(weight("/api/v3/ticker/24hr", &format!("symbols=[{}]", names.join(","))), 80);
        assert_eq!(weight("/api/v3/ticker/24hr", ""), 80);
        assert_eq!(weight("/api/v3/ticker", "symbols=[\"A\",\"B\",\"C\"]"), 12);
        assert_eq!(weight("/api/v3/ticker", &format!("symbols=[{}]", names.join(","))), 200);
        assert_eq!(weight("/api/v3/ticker/price", "symbol=A"), 2);
        assert_eq!(weight("/api/v3/ticker/price", ""), 4);
        assert_eq!(weight("/api/v3/openOrders", "symbol=A"), 6);
        assert_eq!(weight("/api/v3/openOrders", ""), 80);
        assert_eq!(weight("/api/v3/myTrades", "symbol=A&orderId=1"), 5);
        assert_eq!(weight("/api/v3/myTrades", "symbol=A"), 20);
    }
}
