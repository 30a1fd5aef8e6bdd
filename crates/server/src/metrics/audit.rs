//! How the audit log fares, as the store tells it.

use std::sync::LazyLock;

use metrics::{Counter, Histogram};
use store::AuditWatch;

use super::families::{AUDIT_BATCH, AUDIT_FAILURES, AUDIT_RECORDS, CHECKPOINT_FILE_FAILURES};

struct Handles {
    records: Counter,
    failures: Counter,
    batch: Histogram,
    file_failures: Counter,
}

static HANDLES: LazyLock<Handles> = LazyLock::new(|| Handles {
    records: AUDIT_RECORDS.counter([]),
    failures: AUDIT_FAILURES.counter([]),
    batch: AUDIT_BATCH.histogram([]),
    file_failures: CHECKPOINT_FILE_FAILURES.counter([]),
});

/// Counts what a store tells of its audit log.
pub struct Watch;

impl AuditWatch for Watch {
    fn committed(&self, records: usize) {
        HANDLES.records.increment(records as u64);
        HANDLES.batch.record(records as f64);
    }

    fn failed(&self) {
        HANDLES.failures.increment(1);
    }
}

/// Counts that checkpoints could not be appended to their file.
pub fn note_file_failure() {
    HANDLES.file_failures.increment(1);
}

/// Makes the series exist before anything was recorded: a rate needs something to rise from.
pub(super) fn begin() {
    LazyLock::force(&HANDLES);
}
