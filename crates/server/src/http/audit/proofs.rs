//! The path of proofs.

use app::audit::{self, Place};
use app::limits::LimitName;
use app::{Code, Error};
use axum::extract::{Path, State};
use axum::response::Response;
use domain::access::Scope;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::Shared;
use crate::http::conventions::audit_documents::ProofDocument;
use crate::http::conventions::failure::Failure;
use crate::http::conventions::json::render;
use crate::http::conventions::once::answer;
use crate::http::conventions::permit::{Operation, Permit};
use crate::http::openapi::documented;

/// The routes.
pub fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(documented::<Prove>(routes!(prove), &[Code::NotFound]))
}

struct Prove;
impl Operation for Prove {
    const ACTION: &'static str = "audit.prove";
    const SCOPE: Scope = Scope::AuditRead;
    const LIMIT: Option<LimitName> = None;
}

/// Prove that a record is in the log
///
/// The answer is a document that anybody can check with nothing but a public key, offline:
/// `bonafide audit check` does it, and the format is described for programs that are not ours. A
/// record that no checkpoint covers yet is covered by one that is made for it. A company's
/// credential proves the company's own records, the operator's any.
#[utoipa::path(
    get,
    path = "/api/v1/audit/{id}/proof",
    tag = "Audit",
    params(("id" = String, Path, description = "The record's place: `log.batch.position`", example = "1.1.999999")),
    responses((status = 200, description = "The proof", body = ProofDocument))
)]
async fn prove(
    State(server): State<Shared>,
    permit: Permit<Prove>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let place = Place::parse(&id)
        .ok_or_else(|| Error::new(Code::NotFound, "There is no record of that id."))?;
    let proven = audit::prove_for(&server.app, &permit.ctx, place).await?;
    Ok(answer(200, render(&ProofDocument::of(&proven))))
}
