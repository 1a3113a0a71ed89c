//! What the two APIs are, for programs: `OpenAPI` documents, made from the tables that the routes are made from and from the
//! types that the answers are made of, so that they cannot tell anything else than what happens.

mod admin;
mod parameters;
mod traders;
pub(crate) mod words;

use axum::http::Method;
use utoipa::ToSchema;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::path::HttpMethod;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{AnyOfBuilder, ArrayBuilder, ComponentsBuilder, Object, Schema};
use utoipa::openapi::{OpenApi, Ref, RefOr};

pub(crate) use admin::document as admin;
pub(crate) use traders::document as traders;

/// How the schema of an answer is made: those that it refers to are added to what is known.
pub(crate) type Shape = fn(&mut Schemas) -> RefOr<Schema>;

/// Schemas that have a name and are referred to.
#[derive(Default)]
pub(crate) struct Schemas {
    named: Vec<(String, RefOr<Schema>)>,
}

impl Schemas {
    /// A reference to this type, which is told of here.
    pub(crate) fn of<T: ToSchema>(&mut self) -> RefOr<Schema> {
        self.named.push((T::name().into_owned(), T::schema()));
        T::schemas(&mut self.named);
        reference::<T>()
    }

    /// A list of them.
    pub(crate) fn list_of<T: ToSchema>(&mut self) -> RefOr<Schema> {
        let entry = self.of::<T>();
        ArrayBuilder::new().items(entry).into()
    }

    fn into_components(self) -> ComponentsBuilder {
        let flat = self.named.iter().map(|(name, schema)| (name.clone(), self.flat(schema)));
        ComponentsBuilder::new().schemas_from_iter(flat)
    }

    /// Several structs that are written as one object, one of which allows no other fields, become the schema of one object:
    /// each alone would refuse the fields of the others. Where all of them allow others, they stay apart.
    fn flat(&self, schema: &RefOr<Schema>) -> RefOr<Schema> {
        let RefOr::T(Schema::AllOf(_)) = schema else { return schema.clone() };
        let whole = self.merged(schema);
        if whole.additional_properties.is_some() { Schema::Object(whole).into() } else { schema.clone() }
    }

    /// All fields of a struct and of those that are written as one object with it.
    fn merged(&self, schema: &RefOr<Schema>) -> Object {
        match schema {
            RefOr::Ref(reference) => {
                let name = reference.ref_location.rsplit('/').next().expect("a split has a part");
                let known = self.named.iter().find(|(known, _)| known == name);
                self.merged(&known.expect("what is referred to is known").1)
            }
            RefOr::T(Schema::Object(object)) => object.clone(),
            RefOr::T(Schema::AllOf(parts)) => {
                let mut whole = Object::new();
                for part in parts.items.iter().map(|part| self.merged(part)) {
                    whole.properties.extend(part.properties);
                    whole.required.extend(part.required);
                    whole.additional_properties = part.additional_properties.or(whole.additional_properties);
                }
                whole.description.clone_from(&parts.description);
                whole
            }
            RefOr::T(_) => unreachable!("only structs are written as one"),
        }
    }
}

/// A reference to this type, which is told of elsewhere.
pub(crate) fn reference<T: ToSchema>() -> RefOr<Schema> {
    Ref::from_schema_name(T::name()).into()
}

/// One of these; not `oneOf`, since the short forms of answers are parts of the long ones.
pub(crate) fn any_of<const N: usize>(schemas: [RefOr<Schema>; N]) -> Schema {
    let mut any = AnyOfBuilder::new();
    for schema in schemas {
        any = any.item(schema);
    }
    any.into()
}

/// One of them, or a list of them: by whether one was asked for.
pub(crate) fn one_or_list(one: RefOr<Schema>) -> RefOr<Schema> {
    let list = ArrayBuilder::new().items(one.clone());
    any_of([one, list.into()]).into()
}

/// The schema of an enum that is written as the one of these types that it holds.
macro_rules! any_of_types {
    ($name:ident: $($held:ty),+) => {
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                $crate::openapi::any_of([$($crate::openapi::reference::<$held>()),+]).into()
            }
        }

        impl utoipa::ToSchema for $name {
            fn schemas(schemas: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::schema::Schema>)>) {
                $(
                    schemas.push((<$held as utoipa::ToSchema>::name().into_owned(), <$held as utoipa::PartialSchema>::schema()));
                    <$held as utoipa::ToSchema>::schemas(schemas);
                )+
            }
        }
    };
}
pub(crate) use any_of_types;

/// An answer of JSON.
fn answer(description: &str, schema: RefOr<Schema>) -> ResponseBuilder {
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().description(description).content("application/json", content)
}

/// `GET /api/v3/ticker/24hr` is `getApiV3Ticker24hr`.
fn operation_id(verb: &str, path: &str) -> String {
    let mut id = verb.to_ascii_lowercase();
    for word in path.split(|char: char| !char.is_ascii_alphanumeric()) {
        let mut rest = word.chars();
        id.extend(rest.next().map(|first| first.to_ascii_uppercase()));
        id.push_str(rest.as_str());
    }
    id
}

fn http_method(verb: &Method) -> HttpMethod {
    match verb.as_str() {
        "GET" => HttpMethod::Get,
        "POST" => HttpMethod::Post,
        "PUT" => HttpMethod::Put,
        "DELETE" => HttpMethod::Delete,
        other => unreachable!("no endpoint has the verb {other}"),
    }
}

/// A document as it is served.
fn text(document: &OpenApi) -> Vec<u8> {
    serde_json::to_vec(document).expect("a document is plain structs")
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use serde_json::Value;

    use super::*;
    use crate::admin::TABLE as ROUTES;
    use crate::endpoint::{Security, all};

    /// Everything that is referred to, anywhere below `value`.
    fn references<'v>(value: &'v Value, found: &mut HashSet<&'v str>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value {
                        Value::String(target) if name == "$ref" => {
                            found.insert(target);
                        }
                        _ => references(value, found),
                    }
                }
            }
            Value::Array(entries) => entries.iter().for_each(|entry| references(entry, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// The document refers to what it has, has nothing else, and names no two operations alike.
    fn is_sound(document: &Value) {
        let mut referred = HashSet::new();
        references(document, &mut referred);
        for target in &referred {
            let pointer = target.strip_prefix('#').expect("within the document");
            assert!(document.pointer(pointer).is_some(), "{target} is not there");
        }
        for kind in ["schemas", "responses"] {
            for name in document["components"][kind].as_object().unwrap().keys() {
                let target = format!("#/components/{kind}/{name}");
                assert!(referred.contains(&*target), "{target} is of no use");
            }
        }
        let mut ids = HashSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (verb, operation) in item.as_object().unwrap() {
                assert!(ids.insert(&operation["operationId"]), "{verb} {path} has the name of another");
                assert!(operation["responses"]["400"].is_object(), "{verb} {path}");
            }
        }
    }

    #[test]
    fn the_traders_document_has_every_endpoint_and_nothing_else() {
        let document: Value = serde_json::from_slice(traders()).unwrap();
        assert_eq!(document["openapi"], "3.1.0");
        is_sound(&document);
        let paths = document["paths"].as_object().unwrap();
        let told: usize = paths.values().map(|item| item.as_object().unwrap().len()).sum();
        assert_eq!(told, all().count());
        for endpoint in all() {
            let told = &paths[endpoint.path][endpoint.verb.as_str().to_lowercase()];
            assert_eq!(told["summary"], endpoint.summary);
            assert_eq!(told["x-websocket-method"].as_str(), endpoint.method);
            let is_proved = matches!(endpoint.security, Security::Signed(_) | Security::Keyed(_));
            assert_eq!(told["security"].is_array(), is_proved);
            let parameters = told["parameters"].as_array().unwrap();
            for parameter in endpoint.parameters {
                let told = parameters.iter().find(|told| told["name"] == parameter.name).unwrap();
                assert_eq!(told["required"], parameter.required, "{} {}", endpoint.path, parameter.name);
            }
        }
    }

    #[test]
    fn the_operators_document_has_every_route_and_nothing_else() {
        let document: Value = serde_json::from_slice(admin()).unwrap();
        is_sound(&document);
        let paths = document["paths"].as_object().unwrap();
        let told: usize = paths.values().map(|item| item.as_object().unwrap().len()).sum();
        assert_eq!(told, ROUTES.len());
        for route in ROUTES {
            let told = &paths[route.path][route.verb.as_str().to_lowercase()];
            assert_eq!(told["summary"], route.summary);
        }
        let form = &document["components"]["schemas"]["MarketForm"];
        assert!(
            form["properties"]["tick_size"].is_object() && form["properties"]["max_price"].is_object(),
            "{form}"
        );
        assert_eq!(form["additionalProperties"], false, "{form}");
    }

    #[test]
    fn one_name_is_one_schema() {
        let mut schemas = Schemas::default();
        for endpoint in all() {
            (endpoint.response)(&mut schemas);
        }
        let mut known: HashMap<String, Value> = HashMap::new();
        for (name, schema) in schemas.named {
            let schema = serde_json::to_value(schema).unwrap();
            if let Some(other) = known.insert(name.clone(), schema.clone()) {
                assert_eq!(other, schema, "two types are called {name}");
            }
        }
    }

    #[test]
    fn operations_are_named_after_verb_and_path() {
        assert_eq!(operation_id("GET", "/api/v3/ticker/24hr"), "getApiV3Ticker24hr");
        assert_eq!(operation_id("DELETE", "/admin/v1/keys/{key}"), "deleteAdminV1KeysKey");
        assert_eq!(operation_id("GET", "/sapi/v1/spot/delist-schedule"), "getSapiV1SpotDelistSchedule");
    }
}
