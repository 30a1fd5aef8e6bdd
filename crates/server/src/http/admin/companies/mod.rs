//! Companies (tenants), their webhook address and its secret.

mod routes;
mod wire;

pub use routes::routes;
