//! How often a customer may be refused before the checks are closed to them.
//!
//! Counts refused attempts in a window that begins with the first of them and does not move; passed
//! and cached answers leave it alone. Whoever keeps the count must read and write it in one step
//! with the decision, or two attempts at once would count as one.

use jiff::Timestamp;

use crate::span::Span;

/// So many refused attempts, in a window that begins with the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptPolicy {
    maximum: u32,
    window: Span,
}

impl Default for AttemptPolicy {
    /// Three in 24 hours.
    fn default() -> Self {
        Self {
            maximum: 3,
            window: Span::seconds(24 * 60 * 60),
        }
    }
}

/// A rule that would refuse everybody, or nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at least one attempt must be allowed, in a window longer than nothing")]
pub struct AttemptPolicyError;

impl AttemptPolicy {
    /// Allows `maximum` refused attempts in each `window`.
    ///
    /// # Errors
    /// [`AttemptPolicyError`] when either is zero.
    pub fn new(maximum: u32, window: Span) -> Result<Self, AttemptPolicyError> {
        let lasts = window.after(Timestamp::UNIX_EPOCH) > Timestamp::UNIX_EPOCH;
        (maximum > 0 && lasts)
            .then_some(Self { maximum, window })
            .ok_or(AttemptPolicyError)
    }

    /// How many refused attempts a window holds; at least one.
    #[must_use]
    pub const fn maximum(self) -> u32 {
        self.maximum
    }

    /// How long a window lasts, from the first refused attempt in it; longer than nothing.
    #[must_use]
    pub const fn window(self) -> Span {
        self.window
    }
}

/// What is kept of a customer's refused attempts. The default is that of a customer who was never
/// refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    /// How many were refused in the window.
    pub count: u32,
    /// When the first of them was refused; nothing before that.
    pub since: Option<Timestamp>,
}

/// All attempts of a window were refused: nothing may be checked before it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsedUp {
    /// How many were refused.
    pub attempts: u32,
    /// How many a window holds.
    pub maximum: u32,
    /// How long a window lasts.
    pub window: Span,
    /// When the window ends; from this instant on attempts are checked again.
    pub reset_at: Timestamp,
}

impl Attempts {
    /// Whether no more attempts may be checked at `now`, and until when.
    #[must_use]
    pub fn used_up(self, policy: AttemptPolicy, now: Timestamp) -> Option<UsedUp> {
        let reset_at = self.window_end(policy, now)?;
        (self.count >= policy.maximum).then_some(UsedUp {
            attempts: self.count,
            maximum: policy.maximum,
            window: policy.window,
            reset_at,
        })
    }

    /// What to keep after an attempt was refused at `now`: one more in the window, or the first of a
    /// new one.
    #[must_use]
    pub fn after_refusal(self, policy: AttemptPolicy, now: Timestamp) -> Self {
        match self.window_end(policy, now) {
            Some(_) => Self {
                count: self.count.saturating_add(1),
                since: self.since,
            },
            None => Self {
                count: 1,
                since: Some(now),
            },
        }
    }

    /// The end of the window that `now` lies in, if one was begun and lasts. A clock that was set
    /// back to before its beginning does not leave it.
    fn window_end(self, policy: AttemptPolicy, now: Timestamp) -> Option<Timestamp> {
        self.since
            .filter(|_| self.count > 0)
            .map(|since| policy.window.after(since))
            .filter(|end| now < *end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::{SignedDuration, ToSpan};
    use proptest::prelude::*;

    const DAY: Span = Span::seconds(86_400);

    fn three_a_day() -> AttemptPolicy {
        AttemptPolicy::new(3, DAY).unwrap()
    }

    fn start() -> Timestamp {
        "2025-01-01T12:00:00Z".parse().unwrap()
    }

    fn refused(times: &[Timestamp]) -> Attempts {
        let one_more =
            |attempts: Attempts, now: &Timestamp| attempts.after_refusal(three_a_day(), *now);
        times.iter().fold(Attempts::default(), one_more)
    }

    #[test]
    fn a_rule_allows_something_for_some_time() {
        assert_eq!(three_a_day().maximum(), 3);
        assert_eq!(three_a_day().window(), DAY);
        assert!(AttemptPolicy::new(1, Span::seconds(1)).is_ok());
        assert!(AttemptPolicy::new(u32::MAX, Span::years(1)).is_ok());
        for (maximum, window) in [(0, DAY), (3, Span::seconds(0)), (3, Span::years(0))] {
            assert_eq!(AttemptPolicy::new(maximum, window), Err(AttemptPolicyError));
        }
    }

    #[test]
    fn the_third_refusal_closes_the_checks_until_a_day_after_the_first() {
        let (first, second, third) = (start(), start() + 10.hours(), start() + 23.hours());
        let end = start() + 24.hours();
        assert_eq!(refused(&[]).used_up(three_a_day(), first), None);
        assert_eq!(refused(&[first]).used_up(three_a_day(), first), None);
        assert_eq!(
            refused(&[first, second]).used_up(three_a_day(), second),
            None
        );
        let attempts = refused(&[first, second, third]);
        let used_up = UsedUp {
            attempts: 3,
            maximum: 3,
            window: three_a_day().window(),
            reset_at: end,
        };
        for now in [third, end - 1.microsecond(), first, first - 1.hour()] {
            assert_eq!(attempts.used_up(three_a_day(), now), Some(used_up), "{now}");
        }
        for now in [end, end + 1.hour(), Timestamp::MAX] {
            assert_eq!(attempts.used_up(three_a_day(), now), None, "{now}");
        }
    }

    #[test]
    fn a_window_that_ended_starts_anew() {
        let full = refused(&[start(), start(), start()]);
        let end = start() + 24.hours();
        let last = full.after_refusal(three_a_day(), end - 1.microsecond());
        assert_eq!(
            last,
            Attempts {
                count: 4,
                since: Some(start())
            }
        );
        let anew = full.after_refusal(three_a_day(), end);
        assert_eq!(
            anew,
            Attempts {
                count: 1,
                since: Some(end)
            }
        );
    }

    #[test]
    fn a_rule_made_stricter_holds_for_what_was_counted() {
        let attempts = refused(&[start(), start()]);
        let one = AttemptPolicy::new(1, DAY).unwrap();
        let used_up = attempts.used_up(one, start()).unwrap();
        assert_eq!((used_up.attempts, used_up.maximum), (2, 1));
    }

    #[test]
    fn odd_rows_are_bearable() {
        let endless = Attempts {
            count: u32::MAX,
            since: Some(start()),
        };
        assert_eq!(endless.after_refusal(three_a_day(), start()), endless);
        // Neither of these says when a window would end, so none was begun.
        for odd in [
            Attempts {
                count: 7,
                since: None,
            },
            Attempts {
                count: 0,
                since: Some(start()),
            },
        ] {
            assert_eq!(odd.used_up(three_a_day(), start()), None);
            let now = start() + 1.second();
            assert_eq!(odd.after_refusal(three_a_day(), now), refused(&[now]));
        }
        let last = Attempts {
            count: 3,
            since: Some(Timestamp::MAX),
        };
        assert_eq!(last.used_up(three_a_day(), Timestamp::MAX), None);
    }

    proptest! {
        /// Plays attempts that are all refused when they are checked, against a list of the checked.
        #[test]
        fn never_checks_more_than_a_window_holds(
            maximum in 1..5_u32,
            window in 1..100_u64,
            pauses in prop::collection::vec(0..60_i64, 0..80),
        ) {
            let policy = AttemptPolicy::new(maximum, Span::seconds(window)).unwrap();
            let window = SignedDuration::from_secs(window.cast_signed());
            let mut now = start();
            let mut attempts = Attempts::default();
            let mut checked: Vec<Timestamp> = Vec::new();
            for pause in pauses {
                now += SignedDuration::from_secs(pause);
                if checked.first().is_some_and(|first| now >= *first + window) {
                    checked.clear();
                }
                let used_up = attempts.used_up(policy, now);
                let full = checked.len() == usize::try_from(maximum).unwrap();
                prop_assert_eq!(used_up.is_some(), full);
                if let Some(used_up) = used_up {
                    prop_assert_eq!(used_up.attempts, maximum);
                    prop_assert_eq!(used_up.reset_at, checked[0] + window);
                } else {
                    attempts = attempts.after_refusal(policy, now);
                    checked.push(now);
                    prop_assert_eq!(attempts.since, checked.first().copied());
                }
            }
        }
    }
}
