//! Whether the server is well: for people and load balancers.

use std::time::Duration;

use app::quota::QuotaHealth;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::{StatusCode, header};
use serde::Serialize;

use super::Shared;

/// How long the database may take to answer before it counts as away.
const PATIENCE: Duration = Duration::from_secs(1);

/// The routes.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/health", get(health))
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
    version: &'static str,
    components: Components,
}

#[derive(Serialize)]
struct Components {
    database: Component,
    limits: Component,
}

#[derive(Serialize)]
struct Component {
    status: &'static str,
    kind: &'static str,
}

/// Every component; 503 when one that answers depend on is away.
async fn health(State(server): State<Shared>) -> Response {
    let database = database_answers(&server).await;
    let (limits, kind) = match server.limiter.quota().health() {
        QuotaHealth::Memory => ("healthy", "memory"),
        QuotaHealth::Shared => ("healthy", "redis"),
        QuotaHealth::Degraded { .. } => ("degraded", "memory"),
    };
    let body = Health {
        status: match (database, limits) {
            (false, _) => "unhealthy",
            (true, "degraded") => "degraded",
            (true, _) => "healthy",
        },
        version: env!("CARGO_PKG_VERSION"),
        components: Components {
            database: Component {
                status: if database { "healthy" } else { "unhealthy" },
                kind: server.app.store.engine(),
            },
            limits: Component {
                status: limits,
                kind,
            },
        },
    };
    answer(database, &body)
}

#[derive(Serialize)]
struct Short {
    status: &'static str,
}

/// The process runs.
async fn live() -> Response {
    answer(true, &Short { status: "live" })
}

/// Requests can be answered.
async fn ready(State(server): State<Shared>) -> Response {
    let ready = database_answers(&server).await;
    answer(
        ready,
        &Short {
            status: if ready { "ready" } else { "not ready" },
        },
    )
}

async fn database_answers(server: &Shared) -> bool {
    matches!(
        tokio::time::timeout(PATIENCE, server.app.store.ping()).await,
        Ok(Ok(()))
    )
}

fn answer(well: bool, body: &impl Serialize) -> Response {
    let status = if well {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = serde_json::to_vec(body).unwrap_or_default();
    let mut response = (status, [(header::CONTENT_TYPE, "application/json")], body).into_response();
    response.extensions_mut().insert(Finished);
    response
}

/// Marks an answer that has its shape already, whatever its status.
#[derive(Clone)]
pub struct Finished;
