//! The server's parts, from outside and against real neighbours.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what a test needs and does not get ends the test"
)]

mod admin;
mod ages;
mod attacks;
mod audit;
mod bigquery;
mod browser;
mod commands;
mod config;
mod console;
mod conventions;
mod cors;
mod customers;
mod deliveries;
mod forget;
mod harness;
mod inbox;
mod lightspeed;
mod listener;
mod mail;
mod metrics;
mod numbers;
mod openapi;
mod orders;
mod outbound;
mod privacy;
mod quota;
mod retention;
mod rotation;
mod shipping;
mod square;
mod story;
mod telemetry;
mod tls;
mod tokens;
mod veriff;
