//! How the audit log and the rows fare, as the store tells it.

use std::sync::LazyLock;
use std::time::Duration;

use metrics::{Counter, Histogram};
use store::{Occupation, StoreWatch};

use crate::telemetry::traces;

use super::database;
use super::families::{
    AUDIT_BATCH, AUDIT_FAILURES, AUDIT_RECORDS, CHECKPOINT_FILE_FAILURES, SPOILT_ROWS,
};

/// The tables whose rows are put aside when they cannot be read.
const TABLES: [&str; 5] = [
    "deliveries",
    "inbox",
    "orders",
    "veriff_sessions",
    "verification_sessions",
];

struct Handles {
    records: Counter,
    failures: Counter,
    batch: Histogram,
    file_failures: Counter,
    spoilt: [(&'static str, Counter); TABLES.len()],
}

static HANDLES: LazyLock<Handles> = LazyLock::new(|| Handles {
    records: AUDIT_RECORDS.counter([]),
    failures: AUDIT_FAILURES.counter([]),
    batch: AUDIT_BATCH.histogram([]),
    file_failures: CHECKPOINT_FILE_FAILURES.counter([]),
    spoilt: TABLES.map(|table| (table, SPOILT_ROWS.counter([table.into()]))),
});

/// Counts what a store tells of itself, and has visits to it traced.
pub struct Watch;

impl StoreWatch for Watch {
    fn committed(&self, records: usize) {
        HANDLES.records.increment(records as u64);
        HANDLES.batch.record(records as f64);
    }

    fn failed(&self) {
        HANDLES.failures.increment(1);
    }

    fn spoilt(&self, table: &'static str) {
        let mut counters = HANDLES.spoilt.iter();
        if let Some((_, counter)) = counters.find(|(counted, _)| *counted == table) {
            counter.increment(1);
        }
    }

    fn busy(&self, with: Occupation, lasted: Duration) {
        database::note_busy(with, lasted);
    }

    fn visit(&self, name: &'static str) -> Option<Box<dyn Send>> {
        let work = traces::work(name)?;
        Some(Box::new(work))
    }
}

/// Counts that checkpoints could not be appended to their file.
pub fn note_file_failure() {
    HANDLES.file_failures.increment(1);
}

/// Makes the series exist before anything has happened: a rate needs something to rise from.
pub(super) fn begin() {
    LazyLock::force(&HANDLES);
}
