//! The audit log, for those who may read it: searched, and read out.
//!
//! A credential sees what was asked on its own company's behalf; that of an administrator sees
//! everything, refused strangers included.

mod routes;
mod wire;

pub use routes::routes;
