//! For how long things are kept.
//!
//! Guarantees: what has to be kept is never gone before its time, whatever else is set. How long that
//! is, is the operator's own rule; no period makes a sale lawful.

use jiff::Timestamp;

use crate::span::Span;

/// How long the operator keeps what is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    records: Span,
    minimum: Span,
    sessions: Span,
}

/// Records would be kept for less than the minimum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must not be less than the minimum of {0}")]
pub struct TooShort(Span);

/// The day from which lengths are compared: seven calendar years from it have both their leap days,
/// as the longest seven years have.
const LEAP_DAY: i64 = 1_577_836_800;

impl Retention {
    /// Audit records and age verifications are kept for `records`, which is no less than `minimum`;
    /// sessions, and what senders and receivers were told, for `sessions`.
    ///
    /// # Errors
    /// When records would be kept for less than the minimum.
    pub fn new(records: Span, minimum: Span, sessions: Span) -> Result<Self, TooShort> {
        let start = Timestamp::from_second(LEAP_DAY).unwrap_or_default();
        if records.after(start) < minimum.after(start) {
            return Err(TooShort(minimum));
        }
        Ok(Self {
            records,
            minimum,
            sessions,
        })
    }

    /// Records of that time and later are there.
    #[must_use]
    pub fn records_kept_from(&self, now: Timestamp) -> Timestamp {
        self.records.before(now).min(self.must_be_kept_from(now))
    }

    /// Whatever is set, records of that time and later have to be there.
    #[must_use]
    pub fn must_be_kept_from(&self, now: Timestamp) -> Timestamp {
        self.minimum.before(now)
    }

    /// Sessions that ended at that time or later are there.
    #[must_use]
    pub fn sessions_kept_from(&self, now: Timestamp) -> Timestamp {
        self.sessions.before(now)
    }
}

/// Seven years, of at least 2557 days; sessions 90 days.
impl Default for Retention {
    fn default() -> Self {
        const DAY: u64 = 24 * 60 * 60;
        Self {
            records: Span::years(7),
            minimum: Span::seconds(2557 * DAY),
            sessions: Span::seconds(90 * DAY),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(text: &str) -> Span {
        text.parse().unwrap()
    }

    #[test]
    fn seven_years_are_never_less_than_2557_days() {
        let retention = Retention::default();
        let now: Timestamp = "2028-01-01T00:00:00Z".parse().unwrap();
        // The calendar alone would say 2021-01-01, which is 2556 days.
        let kept: Timestamp = "2020-12-31T00:00:00Z".parse().unwrap();
        assert_eq!(retention.records_kept_from(now), kept);
        assert_eq!(retention.must_be_kept_from(now), kept);
    }

    #[test]
    fn less_than_the_minimum_is_refused() {
        let sessions = span("90d");
        for (records, minimum) in [("7y", "2557d"), ("10y", "7y"), ("1d", "0s")] {
            assert!(Retention::new(span(records), span(minimum), sessions).is_ok());
        }
        for (records, minimum) in [("6y", "2557d"), ("2556d", "2557d"), ("7y", "2558d")] {
            assert!(Retention::new(span(records), span(minimum), sessions).is_err());
        }
    }
}
