//! What was to be told to others and could not be.

use std::sync::LazyLock;

use metrics::Counter;

use super::families::TELEMETRY_LOST;

/// What may get lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A report to Sentry.
    Report,
    /// A span of a trace.
    Span,
}

struct Handles {
    reports: Counter,
    spans: Counter,
}

static HANDLES: LazyLock<Handles> = LazyLock::new(|| Handles {
    reports: TELEMETRY_LOST.counter(["report".into()]),
    spans: TELEMETRY_LOST.counter(["span".into()]),
});

/// So many could not be told.
pub fn lost(kind: Kind, count: usize) {
    let counter = match kind {
        Kind::Report => &HANDLES.reports,
        Kind::Span => &HANDLES.spans,
    };
    counter.increment(count as u64);
}

/// Makes the series exist before anything was lost: a rate needs something to rise from.
pub(super) fn begin() {
    LazyLock::force(&HANDLES);
}
