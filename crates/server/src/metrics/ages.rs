//! Age verifications: how they were decided, and how long that took.
//!
//! The share that passes and the share that the cache answers are ratios of these counters; the
//! documentation has the expressions.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use app::ages::{Answer, Outcome};
use domain::age::Method;
use metrics::{Counter, Histogram};

use super::families::{AGE_PROCESSING, AGE_SLOW_RUNS, AGE_VERIFICATIONS};

/// What a verification may take.
const PROMISED: Duration = Duration::from_millis(500);

/// Slower ones in a row that are worth an alert. How observations follow each other is not to be seen
/// in a histogram, so they are counted here.
const RUN: u32 = 5;

/// How many in a row were too slow.
#[derive(Default)]
struct Slowness(AtomicU32);

impl Slowness {
    /// Notes what one more took; whether it is the last of [`RUN`] that were too slow.
    fn completes_a_run(&self, took: Duration) -> bool {
        if took <= PROMISED {
            self.0.store(0, Ordering::Relaxed);
            return false;
        }
        (self.0.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(RUN)
    }
}

struct ByOutcome {
    method: Method,
    passed: Counter,
    refused: Counter,
}

struct Handles {
    decided: [ByOutcome; 6],
    processing: Histogram,
    slowness: Slowness,
    slow_runs: Counter,
}

static HANDLES: LazyLock<Handles> = LazyLock::new(|| Handles {
    decided: Method::ALL.map(|method| ByOutcome {
        method,
        passed: series(method, "passed"),
        refused: series(method, "refused"),
    }),
    processing: AGE_PROCESSING.histogram([]),
    slowness: Slowness::default(),
    slow_runs: AGE_SLOW_RUNS.counter([]),
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
    if HANDLES.slowness.completes_a_run(processing) {
        HANDLES.slow_runs.increment(1);
    }
}

/// Makes the series exist before anything was verified: a rate needs something to rise from.
pub(super) fn begin() {
    LazyLock::force(&HANDLES);
}

fn series(method: Method, outcome: &'static str) -> Counter {
    AGE_VERIFICATIONS.counter([method.as_str().into(), outcome.into()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_five_in_a_row() {
        let slowness = Slowness::default();
        let took = |milliseconds| slowness.completes_a_run(Duration::from_millis(milliseconds));
        let ends = |times: &[u64]| times.iter().map(|time| took(*time)).collect::<Vec<_>>();
        assert_eq!(ends(&[501, 900, 501, 501]), [false; 4]);
        assert!(took(501), "the fifth");
        assert_eq!(ends(&[501, 501, 501, 501]), [false; 4]);
        assert_eq!(ends(&[500, 501]), [false; 2], "a quick one ends it");
        assert_eq!(ends(&[501, 501, 501]), [false; 3]);
        assert!(took(501));
    }
}
