//! How busy the connections to the database are: what the use of a pool is elsewhere.

use std::sync::LazyLock;
use std::time::Duration;

use metrics::{Gauge, Histogram};
use store::{Occupation, Store};

use super::families::{DATABASE_BUSY, DATABASE_CONNECTIONS, DATABASE_WAITING};

struct Handles {
    connections: Gauge,
    busy: Histogram,
    waiting: Gauge,
}

impl Handles {
    fn of(word: &'static str) -> Self {
        Self {
            connections: DATABASE_CONNECTIONS.gauge([word.into()]),
            busy: DATABASE_BUSY.histogram([word.into()]),
            waiting: DATABASE_WAITING.gauge([word.into()]),
        }
    }
}

static READING: LazyLock<Handles> = LazyLock::new(|| Handles::of("reading"));
static WRITING: LazyLock<Handles> = LazyLock::new(|| Handles::of("writing"));

fn handles(occupation: Occupation) -> &'static Handles {
    match occupation {
        Occupation::Reading => &READING,
        Occupation::Writing => &WRITING,
    }
}

/// Counts that a connection was busy.
pub fn note_busy(with: Occupation, lasted: Duration) {
    handles(with).busy.record(lasted);
}

/// Notes how a store's connections stand now.
pub fn note(store: &Store) {
    for occupation in [Occupation::Reading, Occupation::Writing] {
        let handles = handles(occupation);
        handles
            .connections
            .set(store.connections(occupation) as f64);
        handles.waiting.set(store.waiting(occupation) as f64);
    }
}
