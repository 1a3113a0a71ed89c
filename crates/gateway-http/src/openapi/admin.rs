//! The document of the operator's API.

use std::sync::LazyLock;

use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::path::{OperationBuilder, ParameterBuilder, ParameterIn, PathsBuilder};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder, PathItem, Ref, Required};

use super::{Schemas, Shape, answer, http_method, operation_id, parameters, text};
use crate::admin::{AdminErrorBody, Body, Route, Success, TABLE};

const ABOUT: &str = "The operator's side of the exchange, on a listener of its own: accounts, API keys, money in and out, \
    assets and markets, and whether it all adds up. JSON in, JSON out; amounts and prices are decimal text, never rounded; \
    times are in milliseconds since 1970.";

/// As it is served; made once.
pub(crate) fn document() -> &'static [u8] {
    static TEXT: LazyLock<Vec<u8>> = LazyLock::new(|| text(&made()));
    &TEXT
}

fn made() -> OpenApi {
    let mut schemas = Schemas::default();
    let mut paths = PathsBuilder::new();
    for route in TABLE {
        let item = PathItem::new(http_method(&route.verb), operation(route, &mut schemas));
        paths = paths.path(route.path, item);
    }
    let error = schemas.of::<AdminErrorBody<'_>>();
    let shared =
        ERRORS.iter().map(|(_, name, description)| (*name, answer(description, error.clone()).build()));
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("The operator's token, from the file admin.token in the data folder."));
    let components = schemas
        .into_components()
        .responses_from_iter(shared)
        .security_scheme("token", SecurityScheme::Http(token.build()));
    let info = InfoBuilder::new()
        .title("Rialto for its operator")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT));
    OpenApiBuilder::new().info(info).paths(paths).components(Some(components.build())).build()
}

/// What every route may answer instead of what was asked for.
const ERRORS: &[(&str, &str, &str)] = &[
    ("400", "Bad", "The request breaks a rule; the text says which"),
    ("401", "TokenNeeded", "The operator's token is missing or wrong"),
    ("404", "NotThere", "What the request is about does not exist"),
    ("408", "BodyTooSlow", "The body did not come in time"),
    ("409", "Conflict", "Nothing is wrong with the request, but it does not fit what is there"),
    ("413", "BodyTooLarge", "The body is too large"),
    ("500", "Broken", "Something here is broken"),
    ("503", "Busy", "The exchange has too much to do, or is stopping"),
    ("504", "Timeout", "No answer in time: the outcome is unknown"),
];

fn operation(route: &Route, schemas: &mut Schemas) -> OperationBuilder {
    let mut operation = OperationBuilder::new()
        .summary(Some(route.summary))
        .operation_id(Some(operation_id(route.verb.as_str(), route.path)))
        .security(SecurityRequirement::new::<_, _, String>("token", []));
    for name in route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
        operation = operation.parameter(in_path(name));
    }
    for parameter in route.parameters {
        operation = operation.parameter(parameters::in_query(parameter));
    }
    operation = operation.request_body(match route.body {
        Body::None => None,
        Body::Optional(shape) => Some(body(shape, Required::False, schemas)),
        Body::Required(shape) => Some(body(shape, Required::True, schemas)),
    });
    let (status, description) = match route.success {
        Success::Done => ("200", "As asked"),
        Success::Created => ("201", "It is there"),
    };
    operation = operation.response(status, answer(description, (route.response)(schemas)));
    for (status, name, _) in ERRORS {
        operation = operation.response(*status, Ref::from_response_name(*name));
    }
    operation
}

/// A part of the path: accounts and withdrawals have numbers, all else has names.
fn in_path(name: &str) -> ParameterBuilder {
    let schema = match name {
        "account" | "withdrawal" => ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)),
        _ => ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)),
    };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .schema(Some(schema))
}

fn body(shape: Shape, required: Required, schemas: &mut Schemas) -> RequestBody {
    let content = ContentBuilder::new().schema(Some(shape(schemas))).build();
    RequestBodyBuilder::new().content("application/json", content).required(Some(required)).build()
}
