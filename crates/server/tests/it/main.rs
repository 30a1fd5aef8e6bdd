//! The server's parts, from outside.

// What a test needs and does not get ends the test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod config;
mod listener;
mod tls;
