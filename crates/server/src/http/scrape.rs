//! `/metrics`: for administrators on the API, and for everybody on a listener of its own.
//!
//! Guarantees: on the API a refused scrape is audited; one that is answered is not, since it shows
//! nobody's data and comes again every few seconds. It needs no database, so that an outage can
//! be watched.

use app::limits::LimitName;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use domain::access::Scope;
use http::header;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shared;
use super::conventions::permit::{Operation, Permit};
use super::conventions::visit::Unrecorded;
use super::openapi::documented;
use crate::metrics;

/// The route on the API.
pub fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(documented::<Show>(routes!(show), &[]))
}

/// All that the listener at `METRICS_BIND` serves. It asks for no credential.
pub fn open_router() -> Router {
    Router::new().route("/metrics", get(async || page()))
}

struct Show;
impl Operation for Show {
    const ACTION: &'static str = "metrics.show";
    const SCOPE: Scope = Scope::Admin;
    const LIMIT: Option<LimitName> = None;
}

/// Read the metrics
///
/// What this instance counts of itself, in the text format of Prometheus. An answered scrape leaves
/// no audit record; a refused one does.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "Health",
    responses((
        status = 200,
        description = "All families, each with its help text and type",
        body = String,
        content_type = "text/plain",
    ))
)]
async fn show(State(server): State<Shared>, _permit: Permit<Show>) -> Response {
    metrics::refusals::note_health(server.limiter.quota().health());
    let mut answer = page();
    answer.extensions_mut().insert(Unrecorded);
    answer
}

fn page() -> Response {
    let kind = [(header::CONTENT_TYPE, metrics::CONTENT_TYPE)];
    (kind, metrics::render()).into_response()
}
