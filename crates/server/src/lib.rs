//! The server of Bonafide as a library: configuration, command line, the HTTP edge.
//!
//! The program in `main.rs` only puts these parts together; tests use them one by one.
//! Rules of the business (ages, attempts, expiry) and SQL have no place in this crate.

pub mod ambient;
pub mod checkpoint_file;
pub mod chores;
pub mod cli;
pub mod config;
pub mod erasure_list;
pub mod http;
mod in_words;
pub mod integrations;
pub mod mail;
pub mod metrics;
pub mod outbound;
pub mod quota;
pub mod runtime;
pub mod telemetry;
pub mod tokens;
