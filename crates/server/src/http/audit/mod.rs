//! The audit log, for those who may read it: searched, read out, and proven record by record.
//!
//! A credential sees what was asked on its own company's behalf; that of an administrator sees
//! everything, refused strangers included.

mod proofs;
mod routes;
mod wire;

use utoipa_axum::router::OpenApiRouter;

use crate::http::Shared;

pub use crate::http::conventions::audit_documents::{
    CheckpointDocument, ProofDocument, announcement,
};

/// The routes.
pub fn routes() -> OpenApiRouter<Shared> {
    routes::routes().merge(proofs::routes())
}
