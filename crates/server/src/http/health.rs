//! Whether the server is well: for people and load balancers.
//!
//! The database is well when it answers and the newest write did not fail just now:
//! no audited request is answered without writing.

use std::time::Duration;

use app::archive;
use app::quota::QuotaHealth;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shared;
use super::conventions::failure::finished;

/// How long the database may take to answer before it counts as away.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a failed write counts. An instance without requests learns nothing new:
/// it must come back into rotation to find out.
const FAILED_WRITE: Duration = Duration::from_secs(5);

/// How a server is that cannot answer.
pub const UNHEALTHY: &str = "unhealthy";

/// The routes.
pub fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(health))
        .routes(routes!(live))
        .routes(routes!(ready))
}

/// Whether the server is well.
#[derive(Serialize, ToSchema)]
pub struct Health {
    /// `healthy`, `degraded` (it answers, with less than configured) or `unhealthy`.
    #[schema(examples("healthy"))]
    pub status: &'static str,
    /// The program's version.
    pub version: &'static str,
    /// Its parts.
    pub components: Components,
}

/// The parts of the server.
#[derive(Serialize, ToSchema)]
#[schema(as = HealthComponents)]
pub struct Components {
    /// Where the records are.
    pub database: Component,
    /// Where requests are counted.
    pub limits: Component,
    /// Where records are copied to, if anywhere. It is `degraded` while it is behind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive: Option<Component>,
}

/// A part of the server.
#[derive(Serialize, ToSchema)]
#[schema(as = HealthComponent)]
pub struct Component {
    /// `healthy`, `degraded` or `unhealthy`.
    #[schema(examples("healthy"))]
    pub status: &'static str,
    /// What does the work, as in `postgres`, `memory` or `bigquery`.
    #[schema(examples("postgres"))]
    pub kind: &'static str,
}

/// Look at every component
///
/// 503 when one that answers depend on is away.
#[utoipa::path(
    get,
    path = "/health",
    tag = "Health",
    responses(
        (status = 200, description = "The server answers", body = Health),
        (
            status = 503,
            description = "The server cannot answer",
            body = Health,
            example = json!({
                "status": "unhealthy",
                "version": env!("CARGO_PKG_VERSION"),
                "components": {
                    "database": {"status": "unhealthy", "kind": "postgres"},
                    "limits": {"status": "healthy", "kind": "redis"},
                },
            }),
        ),
    )
)]
async fn health(State(server): State<Shared>) -> Response {
    let health = look(&server).await;
    answer(health.status != UNHEALTHY, &health)
}

/// Looks at every component.
pub async fn look(server: &Shared) -> Health {
    let database = database_answers(server).await;
    let (limits, kind) = match server.limiter.quota().health() {
        QuotaHealth::Memory => ("healthy", "memory"),
        QuotaHealth::Shared => ("healthy", "redis"),
        QuotaHealth::Degraded { .. } => ("degraded", "memory"),
    };
    let archive = match server.archives {
        true => Some(archive_status(server, database).await),
        false => None,
    };
    let is_degraded = limits == "degraded" || archive == Some("degraded");
    Health {
        status: match (database, is_degraded) {
            (false, _) => UNHEALTHY,
            (true, true) => "degraded",
            (true, false) => "healthy",
        },
        version: env!("CARGO_PKG_VERSION"),
        components: Components {
            database: Component {
                status: if database { "healthy" } else { UNHEALTHY },
                kind: server.app.store.engine(),
            },
            limits: Component {
                status: limits,
                kind,
            },
            archive: archive.map(|status| Component {
                status,
                kind: "bigquery",
            }),
        },
    }
}

/// Whether the archive keeps up. Answers do not depend on it, so it is never worse than `degraded`.
async fn archive_status(server: &Shared, database: bool) -> &'static str {
    if !database {
        return "degraded";
    }
    let state = tokio::time::timeout(PATIENCE, archive::state(&server.app)).await;
    match state {
        Ok(Ok(state)) if state.is_well(server.app.clock.now()) => "healthy",
        _ => "degraded",
    }
}

/// One word.
#[derive(Serialize, ToSchema)]
#[schema(as = HealthWord)]
struct Short {
    /// `live`, `ready` or `not ready`.
    #[schema(examples("ready"))]
    status: &'static str,
}

/// See whether the process runs
///
/// Nothing else is looked at: a process whose database is away runs.
#[utoipa::path(
    get,
    path = "/health/live",
    tag = "Health",
    responses((status = 200, description = "It runs", body = Short))
)]
async fn live() -> Response {
    answer(true, &Short { status: "live" })
}

/// See whether requests can be answered
///
/// Take an instance that cannot out of rotation, and leave it running: it heals by itself.
#[utoipa::path(
    get,
    path = "/health/ready",
    tag = "Health",
    responses(
        (status = 200, description = "They can", body = Short),
        (
            status = 503,
            description = "They cannot: the database is away or takes no writes",
            body = Short,
            example = json!({"status": "not ready"}),
        ),
    )
)]
async fn ready(State(server): State<Shared>) -> Response {
    let ready = database_answers(&server).await;
    answer(
        ready,
        &Short {
            status: if ready { "ready" } else { "not ready" },
        },
    )
}

/// Whether the database answers, and the newest write did not fail just now.
pub async fn database_answers(server: &Shared) -> bool {
    let store = &server.app.store;
    !store.writes_fail(FAILED_WRITE)
        && matches!(
            tokio::time::timeout(PATIENCE, store.ping()).await,
            Ok(Ok(()))
        )
}

/// An answer of 200, or of 503 unless all is well.
pub fn answer(well: bool, body: &impl Serialize) -> Response {
    let status = if well {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = serde_json::to_vec(body).unwrap_or_default();
    finished((status, [(header::CONTENT_TYPE, "application/json")], body).into_response())
}
