//! The HTTP side: the listener, the conventions of every surface, and one folder
//! per surface. One surface never imports another.

mod admin;
mod ages;
pub mod audit;
pub mod console;
pub mod conventions;
pub mod customers;
mod docs;
pub mod health;
pub mod hooks;
pub mod listener;
mod mail;
pub mod numbers;
pub mod openapi;
pub mod orders;
mod pages;
pub mod scrape;
mod signal;
pub mod tls;
mod tokens;
mod unreadable;

use std::sync::Arc;

use app::App;
use app::limits::Limiter;
use axum::Router;
use ipnet::IpNet;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use conventions::{cors, edge};

use crate::erasure_list::ErasureList;
use crate::outbound::OpenIdClient;
use crate::telemetry::traces::Tracer;
use crate::tokens::Tokens;

/// What handlers work with.
pub struct Server {
    /// The use cases.
    pub app: Arc<App>,
    /// Who may ask how often.
    pub limiter: Limiter,
    /// Checks and signs tokens.
    pub tokens: Arc<Tokens>,
    /// Where administrators sign in beside here, if configured.
    pub openid: Option<OpenIdClient>,
    /// Whose hooks are taken.
    pub hooks: hooks::Hooks,
    /// Where customers show their ID, if configured.
    pub veriff: Option<app::veriff::Veriff>,
    /// Whether records are archived at BigQuery.
    pub archives: bool,
    /// Whether mails leave by a mail server; without one they are printed to the log.
    pub mails: bool,
    /// The company that the services work for which are configured.
    pub integration_company: Arc<str>,
    /// Where erasures are written down, if anywhere.
    pub erasure_list: Option<ErasureList>,
    /// Whose requests are traced, if anybody's.
    pub tracer: Option<Tracer>,
    /// How the edge behaves.
    pub edge: edge::Settings,
}

/// The state of every route.
pub type Shared = Arc<Server>;

/// Proxies whose forwarded headers count.
pub type Proxies = Vec<IpNet>;

/// The routes of all surfaces, each with its description.
fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(openapi::description())
        .merge(customers::routes())
        .merge(ages::routes())
        .merge(numbers::routes())
        .merge(orders::routes())
        .merge(tokens::routes())
        .merge(admin::routes())
        .merge(audit::routes())
        .merge(health::routes())
        .merge(scrape::routes())
}

/// The OpenAPI document of all routes.
pub fn document() -> OpenApi {
    openapi::complete(routes().into_openapi())
}

/// All routes behind the edge.
pub fn router(server: Shared) -> Router {
    let (routes, document) = routes().split_for_parts();
    let origins = server.edge.cors_origins.clone();
    let routed = routes
        .merge(docs::routes(&openapi::complete(document)))
        .merge(pages::routes())
        .merge(console::routes())
        .merge(numbers::pages())
        .merge(hooks::routes())
        .merge(mail::pages())
        .merge(orders::pages())
        .fallback(conventions::failure::unknown_path)
        .method_not_allowed_fallback(conventions::failure::wrong_method)
        .layer(edge::Edge(server.clone()))
        .with_state(server);
    cors::allow(routed, &origins)
}
