//! How long somebody stays signed in to the console.

use jiff::{SignedDuration, Timestamp};

/// Who does nothing for so long is signed out.
const IDLE: SignedDuration = SignedDuration::from_mins(30);

/// Who does something all the time is signed out after so long.
const LONGEST: SignedDuration = SignedDuration::from_hours(12);

/// How exactly it is noted when somebody last did something.
const GRANULE: SignedDuration = SignedDuration::from_mins(1);

/// How long a link may lie around that signs somebody in.
const LINK: SignedDuration = SignedDuration::from_hours(1);

/// The life of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsoleLife {
    /// When it was last used, to the minute.
    pub seen_at: Timestamp,
    /// When it is over however much it is used.
    pub last_at: Timestamp,
}

impl ConsoleLife {
    /// Of a session that begins now; it does not outlive what it was begun with.
    #[must_use]
    pub fn begin(now: Timestamp, credential_ends_at: Option<Timestamp>) -> Self {
        let longest = after(now, LONGEST);
        Self {
            seen_at: now,
            last_at: credential_ends_at.map_or(longest, |end| end.min(longest)),
        }
    }

    /// When it is over if it is not used again.
    #[must_use]
    pub fn ends_at(&self) -> Timestamp {
        after(self.seen_at, IDLE).min(self.last_at)
    }

    /// The same session, used now, if that is to be noted.
    #[must_use]
    pub fn used(self, now: Timestamp) -> Option<Self> {
        let is_news = now.duration_since(self.seen_at) >= GRANULE;
        is_news.then_some(Self {
            seen_at: now,
            ..self
        })
    }

    /// Until when a link signs somebody in that is made now.
    #[must_use]
    pub fn end_of_link(now: Timestamp) -> Timestamp {
        after(now, LINK)
    }
}

fn after(at: Timestamp, span: SignedDuration) -> Timestamp {
    at.checked_add(span).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(count: i64) -> Timestamp {
        Timestamp::from_second(count * 60).unwrap()
    }

    #[test]
    fn who_does_nothing_is_signed_out_and_so_is_everybody_in_the_end() {
        let mut life = ConsoleLife::begin(minute(0), None);
        assert_eq!(life.ends_at(), minute(30));
        for now in 1..720 {
            life = life.used(minute(now)).unwrap();
            assert_eq!(life.ends_at(), minute((now + 30).min(720)));
        }
    }

    #[test]
    fn a_session_does_not_outlive_its_credential() {
        let life = ConsoleLife::begin(minute(0), Some(minute(10)));
        assert_eq!(life.ends_at(), minute(10));
        let life = ConsoleLife::begin(minute(0), Some(minute(10_000)));
        assert_eq!(life.last_at, minute(720));
    }

    #[test]
    fn use_is_noted_to_the_minute() {
        let life = ConsoleLife::begin(minute(0), None);
        let almost = minute(1) - SignedDuration::from_secs(1);
        assert_eq!(life.used(almost), None);
        assert_eq!(life.used(minute(1)).unwrap().seen_at, minute(1));
    }
}
