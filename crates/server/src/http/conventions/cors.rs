//! Which other sites' pages may use the API from a browser (CORS): those of
//! `CORS_ORIGINS`, and nobody when there are none.
//!
//! The layer stands outside of the edge and only adds headers, so that the edge's own
//! failures carry them too. A preflight passes through the edge like any request: it
//! gets its request id, its log line (`request.preflight`) and, where HTTPS is
//! required, the same promise or refusal. It leaves no audit record, for it is a
//! browser's question to us, carries no credentials and reaches no surface; and a page
//! can read of an outage only after its preflight has been answered.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http::{HeaderName, HeaderValue, Method, header};
use tower::{Layer as _, ServiceExt as _, service_fn};
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

/// Whether a browser asks here what a page may do.
pub fn is_preflight(request: &Request) -> bool {
    let headers = request.headers();
    request.method() == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The rules take every OPTIONS request for a preflight and let none pass, so they
/// see a preflight only beside the edge, and other OPTIONS requests not at all.
async fn cors(State(rules): State<CorsLayer>, request: Request, next: Next) -> Response {
    if is_preflight(&request) {
        let mut question = Request::default();
        *question.method_mut() = Method::OPTIONS;
        *question.headers_mut() = request.headers().clone();
        let unasked = service_fn(async |_: Request| Ok::<_, Infallible>(Response::default()));
        let told = infallible(rules.layer(unasked).oneshot(question).await);
        let mut answer = next.run(request).await;
        // The body is the edge's, and so is what describes it.
        let told = told
            .headers()
            .iter()
            .filter(|(name, _)| *name != header::CONTENT_LENGTH);
        for (name, value) in told {
            answer.headers_mut().append(name, value.clone());
        }
        return answer;
    }
    if request.method() == Method::OPTIONS {
        return next.run(request).await;
    }
    infallible(rules.layer(next).oneshot(request).await)
}

fn infallible(result: Result<Response, Infallible>) -> Response {
    match result {
        Ok(response) => response,
        Err(impossible) => match impossible {},
    }
}
