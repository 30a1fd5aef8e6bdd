//! Orders: where they come to stand, and how many are held.

use std::sync::LazyLock;

use domain::order::Status;
use metrics::{Counter, Gauge};

use super::families::{ORDERS, ORDERS_HELD};

static COUNTERS: LazyLock<[(Status, Counter); 5]> =
    LazyLock::new(|| Status::ALL.map(|status| (status, ORDERS.counter([status.as_str().into()]))));

/// Told by instances that work, and by no other.
static HELD: LazyLock<Gauge> = LazyLock::new(|| ORDERS_HELD.gauge([]));

/// An order has come to stand somewhere.
pub fn count(status: Status) {
    let mut counters = COUNTERS.iter();
    if let Some((_, counter)) = counters.find(|(counted, _)| *counted == status) {
        counter.increment(1);
    }
}

/// Notes how many orders are held.
pub fn note_held(held: i64) {
    HELD.set(held as f64);
}

/// Makes the series exist before any order was placed; how many are held is told by those that
/// look.
pub(super) fn begin() {
    LazyLock::force(&COUNTERS);
}
