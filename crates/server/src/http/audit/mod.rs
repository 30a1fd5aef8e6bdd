//! The audit log over HTTP: proofs that records stand in it.

mod routes;
mod wire;

pub use routes::routes;
pub use wire::{CheckpointDocument, ProofDocument, announcement};
