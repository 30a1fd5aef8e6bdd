//! The HTTP side: the listener, the conventions of every surface, and one folder
//! per surface. One surface never imports another.

pub mod conventions;
mod customers;
pub mod health;
pub mod listener;
pub mod tls;
mod unreadable;

use std::sync::Arc;

use app::App;
use app::limits::Limiter;
use axum::Router;
use axum::middleware::from_fn_with_state;
use ipnet::IpNet;

use conventions::edge;

/// What handlers work with.
pub struct Server {
    /// The use cases.
    pub app: Arc<App>,
    /// Who may ask how often.
    pub limiter: Limiter,
    /// How the edge behaves.
    pub edge: edge::Settings,
}

/// The state of every route.
pub type Shared = Arc<Server>;

/// Proxies whose forwarded headers count.
pub type Proxies = Vec<IpNet>;

/// All routes behind the edge.
pub fn router(server: Shared) -> Router {
    Router::new()
        .merge(customers::routes())
        .merge(health::routes())
        .fallback(conventions::failure::unknown_path)
        .method_not_allowed_fallback(conventions::failure::wrong_method)
        .layer(from_fn_with_state(server.clone(), edge::edge))
        .with_state(server)
}
