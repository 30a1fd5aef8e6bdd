//! Whether writing works, as those who wait for it find out.
//!
//! It remembers the newest outcome alone: a success forgets every failure before it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::{Error, Result};

/// The newest outcome of a write.
pub(crate) struct Writing {
    opened: Instant,
    /// Milliseconds from `opened` to the failure, plus one; 0 after a success.
    failed: AtomicU64,
}

impl Writing {
    /// Nothing was written yet.
    pub fn new(opened: Instant) -> Self {
        Self {
            opened,
            failed: AtomicU64::new(0),
        }
    }

    /// Notes how a write ended; gives the outcome back.
    pub fn note<T>(&self, outcome: Result<T>) -> Result<T> {
        match &outcome {
            Ok(_) => self.succeeded(),
            Err(Error::Unavailable(_)) => self.failed(Instant::now()),
            // That may be the unit's own affair.
            Err(_) => {}
        }
        outcome
    }

    /// A write is durable.
    pub fn succeeded(&self) {
        // Only the first success after a failure has anything to write.
        if self.failed.load(Ordering::Relaxed) != 0 {
            self.failed.store(0, Ordering::Relaxed);
        }
    }

    /// A write failed for want of the database.
    pub fn failed(&self, now: Instant) {
        self.failed
            .store(self.milliseconds(now).saturating_add(1), Ordering::Relaxed);
    }

    /// Whether the newest outcome is a failure less than `within` ago.
    pub fn fails(&self, within: Duration, now: Instant) -> bool {
        let within = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
        self.failed
            .load(Ordering::Relaxed)
            .checked_sub(1)
            .is_some_and(|failed| self.milliseconds(now).saturating_sub(failed) < within)
    }

    fn milliseconds(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.opened);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_outcome_counts_until_it_is_old() {
        const WITHIN: Duration = Duration::from_secs(5);
        let opened = Instant::now();
        let writing = Writing::new(opened);
        assert!(!writing.fails(WITHIN, opened));
        writing.failed(opened);
        assert!(writing.fails(WITHIN, opened));
        assert!(writing.fails(WITHIN, opened + WITHIN - Duration::from_millis(1)));
        assert!(!writing.fails(WITHIN, opened + WITHIN));
        writing.failed(opened + WITHIN);
        assert!(writing.fails(WITHIN, opened + WITHIN));
        writing.succeeded();
        assert!(!writing.fails(WITHIN, opened + WITHIN));
    }
}
