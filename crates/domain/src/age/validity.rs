//! How long a verification holds.
//!
//! A year is a calendar year in UTC and there is no grace: at the instant of its end a verification
//! no longer holds.

use jiff::Timestamp;

use crate::span::Span;

/// From when to when a passed verification holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// When it was passed.
    pub verified_at: Timestamp,
    /// The first instant at which it no longer holds.
    pub expires_at: Timestamp,
}

impl Validity {
    /// What is passed at `verified_at` holds for `lifetime`; years are counted on the calendar in
    /// UTC, and one from 29 February ends on 28 February.
    #[must_use]
    pub fn starting(verified_at: Timestamp, lifetime: Span) -> Self {
        Self {
            verified_at,
            expires_at: lifetime.after(verified_at),
        }
    }

    /// Whether it holds at `now`. A clock that is behind the one that verified changes nothing.
    #[must_use]
    pub fn is_valid(self, now: Timestamp) -> bool {
        now < self.expires_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::ToSpan;

    #[test]
    fn holds_for_a_calendar_year_to_the_microsecond() {
        for (verified, expires) in [
            ("2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
            ("2023-06-15T12:00:00.25Z", "2024-06-15T12:00:00.25Z"),
            ("2024-02-29T23:59:59Z", "2025-02-28T23:59:59Z"),
        ] {
            let verified_at = verified.parse().unwrap();
            let expires_at: Timestamp = expires.parse().unwrap();
            let validity = Validity::starting(verified_at, Span::years(1));
            assert_eq!(validity.expires_at, expires_at);
            assert_eq!(validity.verified_at, verified_at);
            assert!(validity.is_valid(verified_at - 1.hour()));
            assert!(validity.is_valid(verified_at));
            assert!(validity.is_valid(expires_at - 1.microsecond()));
            assert!(!validity.is_valid(expires_at));
            assert!(!validity.is_valid(Timestamp::MAX));
        }
    }
}
