//! What the server itself sends: the messages that a company's webhook is told.

use utoipa::openapi::path::{
    HttpMethod, Operation, OperationBuilder, ParameterBuilder, ParameterIn, PathItem,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{Object, SchemaType, Type};
use utoipa::openapi::{
    ContentBuilder, Paths, PathsBuilder, Ref, RefOr, Required, Response, Schema,
};

/// Each message: its name, its schema, its tag, and when it is sent.
const MESSAGES: [(&str, &str, &str, &str); 3] = [
    (
        "customer",
        "CustomerEvent",
        "Customers",
        "A customer has proven everything",
    ),
    (
        "order",
        "OrderEvent",
        "Orders",
        "An order has come to stand elsewhere",
    ),
    (
        "number",
        "NumberEvent",
        "Numbers",
        "A number verification has ended",
    ),
];

/// The headers of Standard Webhooks.
const HEADERS: [(&str, &str); 3] = [
    (
        "webhook-id",
        "The message's name; the same in every attempt.",
    ),
    (
        "webhook-timestamp",
        "When this attempt was made, in seconds since the beginning of 1970, UTC.",
    ),
    (
        "webhook-signature",
        "`v1,` and the signature; several, separated by spaces, while a secret is rotated.",
    ),
];

/// All messages.
pub fn all() -> Paths {
    let mut paths = PathsBuilder::new();
    for (name, schema, tag, summary) in MESSAGES {
        let item = PathItem::new(HttpMethod::Post, message(name, schema, tag, summary));
        paths = paths.path(name, item);
    }
    paths.build()
}

fn message(name: &str, schema: &str, tag: &str, summary: &str) -> Operation {
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(schema)))
        .build();
    let body = RequestBodyBuilder::new()
        .content("application/json", content)
        .required(Some(Required::True))
        .build();
    let mut operation = OperationBuilder::new()
        .operation_id(Some(format!("{name}_event")))
        .tag(tag)
        .summary(Some(summary))
        .description(Some(
            "Signed as Standard Webhooks says, and tried again until it is received.",
        ))
        .request_body(Some(body))
        .response("2XX", Response::new("It was received"))
        .response("410", Response::new("No more messages are wanted"))
        .build();
    operation.security = Some(Vec::new());
    operation.parameters = Some(HEADERS.map(|(name, means)| header(name, means)).to_vec());
    operation
}

fn header(name: &str, means: &str) -> RefOr<utoipa::openapi::path::Parameter> {
    let text = Schema::Object(Object::with_type(SchemaType::new(Type::String)));
    let header = ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::True)
        .description(Some(means))
        .schema(Some(RefOr::T(text)));
    RefOr::T(header.build())
}
