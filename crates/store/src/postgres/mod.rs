//! PostgreSQL 13 or newer: look-ups coalesce, writes group-commit, and the statements of one batch
//! travel together or are pipelined on its connection.

mod coalesce;
mod connection;
mod link;
mod target;
mod wave;
mod writer;

pub(crate) use coalesce::Coalescer;
pub use connection::Connection;
pub(crate) use link::Link;
pub use target::Target;
pub use wave::Shared;
pub(crate) use writer::{Writers, start as start_writers};
