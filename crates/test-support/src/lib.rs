//! What tests of several crates share.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test whose surroundings are broken has to fail, loudly and at once"
)]

pub mod redis;
