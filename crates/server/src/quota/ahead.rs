//! Requests of a busy window that are granted before they are counted.
//!
//! Whoever has a high limit, most of it unused, need not wait for the shared memory: what it said
//! last is enough to grant by, and many requests are counted at once a few milliseconds later.
//!
//! Guarantees: this concerns limits of [`LEAST`] and more, while more than half is left by an answer
//! no older than a granule, and no instance has more than a thousandth of the limit uncounted. So a
//! window holds more than its limit only when instances use up half of it within a thousandth of its
//! length, and then by no more than a thousandth for each. Every other request is counted first.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Duration;

use app::quota::{QuotaKey, Verdict};
use domain::rate::{Rate, Taken};

/// The smallest limit that is worth it.
const LEAST: u64 = 10_000;

/// What part of a limit may be uncounted, and must be unused.
const UNCOUNTED: u64 = 1_000;
const UNUSED: u64 = 2;

/// So many requests waiting for one answer make a window a busy one.
const BUSY: usize = 4;

/// Windows that are known at most; there are few busy ones.
const MOST: usize = 1_024;

/// What is known of the busy windows. Times are milliseconds of one clock.
#[derive(Default)]
pub(super) struct Ahead(RwLock<HashMap<QuotaKey, Mutex<Window>>>);

/// One busy window.
struct Window {
    rate: Rate,
    /// What the shared memory answered last, and when it was asked.
    answer: Taken,
    asked_at: u64,
    /// Granted, and not yet on the way to be counted.
    uncounted: u64,
    /// On the way.
    counting: u64,
    /// Whether somebody has undertaken to have the uncounted counted.
    is_undertaken: bool,
}

/// A verdict ahead of the count.
pub(super) struct Granted {
    pub verdict: Verdict,
    /// Whether the caller is to have it counted, and soon: nobody else will.
    pub must_count: bool,
}

impl Ahead {
    /// Grants a request (`cost` 1) or a look (`cost` 0), if it may be granted before it is counted.
    pub fn grant(&self, key: &QuotaKey, rate: Rate, cost: u64, now: u64) -> Option<Granted> {
        if rate.limit() < LEAST {
            return None;
        }
        let windows = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let window = windows.get(key)?;
        let mut window = window.lock().unwrap_or_else(PoisonError::into_inner);
        window.grant(rate, cost, now)
    }

    /// Takes what is uncounted of a window, to be counted now.
    pub fn collect(&self, key: &QuotaKey, rate: Rate) -> u64 {
        let windows = self.0.read().unwrap_or_else(PoisonError::into_inner);
        windows.get(key).map_or(0, |window| {
            let mut window = window.lock().unwrap_or_else(PoisonError::into_inner);
            window.collect(rate)
        })
    }

    /// Notes what the shared memory answered to a question of `now`, for which so many `waited`.
    pub fn learn(&self, key: &QuotaKey, rate: Rate, answer: Taken, waited: usize, now: u64) {
        if rate.limit() < LEAST {
            return;
        }
        let windows = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(window) = windows.get(key) {
            let mut window = window.lock().unwrap_or_else(PoisonError::into_inner);
            return window.learn(rate, answer, now);
        }
        drop(windows);
        if waited >= BUSY {
            self.add(key, Window::new(rate, answer, now), now);
        }
    }

    fn add(&self, key: &QuotaKey, window: Window, now: u64) {
        let mut windows = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= MOST {
            windows.retain(|_, window| {
                let window = window.get_mut().unwrap_or_else(PoisonError::into_inner);
                window.is_fresh(now) || window.uncounted > 0
            });
        }
        if windows.len() < MOST {
            windows.insert(key.clone(), Mutex::new(window));
        }
    }

    /// Forgets everything, what is uncounted included: the shared memory is out of reach.
    pub fn clear(&self) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

impl Window {
    const fn new(rate: Rate, answer: Taken, asked_at: u64) -> Self {
        Self {
            rate,
            answer,
            asked_at,
            uncounted: 0,
            counting: 0,
            is_undertaken: false,
        }
    }

    fn is_fresh(&self, now: u64) -> bool {
        now.saturating_sub(self.asked_at) < self.rate.granule_ms()
    }

    fn grant(&mut self, rate: Rate, cost: u64, now: u64) -> Option<Granted> {
        let cost = cost.min(1);
        let ahead = self.uncounted + self.counting + cost;
        let left = self.answer.remaining.checked_sub(ahead)?;
        let may = rate == self.rate
            && self.is_fresh(now)
            && left > rate.limit() / UNUSED
            && ahead <= rate.limit() / UNCOUNTED;
        if !may {
            return None;
        }
        self.uncounted += cost;
        let must_count = cost > 0 && !std::mem::replace(&mut self.is_undertaken, true);
        let since = Duration::from_millis(now.saturating_sub(self.asked_at));
        let taken = Taken {
            granted: cost,
            remaining: left,
            reset: self.answer.reset.saturating_sub(since),
            retry_after: Duration::ZERO,
        };
        Some(Granted {
            verdict: Verdict::of(rate, cost, taken),
            must_count,
        })
    }

    fn collect(&mut self, rate: Rate) -> u64 {
        if rate != self.rate {
            return 0;
        }
        self.is_undertaken = false;
        self.counting = std::mem::take(&mut self.uncounted);
        self.counting
    }

    fn learn(&mut self, rate: Rate, answer: Taken, now: u64) {
        if rate != self.rate {
            // The limit was changed; what was granted by the other one is counted first.
            if self.uncounted + self.counting == 0 {
                *self = Self::new(rate, answer, now);
            }
            return;
        }
        self.answer = answer;
        self.asked_at = now;
        self.counting = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::rate::SlidingWindow;

    const LIMIT: u64 = 20_000;

    /// A thousandth of its window is sixty milliseconds.
    fn rate() -> Rate {
        Rate::new(LIMIT, Duration::from_secs(60)).unwrap()
    }

    fn key() -> QuotaKey {
        QuotaKey::new("customers", "ann")
    }

    /// A window of which so many requests are left, by an answer of moment 1000.
    fn knowing(rate: Rate, remaining: u64) -> Ahead {
        let ahead = Ahead::default();
        ahead.learn(&key(), rate, answer(remaining), BUSY, 1000);
        ahead
    }

    fn answer(remaining: u64) -> Taken {
        Taken {
            granted: 1,
            remaining,
            reset: Duration::from_secs(60),
            retry_after: Duration::ZERO,
        }
    }

    fn grants(ahead: &Ahead, rate: Rate, now: u64) -> bool {
        ahead.grant(&key(), rate, 1, now).is_some()
    }

    #[test]
    fn only_busy_windows_with_high_limits_are_known() {
        let small = Rate::new(LEAST - 1, Duration::from_secs(60)).unwrap();
        assert!(!grants(&knowing(small, LEAST - 2), small, 1000));
        let quiet = Ahead::default();
        quiet.learn(&key(), rate(), answer(LIMIT), BUSY - 1, 1000);
        assert!(!grants(&quiet, rate(), 1000));
        assert!(grants(&knowing(rate(), LIMIT - 4), rate(), 1000));
    }

    #[test]
    fn an_answer_serves_for_a_granule() {
        let ahead = knowing(rate(), LIMIT - 4);
        assert!(grants(&ahead, rate(), 1059));
        assert!(!grants(&ahead, rate(), 1060));
        ahead.learn(&key(), rate(), answer(LIMIT - 5), 1, 1060);
        assert!(grants(&ahead, rate(), 1060));
    }

    #[test]
    fn half_of_the_limit_stays_untouched() {
        let ahead = knowing(rate(), LIMIT / 2 + 3);
        assert!(grants(&ahead, rate(), 1000));
        assert!(grants(&ahead, rate(), 1000));
        assert!(!grants(&ahead, rate(), 1000));
    }

    #[test]
    fn a_thousandth_is_uncounted_at_most() {
        let ahead = knowing(rate(), LIMIT - 4);
        let granted = (0..100).filter(|_| grants(&ahead, rate(), 1000)).count();
        assert_eq!(granted, 20);
        // What is on the way to be counted is not counted yet.
        assert_eq!(ahead.collect(&key(), rate()), 20);
        assert!(!grants(&ahead, rate(), 1000));
        ahead.learn(&key(), rate(), answer(LIMIT - 24), 0, 1001);
        assert!(grants(&ahead, rate(), 1001));
        assert_eq!(ahead.collect(&key(), rate()), 1);
    }

    #[test]
    fn the_first_after_a_count_has_the_next_made() {
        let ahead = knowing(rate(), LIMIT - 4);
        let must = || ahead.grant(&key(), rate(), 1, 1000).unwrap().must_count;
        assert_eq!([must(), must(), must()], [true, false, false]);
        ahead.collect(&key(), rate());
        assert_eq!([must(), must()], [true, false]);
    }

    #[test]
    fn each_is_told_what_is_left_after_it() {
        let ahead = knowing(rate(), LIMIT - 4);
        let permit = |cost| {
            let granted = ahead.grant(&key(), rate(), cost, 1010).unwrap();
            *granted.verdict.permit()
        };
        assert_eq!(permit(1).remaining, LIMIT - 5);
        assert_eq!(permit(0).remaining, LIMIT - 5);
        assert_eq!(permit(1).remaining, LIMIT - 6);
        assert_eq!(permit(0).reset, Duration::from_millis(59_990));
    }

    #[test]
    fn a_changed_limit_waits_for_the_count_of_the_other() {
        let lower = Rate::new(LEAST, Duration::from_secs(60)).unwrap();
        let ahead = knowing(rate(), LIMIT - 4);
        assert!(grants(&ahead, rate(), 1000));
        ahead.learn(&key(), lower, answer(LEAST - 5), BUSY, 1001);
        assert!(!grants(&ahead, lower, 1001));
        assert_eq!(ahead.collect(&key(), rate()), 1);
        ahead.learn(&key(), rate(), answer(LIMIT - 5), 0, 1002);
        ahead.learn(&key(), lower, answer(LEAST - 6), BUSY, 1003);
        assert!(grants(&ahead, lower, 1003));
        assert!(!grants(&ahead, rate(), 1003));
    }

    /// Two instances ask as fast as they can, of one window.
    #[test]
    fn instances_together_pass_the_limit_and_no_more() {
        let (rate, mut shared, mut passed) = (rate(), SlidingWindow::default(), 0);
        let instances = [Ahead::default(), Ahead::default()];
        for now in 1000..9000 {
            for ahead in &instances {
                let granted = (0..7).filter(|_| grants(ahead, rate, now)).count() as u64;
                let uncounted = ahead.collect(&key(), rate);
                assert_eq!(uncounted, granted);
                let asked = 7 - granted;
                let taken = shared.take(now, rate, uncounted + asked);
                ahead.learn(&key(), rate, taken, 7, now);
                passed += granted + taken.granted.saturating_sub(uncounted);
            }
        }
        assert_eq!(passed, LIMIT);
    }

    #[test]
    fn few_windows_are_remembered() {
        let ahead = Ahead::default();
        for caller in 0..10_000_u64 {
            let key = QuotaKey::new("customers", &caller.to_string());
            ahead.learn(&key, rate(), answer(LIMIT - 4), BUSY, caller);
        }
        assert!(ahead.0.read().unwrap().len() <= MOST);
        let last = QuotaKey::new("customers", "9999");
        assert!(ahead.grant(&last, rate(), 1, 9_999).is_some());
    }
}
