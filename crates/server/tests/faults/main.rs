//! The real program under faults: killed, flooded, fed nonsense, cut off from its neighbours.
//!
//! Guarantees: everything here is seen from outside (HTTP answers, exit codes, log lines, files),
//! but for what only an operator sees: the audit log, which is read through the library.
//! Must not: wait blindly; whatever has to happen has a deadline, and the test goes on when it has.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what a test needs and does not get ends the test"
)]

mod ages;
mod client;
mod crashes;
mod deliveries;
mod floods;
mod forgetting;
mod inbox;
mod instances;
mod load;
mod malformed;
mod office;
mod orders;
mod outages;
mod patience;
mod rotating;
mod scene;
mod secrecy;
mod shutdown;
