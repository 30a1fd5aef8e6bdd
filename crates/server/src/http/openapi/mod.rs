//! The OpenAPI 3.1 document, made of the routes themselves.
//!
//! A route and its description are one registration ([`documented`]). What a
//! route's type already says (scope, limit) and what its description implies
//! (a body may be too large) is added here, so that no route can forget it; the
//! examples of failures are rendered by the code that renders failures.

mod complete;
mod description;
mod error_codes;
mod examples;
mod failures;
mod webhooks;

use app::Code;
use serde_json::json;
use utoipa::openapi::OpenApi;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::{Operation as Described, PathItem};
use utoipa::openapi::security::SecurityRequirement;
use utoipa_axum::router::UtoipaMethodRouter;

use super::Shared;
use super::conventions::permit::Operation;

pub use complete::complete;
pub use description::description;
pub use error_codes::render_error_codes;

/// The machine words that an operation may fail with.
const ERROR_CODES: &str = "x-error-codes";

/// What authorises a request; any of them will do.
const SCHEMES: [&str; 3] = ["api_key", "bearer", "oauth2"];

/// Adds what `O` says of a route to its description: its name, what authorises
/// it, and the failures `own` to it beside those that its kind implies.
pub fn documented<O: Operation>(
    routes: UtoipaMethodRouter<Shared>,
    own: &[Code],
) -> UtoipaMethodRouter<Shared> {
    let mut own = own.to_vec();
    own.extend(O::LIMIT.map(|_| Code::RateLimited));
    let (schemas, mut paths, router) = documented_as(O::ACTION, routes, &own);
    for operation in paths.paths.values_mut().flat_map(operations) {
        let scopes = [O::SCOPE.as_str()];
        operation.security = Some(
            SCHEMES
                .map(|scheme| SecurityRequirement::new(scheme, scopes))
                .into(),
        );
    }
    (schemas, paths, router)
}

/// The same for a route that may also be authorised by what its body holds.
pub fn documented_offered<O: Operation>(
    routes: UtoipaMethodRouter<Shared>,
    own: &[Code],
) -> UtoipaMethodRouter<Shared> {
    let (schemas, mut paths, router) = documented::<O>(routes, own);
    for operation in paths.paths.values_mut().flat_map(operations) {
        let schemes = operation.security.get_or_insert_default();
        schemes.push(SecurityRequirement::default());
    }
    (schemas, paths, router)
}

/// The same for a route that authorises in its own way, or not at all.
pub fn documented_as(
    action: &str,
    (schemas, mut paths, router): UtoipaMethodRouter<Shared>,
    own: &[Code],
) -> UtoipaMethodRouter<Shared> {
    for operation in paths.paths.values_mut().flat_map(operations) {
        operation.operation_id = Some(action.replace('.', "_"));
        note_codes(operation, own.iter());
    }
    (schemas, paths, router)
}

/// The document as it is served, printed and checked in.
pub fn render(document: &OpenApi) -> String {
    // Texts, numbers, lists and maps with text keys always serialise. Operations carry a single
    // extension each, so nothing in it is without order: the same code gives the same text.
    serde_json::to_string_pretty(document).unwrap_or_default()
}

fn note_codes<'a>(operation: &mut Described, codes: impl Iterator<Item = &'a Code>) {
    let words: Vec<_> = codes.map(|code| code.as_str()).collect();
    operation
        .extensions
        .get_or_insert_with(Extensions::default)
        .insert(ERROR_CODES.into(), json!(words));
}

fn noted_codes(operation: &Described) -> Vec<Code> {
    let noted = operation
        .extensions
        .as_ref()
        .and_then(|extensions| extensions.get(ERROR_CODES));
    let named = |code: &&Code| {
        noted
            .and_then(|words| words.as_array())
            .is_some_and(|words| words.iter().any(|word| word == code.as_str()))
    };
    Code::ALL.iter().filter(named).copied().collect()
}

/// The operations of a path.
fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Described> {
    [
        &mut item.get,
        &mut item.post,
        &mut item.put,
        &mut item.patch,
        &mut item.delete,
    ]
    .into_iter()
    .flatten()
}
