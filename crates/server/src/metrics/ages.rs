//! Age verifications: how they were decided, and how long that took.
//!
//! The share that passes and the share that the cache answers are ratios of these counters; the
//! documentation has the expressions.

use std::sync::LazyLock;
use std::time::Duration;

use app::ages::{Answer, Outcome};
use domain::age::Method;
use metrics::{Counter, Histogram};

use super::families::{AGE_PROCESSING, AGE_VERIFICATIONS};

struct ByOutcome {
    method: Method,
    passed: Counter,
    refused: Counter,
}

struct Handles {
    decided: [ByOutcome; 6],
    processing: Histogram,
}

static HANDLES: LazyLock<Handles> = LazyLock::new(|| Handles {
    decided: Method::ALL.map(|method| ByOutcome {
        method,
        passed: series(method, "passed"),
        refused: series(method, "refused"),
    }),
    processing: AGE_PROCESSING.histogram([]),
});

/// Counts an answer that was worked out; one that is given again is not.
pub fn answered(answer: &Answer) {
    let passed = matches!(answer.outcome, Outcome::Passed(_) | Outcome::Cached(_));
    let took = Duration::from_micros(answer.took.unsigned_abs());
    decided(answer.outcome.method(), passed, took);
}

/// A verification was answered: at which step, whether it passed, and after how long. Attempts that
/// were not even looked at count too, under [`Method::RateLimit`].
pub fn decided(method: Method, passed: bool, processing: Duration) {
    if let Some(counters) = HANDLES.decided.iter().find(|of| of.method == method) {
        let counter = if passed {
            &counters.passed
        } else {
            &counters.refused
        };
        counter.increment(1);
    }
    HANDLES.processing.record(processing);
}

/// Makes the series exist before anything was verified: a rate needs something to rise from.
pub(super) fn begin() {
    LazyLock::force(&HANDLES);
}

fn series(method: Method, outcome: &'static str) -> Counter {
    AGE_VERIFICATIONS.counter([method.as_str().into(), outcome.into()])
}
