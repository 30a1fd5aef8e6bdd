//! Quotas in the memory of this process.
//!
//! Keys are spread over shards, each with a lock that is held for well under a microsecond. Windows
//! in which nothing counts any more are thrown away when a shard has doubled since it was last
//! cleaned, so memory follows the callers of one window's length, and cleaning costs each request a
//! constant.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use app::quota::{Quota, QuotaHealth, QuotaKey, Verdict, Verdicts, at_once};
use domain::rate::{Rate, SlidingWindow};

use super::Milliseconds;

const SHARDS: usize = 16;
/// A shard smaller than this is not worth cleaning.
const SMALLEST_CLEANED: usize = 64;

/// A quota for one process.
pub struct MemoryQuota {
    shards: [Mutex<Shard>; SHARDS],
    spread: RandomState,
    clock: Milliseconds,
}

struct Shard {
    windows: HashMap<QuotaKey, Entry>,
    clean_at: usize,
}

#[derive(Default)]
struct Entry {
    window: SlidingWindow,
    length: Duration,
}

impl MemoryQuota {
    /// An empty quota on the given clock.
    #[must_use]
    pub fn new(clock: Milliseconds) -> Self {
        let shards = std::array::from_fn(|_| Mutex::new(Shard::new()));
        Self {
            shards,
            spread: RandomState::new(),
            clock,
        }
    }

    /// Decides at once; see [`Quota::take`].
    pub fn decide(&self, key: &QuotaKey, rate: Rate, cost: u64) -> Verdict {
        let place = self.spread.hash_one(key) % SHARDS as u64;
        let shard = usize::try_from(place)
            .ok()
            .and_then(|place| self.shards.get(place));
        let now = (self.clock)();
        let taken = shard.map_or_else(
            || SlidingWindow::default().take(now, rate, cost.min(1)),
            |shard| {
                let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
                shard.entry(key, rate, now).take(now, rate, cost.min(1))
            },
        );
        Verdict::of(rate, cost, taken)
    }
}

impl Shard {
    fn new() -> Self {
        Self {
            windows: HashMap::new(),
            clean_at: SMALLEST_CLEANED,
        }
    }

    fn entry(&mut self, key: &QuotaKey, rate: Rate, now: u64) -> &mut SlidingWindow {
        if self.windows.len() >= self.clean_at {
            self.windows
                .retain(|_, entry| !entry.window.is_idle(now, entry.length));
            self.clean_at = SMALLEST_CLEANED.max(2 * self.windows.len());
        }
        let entry = self.windows.entry(key.clone()).or_default();
        entry.length = rate.window();
        &mut entry.window
    }
}

impl Quota for MemoryQuota {
    fn take<'a>(&'a self, key: &'a QuotaKey, rate: Rate, cost: u64) -> Verdicts<'a> {
        at_once(self.decide(key, rate, cost))
    }

    fn health(&self) -> QuotaHealth {
        QuotaHealth::Memory
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    fn quota() -> (Arc<AtomicU64>, MemoryQuota) {
        let time = Arc::new(AtomicU64::new(0));
        let read = Arc::clone(&time);
        (
            time,
            MemoryQuota::new(Arc::new(move || read.load(Ordering::Relaxed))),
        )
    }

    fn entries(quota: &MemoryQuota) -> usize {
        quota
            .shards
            .iter()
            .map(|shard| shard.lock().unwrap().windows.len())
            .sum()
    }

    #[test]
    fn counts_each_key_on_its_own() {
        let (time, quota) = quota();
        let rate = Rate::parse("2/1m").unwrap();
        let (ann, bob) = (
            QuotaKey::new("customers", "ann"),
            QuotaKey::new("customers", "bob"),
        );
        assert_eq!(quota.decide(&ann, rate, 1).permit().remaining, 1);
        assert!(quota.decide(&ann, rate, 0).is_granted());
        assert!(quota.decide(&ann, rate, 1).is_granted());
        assert!(!quota.decide(&ann, rate, 0).is_granted());
        let Verdict::Refused { retry_after, .. } = quota.decide(&ann, rate, 1) else {
            panic!("the third of two passed");
        };
        assert_eq!(retry_after, Duration::from_secs(60));
        assert!(quota.decide(&bob, rate, 1).is_granted());
        time.store(60_000, Ordering::Relaxed);
        assert!(quota.decide(&ann, rate, 1).is_granted());
    }

    #[test]
    fn forgets_callers_that_are_gone() {
        let (time, quota) = quota();
        let rate = Rate::parse("2/1m").unwrap();
        for caller in 0..100_000_u64 {
            time.store(caller * 100, Ordering::Relaxed);
            quota.decide(&QuotaKey::new("customers", &caller.to_string()), rate, 1);
        }
        // 600 callers fall into a minute.
        assert!(entries(&quota) <= SHARDS * SMALLEST_CLEANED.max(2 * 600));
        assert!(entries(&quota) < 3_000);
    }

    #[test]
    fn threads_together_pass_exactly_the_limit() {
        let (_, quota) = quota();
        let (rate, key) = (
            Rate::parse("500/1m").unwrap(),
            QuotaKey::new("customers", "ann"),
        );
        let granted = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let passed = (0..1000).filter(|_| quota.decide(&key, rate, 1).is_granted());
                    granted.fetch_add(passed.count() as u64, Ordering::Relaxed);
                });
            }
        });
        assert_eq!(granted.into_inner(), 500);
    }
}
