//! The path of the surface.

use app::credentials::grant;
use app::{Code, Error};
use axum::extract::{Extension, State};
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::client::{self, HeaderClient};
use super::wire::{self, TokenRequest};
use crate::http::Shared;
use crate::http::conventions::failure::Failure;
use crate::http::conventions::form::Form;
use crate::http::conventions::once::answer;
use crate::http::conventions::visit::Visit;
use crate::http::openapi::documented_as;

/// The route.
pub fn routes() -> OpenApiRouter<Shared> {
    let own = [
        Code::Unauthenticated,
        Code::UnsupportedGrantType,
        Code::InvalidScope,
    ];
    OpenApiRouter::new().routes(documented_as(client::ACTION, routes!(issue), &own))
}

/// Exchange a key for a token
///
/// OAuth 2.0 client credentials: `client_id` is the key's id, `client_secret` the
/// whole key, by HTTP Basic or in the form. The token has the key's scopes or
/// fewer, and dies with the key.
#[utoipa::path(
    post,
    path = "/api/v1/auth/token",
    tag = "Tokens",
    request_body(content = wire::TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "The token", body = wire::Issued))
)]
async fn issue(
    State(server): State<Shared>,
    Extension(visit): Extension<Visit>,
    client: HeaderClient,
    form: Form,
) -> Result<Response, Failure> {
    let request = TokenRequest(form.read()?);
    let caller = client::identify(&server, &visit, client, &request).await?;
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
