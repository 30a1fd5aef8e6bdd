//! The contract of the store, on both databases: what a write promises, what a read sees, and what
//! happens when the database goes away.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what a test needs and does not get ends the test"
)]

mod audit;
mod deliveries;
mod faults;
mod ground;
mod growth;
mod log;
mod orders;
mod plans;
mod reads;
mod schema;
mod sessions;
mod units;
mod upgrades;
