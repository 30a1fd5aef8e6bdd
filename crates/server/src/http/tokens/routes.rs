//! The path of the surface.

use app::Error;
use app::credentials::grant;
use axum::Router;
use axum::extract::{Extension, State};
use axum::response::Response;
use axum::routing::post;

use super::client::{self, HeaderClient};
use super::wire::{self, Form};
use crate::http::Shared;
use crate::http::conventions::failure::Failure;
use crate::http::conventions::once::answer;
use crate::http::conventions::visit::Visit;

/// The route.
pub fn routes() -> Router<Shared> {
    Router::new().route("/api/v1/auth/token", post(issue))
}

async fn issue(
    State(server): State<Shared>,
    Extension(visit): Extension<Visit>,
    client: HeaderClient,
    form: Form,
) -> Result<Response, Failure> {
    let request = form.read()?;
    let caller = client::identify(&server, &visit, client, &request)?;
    request.check_grant_type()?;
    let now = visit.exchange().at;
    let grant = grant(&server.app.directory, &caller, request.scope(), now)?;
    let detail = format!("scopes={} expires_at={}", grant.scopes, grant.expires_at);
    visit.exchange().note_detail(detail);
    let token = server
        .tokens
        .sign(&grant.claims, now, grant.expires_at)
        .map_err(Error::internal)?;
    Ok(answer(200, wire::issued(&token, &grant, now)))
}
