//! Whether ages can be verified, for those who watch this surface alone.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::Shared;
use crate::http::conventions::json::Milliseconds;
use crate::http::health::{answer, database_answers};

/// Whether ages can be verified.
#[derive(Serialize, ToSchema)]
#[schema(as = AgeHealth)]
struct Health {
    /// `healthy` or `unhealthy`.
    #[schema(examples("healthy"))]
    status: &'static str,
    /// Always `age-verification`.
    #[schema(examples("age-verification"))]
    service: &'static str,
    /// When this was answered.
    #[schema(value_type = String, format = DateTime, examples("2025-01-01T00:00:00.000Z"))]
    timestamp: Milliseconds,
    /// Where verifications are kept: `sqlite` or `postgres`; `bigquery` when they are archived there too.
    #[schema(examples("postgres"))]
    storage: &'static str,
}

/// See whether ages can be verified
///
/// For load balancers of the age surface; public.
#[utoipa::path(
    get,
    path = "/health/age-verification",
    tag = "Health",
    responses(
        (status = 200, description = "They can", body = Health),
        (
            status = 503,
            description = "They cannot: the database is away or takes no writes",
            body = Health,
            example = json!({
                "status": "unhealthy",
                "service": "age-verification",
                "timestamp": "2025-01-01T00:00:00.000Z",
                "storage": "postgres",
            }),
        ),
    )
)]
pub async fn health(State(server): State<Shared>) -> Response {
    let well = database_answers(&server).await;
    let body = Health {
        status: if well { "healthy" } else { "unhealthy" },
        service: "age-verification",
        timestamp: Milliseconds(server.app.clock.now()),
        storage: match server.archives {
            true => "bigquery",
            false => server.app.store.engine(),
        },
    };
    answer(well, &body)
}
