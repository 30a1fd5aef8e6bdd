//! SQLite: one writer thread that commits in groups, a few readers in place.
//!
//! The file is in WAL mode with `synchronous=FULL`: what was committed survives
//! the loss of power. Other processes (the command line beside a running server)
//! may write too; they take turns.

mod checkpointer;
mod connection;
mod copy;
mod reader;
pub(crate) mod statistics;
mod turn;
mod writer;

pub(crate) use checkpointer::{Checkpointer, LogEnd};
pub use connection::Connection;
pub(crate) use copy::copy;
pub(crate) use reader::Readers;
pub(crate) use turn::Turnstile;
pub(crate) use writer::start as start_writer;
