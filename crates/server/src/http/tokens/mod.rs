//! The token endpoint: OAuth 2.0 client credentials (RFC 6749 §4.4), an API key in
//! and a short-lived token out.
//!
//! It changes nothing that is stored, so it takes no idempotency keys: a client
//! that asks twice gets two tokens, and neither is kept here.

mod client;
mod routes;
mod wire;

pub use routes::routes;
