//! Adds to each operation what its kind implies: headers, and failures by status.

use std::collections::BTreeMap;

use app::Code;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{
    Components, Header, OpenApi, Ref, RefOr, Required, Response, Schema, schema::Object,
    schema::SchemaType, schema::Type,
};

use super::{examples, failures, note_codes, noted_codes, operations, webhooks};
use crate::http::conventions::surface::Surface;

/// The document of all routes, complete.
pub fn complete(mut document: OpenApi) -> OpenApi {
    let mut components = document.components.take().unwrap_or_default();
    for (name, header) in failures::all_headers() {
        components.headers.insert(name.into(), header.into());
    }
    components
        .parameters
        .insert("X-Request-Id".into(), request_id().into());
    for (path, item) in &mut document.paths.paths {
        let surface = Surface::of(path);
        for operation in operations(item) {
            finish(operation, surface, &mut components);
        }
    }
    examples::put_right(&mut components);
    document.components = Some(components);
    document.webhooks = Some(webhooks::all());
    document
}

fn finish(operation: &mut Operation, surface: Surface, components: &mut Components) {
    let codes = codes(operation, surface);
    let responses = &mut operation.responses.responses;
    // A 429 of its own is about a rule of its own, which has no limit's headers.
    let own_limit = responses.contains_key(&Code::RateLimited.status().to_string());
    let limited = codes.contains(&Code::RateLimited) && !own_limit;
    for response in responses.values_mut() {
        if let RefOr::T(response) = response {
            describe_headers(response, limited);
        }
    }
    for (status, codes) in by_status(&codes) {
        if let Some(RefOr::T(own)) = responses.get_mut(&status.to_string()) {
            failures::add_examples(own, surface, &codes);
            continue;
        }
        let name = failures::name(surface, &codes);
        let reference = Ref::from_response_name(&name).into();
        responses.insert(status.to_string(), reference);
        components
            .responses
            .entry(name)
            .or_insert_with(|| failures::response(surface, &codes).into());
    }
    note_codes(operation, codes.iter());
    // Nothing is asked of callers, which is said too.
    operation.security.get_or_insert_default();
    operation
        .parameters
        .get_or_insert_with(Vec::new)
        .push(RefOr::Ref(Ref::new("#/components/parameters/X-Request-Id")));
}

/// Everything that an operation may fail with.
fn codes(operation: &Operation, surface: Surface) -> Vec<Code> {
    let mut codes = noted_codes(operation);
    codes.push(Code::Internal);
    if surface.is_audited() {
        codes.extend([Code::HttpsRequired, Code::Timeout, Code::Unavailable]);
    }
    if operation.security.is_some() {
        codes.extend([Code::Unauthenticated, Code::Forbidden]);
    }
    if operation.request_body.is_some() {
        codes.extend([
            Code::InvalidRequest,
            Code::PayloadTooLarge,
            Code::UnsupportedMediaType,
        ]);
    }
    for parameter in parameters(operation) {
        match parameter.parameter_in {
            ParameterIn::Path => codes.push(Code::NotFound),
            ParameterIn::Query => codes.push(Code::InvalidRequest),
            ParameterIn::Header if parameter.name == "Idempotency-Key" => codes.extend([
                Code::InvalidRequest,
                Code::IdempotencyInProgress,
                Code::IdempotencyKeyReused,
            ]),
            _ => {}
        }
    }
    Code::ALL
        .iter()
        .filter(|code| codes.contains(code))
        .copied()
        .collect()
}

fn parameters(operation: &Operation) -> impl Iterator<Item = &Parameter> {
    operation
        .parameters
        .iter()
        .flatten()
        .filter_map(|parameter| match parameter {
            RefOr::T(parameter) => Some(parameter),
            RefOr::Ref(_) => None,
        })
}

fn by_status(codes: &[Code]) -> BTreeMap<u16, Vec<Code>> {
    let mut statuses = BTreeMap::<u16, Vec<Code>>::new();
    for code in codes {
        statuses.entry(code.status()).or_default().push(*code);
    }
    statuses
}

fn describe_headers(response: &mut Response, limited: bool) {
    let limits = ["RateLimit", "RateLimit-Policy"];
    let names = std::iter::once("X-Request-Id").chain(limits.into_iter().filter(|_| limited));
    for name in names {
        response.headers.insert(name.into(), header(name));
    }
}

/// A reference to a described header.
pub fn header(name: &str) -> RefOr<Header> {
    RefOr::Ref(Ref::new(format!("#/components/headers/{name}")))
}

fn request_id() -> Parameter {
    let text = Object::with_type(SchemaType::new(Type::String));
    ParameterBuilder::new()
        .name("X-Request-Id")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "An id of your own for this request: it is on the answer, in the log and in the audit \
             record. What is not 1 to 128 of `A-Z`, `a-z`, `0-9`, `.`, `_` and `-` is passed over, \
             and the server makes one.",
        ))
        .schema(Some(RefOr::T(Schema::Object(text))))
        .build()
}
