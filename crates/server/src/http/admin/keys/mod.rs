//! API keys: created, changed, rotated, revoked, listed.

mod routes;
mod wire;

pub use routes::routes;
