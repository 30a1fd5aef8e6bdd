//! Which other sites' pages may use the API from a browser (CORS): those of
//! `CORS_ORIGINS`, and nobody when there are none.
//!
//! Stands outside of the edge, so that failures carry the headers too. A preflight
//! is a browser's question to us, not a request to a surface: it is answered here
//! and leaves no audit record.

use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http::{HeaderName, HeaderValue, Method, header};
use tower::{Layer as _, ServiceExt as _};
use tower_http::cors::CorsLayer;

/// How long a browser may remember the answer to a preflight.
const REMEMBERED: Duration = Duration::from_secs(600);

/// Lets pages of `origins` use the routes.
pub fn allow(routes: Router, origins: &[HeaderValue]) -> Router {
    if origins.is_empty() {
        return routes;
    }
    routes.layer(from_fn_with_state(rules(origins), cors))
}

fn rules(origins: &[HeaderValue]) -> CorsLayer {
    let name = HeaderName::from_static;
    CorsLayer::new()
        .allow_origin(origins.to_vec())
        .allow_methods([Method::GET, Method::POST, Method::PATCH])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            name("idempotency-key"),
            name("x-api-key"),
            name("x-request-id"),
        ])
        .expose_headers([
            header::RETRY_AFTER,
            name("ratelimit"),
            name("ratelimit-policy"),
            name("x-request-id"),
        ])
        .max_age(REMEMBERED)
}

/// The layer takes every OPTIONS request for a preflight; those that are none go
/// on as any other request.
async fn cors(State(rules): State<CorsLayer>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let preflight = headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if request.method() == Method::OPTIONS && !preflight {
        return next.run(request).await;
    }
    match rules.layer(next).oneshot(request).await {
        Ok(response) => response,
        Err(impossible) => match impossible {},
    }
}
