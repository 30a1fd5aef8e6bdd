//! The HTTP edge: connections, TLS, and what every surface shares.

pub mod listener;
pub mod tls;
