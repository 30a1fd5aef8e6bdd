//! PostgreSQL 13 or newer: look-ups and writes group-commit, and the statements of one batch
//! travel together or are pipelined on its connection.

mod connection;
mod link;
mod looks;
mod readers;
mod session;
mod set;
mod target;
mod wave;
mod writer;

pub use connection::Connection;
pub(crate) use readers::Readers;
pub use target::Target;
pub use wave::Shared;
pub(crate) use writer::{Writers, start as start_writers};
