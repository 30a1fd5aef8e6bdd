//! Real servers for tests and benches: private PostgreSQL, Redis and `bonafide` processes, a
//! browser to look at what they serve, and stock libraries to judge what they sign and show.
//!
//! Guarantees: every server listens on loopback only, on a port of its own, keeps its files in a
//! temporary directory of its own, and is stopped when its handle is dropped. A program that is not
//! installed is an error that says what to install, never a silently skipped test.
//! Must not: touch a process that it did not start, or know anything of the product's rules.
//!
//! The calls here block the calling thread, for at most some seconds; asynchronous tests may call
//! them directly, as nothing else runs in a test while its servers start.

pub mod browser;
pub mod oracle;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod programs;
pub mod redis;
pub mod server;
pub mod waiting;

pub use browser::Browser;
pub use postgres::Postgres;
pub use redis::Redis;
pub use server::{Server, ServerBuilder};
