//! The failures of the document: one shared response for each status and set of
//! words, with an example of each word.

use app::{Code, Error, FieldProblem};
use serde_json::Value;
use utoipa::openapi::example::Example;
use utoipa::openapi::{Content, Header, Ref, RefOr, Response};

use super::complete::header;
use crate::http::conventions::surface::Surface;

/// A request id for examples.
const REQUEST_ID: &str = "0192f3a1-7c44-7d10-9b5e-3f8a2c6d1e07";

const JSON: &str = "application/json";

/// The name of the response shared by all operations of a surface that fail with
/// these codes under one status.
pub fn name(surface: Surface, codes: &[Code]) -> String {
    let words: Vec<_> = codes.iter().map(|code| pascal(code.as_str())).collect();
    let prefix = match surface {
        Surface::Tokens => "Token",
        Surface::Ages => "Age",
        Surface::Numbers => "Number",
        Surface::Customers | Surface::Pages | Surface::Console | Surface::Public => "",
    };
    format!("{prefix}{}", words.join("Or"))
}

fn pascal(word: &str) -> String {
    let mut pascal = String::with_capacity(word.len());
    for part in word.split('_') {
        let mut letters = part.chars();
        pascal.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        pascal.push_str(letters.as_str());
    }
    pascal
}

/// The response itself.
pub fn response(surface: Surface, codes: &[Code]) -> Response {
    let meanings: Vec<_> = codes
        .iter()
        .map(|code| format!("`{}`: {}", code.as_str(), code.meaning().trim()))
        .collect();
    let schema = match surface {
        Surface::Tokens => "TokenFailure",
        Surface::Ages => "AgeFailure",
        Surface::Numbers => "NumberFailure",
        Surface::Customers | Surface::Pages | Surface::Console | Surface::Public => "Failure",
    };
    let content = Content::new(Some(Ref::from_schema_name(schema)));
    let mut response = Response::new(meanings.join("\n\n"));
    response.content.insert(JSON.into(), content.into());
    add_examples(&mut response, surface, codes);
    for name in headers(codes) {
        response.headers.insert((*name).into(), header(name));
    }
    response
}

/// Shows each failure that has no example yet.
pub fn add_examples(response: &mut Response, surface: Surface, codes: &[Code]) {
    let Some(RefOr::T(content)) = response.content.get_mut(JSON) else {
        return;
    };
    for code in codes {
        content
            .examples
            .entry(code.as_str().into())
            .or_insert_with(|| {
                let mut shown = Example::new();
                shown.value = Some(rendered(surface, *code));
                RefOr::T(shown)
            });
    }
}

/// The headers beside a failure.
fn headers(codes: &[Code]) -> &'static [&'static str] {
    match codes.first() {
        Some(Code::Unauthenticated | Code::Forbidden) => &["X-Request-Id", "WWW-Authenticate"],
        Some(Code::RateLimited) => &[
            "X-Request-Id",
            "Retry-After",
            "RateLimit",
            "RateLimit-Policy",
        ],
        Some(Code::Timeout | Code::Unavailable) => &["X-Request-Id", "Retry-After"],
        _ => &["X-Request-Id"],
    }
}

fn rendered(surface: Surface, code: Code) -> Value {
    let body = surface.render(example(surface, code).problem(), REQUEST_ID, "");
    serde_json::from_slice(&body).unwrap_or_default()
}

fn example(surface: Surface, code: Code) -> Error {
    let message = match code {
        Code::InvalidRequest => {
            return Error::invalid_field(required_field(surface), FieldProblem::MISSING);
        }
        Code::Internal => return Error::internal(""),
        Code::Unavailable => return Error::unavailable(""),
        Code::UnsupportedGrantType => "The only grant_type is client_credentials.",
        Code::InvalidScope => "The key does not have the scope orders:read.",
        Code::Unauthenticated => "The credential is not accepted.",
        Code::Forbidden => "The credential lacks the scope customers:read.",
        Code::HttpsRequired => "This server answers only over HTTPS.",
        Code::NotFound => "There is no company of that id.",
        Code::NotConfigured => "Veriff is not configured here.",
        Code::MethodNotAllowed => "This path does not take this method.",
        Code::Conflict => "There is a company of that id already.",
        Code::LegalHold => "The customer is under legal hold.",
        Code::IdempotencyInProgress => {
            "The first request with this Idempotency-Key is still under way."
        }
        Code::InvalidNumber => {
            return Error::invalid_field("mobileNumber", domain::number::MobileError.to_string())
                .with_code(code);
        }
        Code::SessionClosed => "This session has been verified, or has failed.",
        Code::SessionExpired => "The time of this session is over.",
        Code::Gone => "It has ended.",
        Code::PayloadTooLarge => "The body is too large.",
        Code::UnsupportedMediaType => "The body must be sent as Content-Type: application/json.",
        Code::IdempotencyKeyReused => "This Idempotency-Key was used with another request.",
        Code::RateLimited => "Too many requests; the limit of this credential is used up.",
        Code::Timeout => "The answer took too long. Please try again.",
    };
    Error::new(code, message)
}

fn required_field(surface: Surface) -> &'static str {
    match surface {
        Surface::Ages => "dateOfBirth",
        Surface::Numbers => "requestId",
        _ => "email",
    }
}

/// The headers of answers, by name.
pub fn all_headers() -> [(&'static str, Header); 5] {
    [
        ("X-Request-Id", "The request's id: the caller's own if it was well-formed, otherwise a new one."),
        ("RateLimit", "How many requests are left, and in how many seconds the first used one counts no more: `\"customers\";r=99;t=60`."),
        ("RateLimit-Policy", "The limit itself: so many requests in a window of so many seconds: `\"customers\";q=100;w=60`."),
        ("Retry-After", "After how many seconds trying again may help."),
        ("WWW-Authenticate", "How to authorise (RFC 6750)."),
    ]
    .map(|(name, description)| {
        let mut header = Header::default();
        header.description = Some(description.into());
        (name, header)
    })
}
