//! The session as a state machine.
//!
//! ```text
//!            submit: match            submit: third mismatch
//! verified ◄─────────────── pending ──────────────────────────► failed
//!                              │
//!                              └─ the time is over ──► expired
//! ```
//!
//! Only `pending` is ever left, so a session ends once. The time is over at the instant of
//! `expires_at`, whether or not anybody has written it down.

use jiff::Timestamp;

/// How many numbers may be submitted.
pub const ATTEMPTS: u32 = 3;

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// It waits for a number.
    Pending,
    /// The number was named.
    Verified,
    /// Every attempt was used on other numbers.
    Failed,
    /// Its time ran out before.
    Expired,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Verified, Self::Failed, Self::Expired];

    /// As it is written everywhere.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Verified => "verified",
            Self::Failed => "failed",
            Self::Expired => "expired",
        }
    }

    /// Reads what [`Status::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// A session, as far as the rules look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// As it was last written down.
    pub status: Status,
    /// Numbers submitted so far that were not the one.
    pub mismatches: u32,
    /// From when on it is over.
    pub expires_at: Timestamp,
}

/// Why a session takes no number any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// Its time is over.
    Expired,
    /// It has been verified, or has failed.
    Settled,
}

impl Session {
    /// A session that begins.
    #[must_use]
    pub const fn opened(expires_at: Timestamp) -> Self {
        Self {
            status: Status::Pending,
            mismatches: 0,
            expires_at,
        }
    }

    /// Where it stands at this instant.
    #[must_use]
    pub fn status_at(&self, now: Timestamp) -> Status {
        match self.status {
            Status::Pending if now >= self.expires_at => Status::Expired,
            status => status,
        }
    }

    /// How many more numbers it takes.
    #[must_use]
    pub const fn attempts_left(&self) -> u32 {
        ATTEMPTS.saturating_sub(self.mismatches)
    }

    /// The session after a number was submitted that is, or is not, the one.
    ///
    /// # Errors
    /// [`Closed`] when it takes none any more; then nothing changes.
    pub fn submitted(self, is_the_number: bool, now: Timestamp) -> Result<Self, Closed> {
        match self.status_at(now) {
            Status::Pending => {}
            Status::Expired => return Err(Closed::Expired),
            Status::Verified | Status::Failed => return Err(Closed::Settled),
        }
        if is_the_number {
            return Ok(Self {
                status: Status::Verified,
                ..self
            });
        }
        let mismatches = self.mismatches.saturating_add(1);
        let status = if mismatches < ATTEMPTS {
            Status::Pending
        } else {
            Status::Failed
        };
        Ok(Self {
            status,
            mismatches,
            ..self
        })
    }

    /// The session with the end of its time written down; `None` when there is nothing to write.
    #[must_use]
    pub fn expired(self, now: Timestamp) -> Option<Self> {
        let is_due = self.status == Status::Pending && now >= self.expires_at;
        is_due.then_some(Self {
            status: Status::Expired,
            ..self
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;
    use proptest::prelude::*;

    const END: Timestamp = Timestamp::UNIX_EPOCH;

    fn before(milliseconds: i64) -> Timestamp {
        END - SignedDuration::from_millis(milliseconds)
    }

    fn submit_all(session: Session, numbers: &[(bool, i64)]) -> Vec<Result<Session, Closed>> {
        let mut now = session;
        numbers
            .iter()
            .map(|(matches, milliseconds)| {
                let next = now.submitted(*matches, before(*milliseconds));
                now = next.unwrap_or(now);
                next
            })
            .collect()
    }

    #[test]
    fn the_number_verifies_and_nothing_follows() {
        let answers = submit_all(Session::opened(END), &[(false, 9), (true, 8), (true, 7)]);
        assert_eq!(answers[0].unwrap().attempts_left(), 2);
        assert_eq!(answers[1].unwrap().status, Status::Verified);
        assert_eq!(answers[2], Err(Closed::Settled));
    }

    #[test]
    fn the_third_mismatch_is_the_last() {
        let answers = submit_all(
            Session::opened(END),
            &[(false, 9), (false, 8), (false, 7), (true, 6)],
        );
        let left: Vec<_> = answers[..3]
            .iter()
            .map(|answer| answer.unwrap().attempts_left())
            .collect();
        assert_eq!(left, [2, 1, 0]);
        assert_eq!(answers[2].unwrap().status, Status::Failed);
        assert_eq!(answers[3], Err(Closed::Settled));
    }

    #[test]
    fn the_time_is_over_at_the_instant() {
        let session = Session::opened(END);
        assert_eq!(session.status_at(before(1)), Status::Pending);
        assert_eq!(session.expired(before(1)), None);
        assert_eq!(session.status_at(END), Status::Expired);
        assert_eq!(session.submitted(true, END), Err(Closed::Expired));
        let expired = session.expired(END).unwrap();
        assert_eq!(expired.status, Status::Expired);
        assert_eq!(expired.expired(END), None);
        assert_eq!(expired.submitted(true, before(1)), Err(Closed::Expired));
    }

    #[test]
    fn what_ended_otherwise_does_not_expire() {
        let verified = Session::opened(END).submitted(true, before(1)).unwrap();
        assert_eq!(verified.status_at(END), Status::Verified);
        assert_eq!(verified.expired(END), None);
    }

    #[test]
    fn words_read_back() {
        for status in Status::ALL {
            assert_eq!(Status::parse(status.as_str()), Some(status));
        }
        assert_eq!(Status::parse("PENDING"), None);
    }

    proptest! {
        #[test]
        fn a_session_ends_at_most_once(
            numbers in prop::collection::vec((any::<bool>(), -5..20_i64), 0..12)
        ) {
            let mut session = Session::opened(END);
            let mut ends = 0;
            for (matches, milliseconds) in numbers {
                let now = before(milliseconds);
                let next = session.submitted(matches, now).ok().or_else(|| session.expired(now));
                if let Some(next) = next {
                    prop_assert_eq!(session.status, Status::Pending);
                    ends += usize::from(next.status != Status::Pending);
                    session = next;
                }
            }
            prop_assert!(ends <= 1);
            prop_assert!(session.mismatches <= ATTEMPTS);
            prop_assert_eq!(session.mismatches == ATTEMPTS, session.status == Status::Failed);
        }
    }
}
