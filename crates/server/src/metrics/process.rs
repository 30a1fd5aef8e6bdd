//! What the process is: its version, and since when it runs.

use jiff::Timestamp;

use super::families::{BUILD_INFO, START_TIME};
use super::{ages, archive, audit, deliveries, inbox, numbers, orders, refusals, telemetry};

/// The process has started: notes when, and lets every counter whose labels are known begin at 0.
pub fn started(at: Timestamp) {
    BUILD_INFO
        .gauge([env!("CARGO_PKG_VERSION").into()])
        .set(1.0);
    START_TIME.gauge([]).set(at.as_duration().as_secs_f64());
    ages::begin();
    archive::begin();
    audit::begin();
    deliveries::begin();
    inbox::begin();
    numbers::begin();
    orders::begin();
    refusals::begin();
    telemetry::begin();
}
