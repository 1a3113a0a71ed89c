//! The document of the traders' API.

use std::sync::LazyLock;

use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::{OperationBuilder, ParameterBuilder, ParameterIn, PathsBuilder};
use utoipa::openapi::response::Response;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder, PathItem, Ref, Required};

use super::{Schemas, answer, any_of, http_method, operation_id, parameters, text, words};
use crate::endpoint::{self, Endpoint, Kind, Parameter, Security, Weight};
use crate::errors::ErrorBody;
use crate::keys::Permissions;
use crate::order_replies::ReplaceFailure;

const ABOUT: &str = "The dialects of Binance, spot (`/api`, `/sapi`) and USD-M futures (`/fapi`): what its documents say of an endpoint holds here.\n\n\
    Parameters stand in the query or in a form body (`application/x-www-form-urlencoded`), on every verb; the query wins. \
    Numbers that are not whole are text, and never rounded: what does not fit a market's tick or step is refused. Times are \
    in milliseconds since 1970, or in microseconds with the header `X-MBX-TIME-UNIT: MICROSECOND`.\n\n\
    A signed request names its API key in the header `X-MBX-APIKEY`, has a `timestamp`, and ends with a `signature` over the \
    bytes of the query string followed by those of the body, without the signature itself.\n\n\
    `x-websocket-method` is what the same is called in the WebSocket API.";

/// As it is served; made once.
pub(crate) fn document() -> &'static [u8] {
    static TEXT: LazyLock<Vec<u8>> = LazyLock::new(|| text(&made()));
    &TEXT
}

fn made() -> OpenApi {
    let mut schemas = Schemas::default();
    let mut paths = PathsBuilder::new();
    for endpoint in endpoint::all() {
        let item = PathItem::new(http_method(&endpoint.verb), operation(endpoint, &mut schemas));
        paths = paths.path(endpoint.path, item);
    }
    let key = ApiKeyValue::with_description("X-MBX-APIKEY", "The name of an API key that may do this.");
    let signature = ApiKeyValue::with_description(
        "signature",
        "Of the query string followed by the form body, both as they are sent, without this parameter: HMAC-SHA256 with the \
         key's secret in hexadecimal digits, or Ed25519 in base64, by the kind of the key.",
    );
    let shared = shared_responses(&mut schemas);
    let components = schemas
        .into_components()
        .responses_from_iter(shared)
        .security_scheme("key", SecurityScheme::ApiKey(ApiKey::Header(key)))
        .security_scheme("signature", SecurityScheme::ApiKey(ApiKey::Query(signature)));
    let info = InfoBuilder::new()
        .title("Rialto for traders")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT));
    OpenApiBuilder::new().info(info).paths(paths).components(Some(components.build())).build()
}

fn operation(endpoint: &Endpoint, schemas: &mut Schemas) -> OperationBuilder {
    let mut operation = OperationBuilder::new()
        .tag(tag(endpoint.security))
        .summary(Some(endpoint.summary))
        .description(Some(in_words(endpoint)))
        .operation_id(Some(operation_id(endpoint.verb.as_str(), endpoint.path)));
    for parameter in endpoint.parameters {
        operation = operation.parameter(parameters::in_query(parameter));
    }
    if let Security::Signed(_) = endpoint.security {
        for parameter in
            [Parameter::required("timestamp", Kind::Time), Parameter::optional("recvWindow", Kind::Whole)]
        {
            operation = operation.parameter(parameters::in_query(&parameter));
        }
        let both = SecurityRequirement::new::<_, _, String>("key", []).add::<_, _, String>("signature", []);
        operation = operation.security(both);
    }
    if let Security::Keyed(_) = endpoint.security {
        operation = operation.security(SecurityRequirement::new::<_, _, String>("key", []));
    }
    operation = operation.parameter(time_unit());
    if let Some(method) = endpoint.method {
        let extensions = ExtensionsBuilder::new().add("x-websocket-method", method);
        operation = operation.extensions(Some(extensions.build()));
    }
    responses(operation, endpoint, schemas)
}

/// Under which heading it stands.
const fn tag(security: Security) -> &'static str {
    match security {
        Security::Public | Security::Anyhow | Security::Keyed(_) => "Markets",
        Security::Signed(Permissions::TRADE) => "Trading",
        Security::Signed(_) => "Account",
    }
}

fn in_words(endpoint: &Endpoint) -> String {
    let weight = match endpoint.weight {
        Weight::Fixed(weight) => weight.to_string(),
        Weight::OneOrAll { one, all } => format!("{one} with symbol, else {all}"),
        Weight::BySymbols { few, many, all } => {
            format!("{few} for up to 20 symbols, {many} for up to 100, else {all}")
        }
        Weight::EachSymbol(weight) => format!("{weight} for each symbol, at most {}", weight * 50),
        Weight::ByLevels => {
            "5 for a limit of up to 100, 25 for up to 500, 50 for up to 1000, else 250".to_owned()
        }
        Weight::Less { parameter, with, without } => format!("{with} with {parameter}, else {without}"),
    };
    let mut sentences = vec![format!("Weight: {weight}.")];
    if let Security::Signed(needed) | Security::Keyed(needed) = endpoint.security {
        let names: Vec<&str> = needed.names().collect();
        sentences.push(format!("The API key needs the permission {}.", names.join(" and ")));
    }
    if endpoint.orders > 0 {
        sentences.push("Counted against the order rate.".to_owned());
    }
    sentences.join(" ")
}

fn time_unit() -> ParameterBuilder {
    ParameterBuilder::new()
        .name("X-MBX-TIME-UNIT")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("In which unit the answer tells times"))
        .schema(Some(words::one_of(&["MILLISECOND", "MICROSECOND", "millisecond", "microsecond"])))
}

/// What every endpoint may answer, whatever was asked.
const ALWAYS: &[(&str, &str, &str)] = &[
    ("408", "BodyTooSlow", "The body did not come in time"),
    ("413", "BodyTooLarge", "The body is too large"),
    ("418", "Banned", "Banned for a while, for going on after 429"),
    ("429", "TooMuch", "Too many requests, or too heavy ones"),
    ("500", "Broken", "Something here is broken"),
    (
        "503",
        "Busy",
        "The exchange has too much to do, or is stopping; with code -1006 the outcome is unknown",
    ),
];
const BAD: (&str, &str, &str) = ("400", "Bad", "The request breaks a rule; code and text say which");
/// What an endpoint may answer besides that wants a signature.
const SIGNED: &[(&str, &str, &str)] = &[
    ("401", "NotAllowed", "The API key is unknown, or may not do this"),
    ("504", "Timeout", "No answer in time: the outcome is unknown"),
];

/// The answers that many endpoints share.
fn shared_responses(schemas: &mut Schemas) -> impl Iterator<Item = (&'static str, Response)> + use<> {
    let error = schemas.of::<ErrorBody<'_>>();
    let all = [&[BAD], ALWAYS, SIGNED].concat();
    all.into_iter().map(move |(status, name, description)| {
        let response = answer(description, error.clone());
        let response = if ["418", "429", "503"].contains(&status) {
            response.header("Retry-After", seconds())
        } else {
            response
        };
        (name, response.build())
    })
}

fn responses(operation: OperationBuilder, endpoint: &Endpoint, schemas: &mut Schemas) -> OperationBuilder {
    let told = (endpoint.response)(schemas);
    let mut operation = operation.response("200", answer("As asked", told));
    for (status, name, _) in ALWAYS {
        operation = operation.response(*status, Ref::from_response_name(*name));
    }
    if let Security::Signed(_) | Security::Keyed(_) = endpoint.security {
        for (status, name, _) in SIGNED {
            operation = operation.response(*status, Ref::from_response_name(*name));
        }
    }
    let (bad, name, description) = BAD;
    if endpoint.path != "/api/v3/order/cancelReplace" {
        return operation.response(bad, Ref::from_response_name(name));
    }
    let (failure, error) = (schemas.of::<ReplaceFailure>(), schemas.of::<ErrorBody<'_>>());
    operation
        .response(bad, answer(description, any_of([failure.clone(), error]).into()))
        .response("409", answer("One half went through, the other did not", failure))
}

fn seconds() -> Header {
    HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0))))
        .description(Some("Seconds after which trying again makes sense"))
        .build()
}
