//! `/openapi.json`, and the page at `/docs` that shows it.
//!
//! The page and all it needs are part of the program: it works without the
//! internet, and its policy lets a browser ask nobody but this server.

use axum::Router;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::{Shared, openapi};

/// What a browser may do on the page. Swagger UI draws its icons from `data:` URLs,
/// and adds one piece of style of its own, which is let in by its hash.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w='; \
     img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'",
);

/// The routes.
pub fn routes(document: &OpenApi) -> Router<Shared> {
    let document = Bytes::from(openapi::render(document));
    // The badge of a validator on the internet stays off.
    let config = Config::from("/openapi.json")
        .validator_url("none")
        .display_operation_id(true)
        .display_request_duration(true);
    let page = Router::from(SwaggerUi::new("/docs").config(config))
        .layer(axum::middleware::map_response(secure));
    Router::new()
        .route("/openapi.json", get(move || serve(document.clone())))
        .merge(page)
}

async fn serve(document: Bytes) -> Response {
    (
        [
            (header::CONTENT_TYPE, "application/json"),
            (header::CACHE_CONTROL, "no-cache"),
        ],
        document,
    )
        .into_response()
}

/// The headers of pages; the edge adds `nosniff` to every answer.
async fn secure(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    for (name, value) in [
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
