//! The rules of delivering to somebody who may be away: what came of an attempt, when the next one
//! is due, and when an endpoint is given up.
//!
//! Guarantees: attempts are numbered and end; no pause is shorter than what the receiver asked for,
//! within a day; the words of the outcomes never change, for they are stored.
//! Must not: send anything, or keep a clock.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::random::{self, Random};

/// An endpoint of which every attempt failed for this long is switched off: five days.
pub const PATIENCE: SignedDuration = SignedDuration::from_hours(5 * 24);

/// The longest pause that a receiver can ask for: a day.
pub const LONGEST_WISH: Duration = Duration::from_secs(24 * 60 * 60);

/// Whether an endpoint is given up, of which every attempt has failed since `failing_since`.
#[must_use]
pub fn is_given_up(failing_since: Timestamp, now: Timestamp) -> bool {
    now.duration_since(failing_since) >= PATIENCE
}

/// The pauses between the attempts of one delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    pauses: Vec<Duration>,
}

impl Schedule {
    /// One attempt at once, and one after each of these pauses.
    #[must_use]
    pub fn new(pauses: Vec<Duration>) -> Self {
        Self { pauses }
    }

    /// The longest pause that [`Schedule::after`] may answer: a day at least, as a receiver may ask
    /// for that.
    #[must_use]
    pub fn longest_pause(&self) -> Duration {
        let longest = self.pauses.iter().copied().max().unwrap_or_default();
        longest.saturating_add(longest / 10).max(LONGEST_WISH)
    }

    /// How long to wait once so many attempts were made; `None` when there shall be no other.
    ///
    /// The pause is varied evenly by up to a tenth to either side, so that what failed together is
    /// not tried again together. It is never shorter than what the receiver asked for
    /// (`retry_after`), of which at most [`LONGEST_WISH`] counts. Before the first attempt there is
    /// no pause of our own.
    #[must_use]
    pub fn after(
        &self,
        attempts_made: u32,
        retry_after: Option<Duration>,
        random: &dyn Random,
    ) -> Option<Duration> {
        let pause = match attempts_made.checked_sub(1) {
            None => Duration::ZERO,
            Some(index) => *self.pauses.get(usize::try_from(index).ok()?)?,
        };
        let wish = retry_after.unwrap_or_default().min(LONGEST_WISH);
        Some(varied(pause, random).max(wish))
    }
}

/// A duration drawn evenly from 0.9 to 1.1 times the pause.
fn varied(pause: Duration, random: &dyn Random) -> Duration {
    let tenth = pause / 10;
    (pause - tenth).saturating_add(up_to(tenth.saturating_mul(2), random))
}

/// A duration drawn evenly from zero to `longest`, both included. The remainder prefers no value by
/// more than one in 2⁶⁴ parts of the range.
fn up_to(longest: Duration, random: &dyn Random) -> Duration {
    let choices = u64::try_from(longest.as_nanos())
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    Duration::from_nanos(u64::from_le_bytes(random::bytes(random)) % choices)
}

/// What came of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The receiver took it.
    Delivered {
        /// A status of 200 to 299.
        status: u16,
    },
    /// The receiver answered something else; a redirect too, for none is followed.
    Refused {
        /// Any other status.
        status: u16,
    },
    /// The receiver wants no more of it (status 410): its endpoint is switched off.
    Gone,
    /// No answer came in time.
    Timeout,
    /// No address, no connection, or one that broke.
    Unreachable,
    /// The receiver could not prove who it is, or speaks no TLS that we do.
    Tls,
    /// The receiver is at an address that deliveries may not reach.
    PrivateAddress,
    /// The receiver's URL cannot be used.
    Unsendable,
}

impl Outcome {
    /// Every [`word`](Self::word).
    pub const WORDS: [&'static str; 8] = [
        "delivered",
        "refused",
        "gone",
        "timeout",
        "unreachable",
        "tls",
        "private_address",
        "unsendable",
    ];

    /// What an HTTP status means.
    #[must_use]
    pub const fn of_status(status: u16) -> Self {
        match status {
            200..=299 => Self::Delivered { status },
            410 => Self::Gone,
            _ => Self::Refused { status },
        }
    }

    /// The word it is stored and listed under, which must not change.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Delivered { .. } => "delivered",
            Self::Refused { .. } => "refused",
            Self::Gone => "gone",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Tls => "tls",
            Self::PrivateAddress => "private_address",
            Self::Unsendable => "unsendable",
        }
    }

    /// The HTTP status, if one was answered.
    #[must_use]
    pub const fn status(self) -> Option<u16> {
        match self {
            Self::Delivered { status } | Self::Refused { status } => Some(status),
            Self::Gone => Some(410),
            Self::Timeout
            | Self::Unreachable
            | Self::Tls
            | Self::PrivateAddress
            | Self::Unsendable => None,
        }
    }

    /// Whether the receiver took it.
    #[must_use]
    pub const fn is_delivered(self) -> bool {
        matches!(self, Self::Delivered { .. })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Draws this number again and again.
    struct Drawing(u64);

    impl Random for Drawing {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.copy_from_slice(&self.0.to_le_bytes());
        }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn attempts_end_after_the_last_pause() {
        let schedule = Schedule::new([5, 30, 120].map(seconds).to_vec());
        let pauses: Vec<_> = (0..5)
            .map(|made| schedule.after(made, None, &Drawing(0)))
            .collect();
        let least = [0, 4_500, 27_000, 108_000].map(Duration::from_millis);
        assert_eq!(pauses[..4], least.map(Some));
        assert_eq!(pauses[4], None);
        assert_eq!(schedule.after(u32::MAX, None, &Drawing(0)), None);
        assert_eq!(Schedule::new(Vec::new()).after(1, None, &Drawing(0)), None);
    }

    #[test]
    fn a_pause_reaches_both_its_ends() {
        let schedule = Schedule::new(vec![seconds(10)]);
        let drawn = |number| schedule.after(1, None, &Drawing(number)).unwrap();
        assert_eq!(drawn(0), seconds(9));
        assert_eq!(drawn(1_000_000_000), seconds(10));
        assert_eq!(drawn(2_000_000_000), seconds(11));
        assert_eq!(drawn(2_000_000_001), seconds(9));
    }

    #[test]
    fn a_receiver_is_not_asked_before_it_wishes() {
        let schedule = Schedule::new(vec![seconds(10)]);
        let after = |wish| schedule.after(1, Some(wish), &Drawing(0)).unwrap();
        assert_eq!(after(seconds(1)), seconds(9));
        assert_eq!(after(seconds(90)), seconds(90));
        assert_eq!(after(LONGEST_WISH + seconds(1)), LONGEST_WISH);
        assert_eq!(after(Duration::MAX), LONGEST_WISH);
        assert_eq!(schedule.after(2, Some(seconds(1)), &Drawing(0)), None);
    }

    #[test]
    fn no_pause_is_longer_than_the_longest() {
        let longest = |pauses: &[u64]| {
            Schedule::new(pauses.iter().copied().map(seconds).collect()).longest_pause()
        };
        assert_eq!(longest(&[]), LONGEST_WISH);
        assert_eq!(longest(&[5, 30]), LONGEST_WISH);
        assert_eq!(longest(&[5, 100_000, 30]), seconds(110_000));
        let forever = Schedule::new(vec![Duration::MAX]);
        assert_eq!(forever.longest_pause(), Duration::MAX);
    }

    #[test]
    fn patience_ends_on_the_fifth_day() {
        let since = Timestamp::from_second(1_000_000_000).unwrap();
        let after = |seconds| is_given_up(since, since + SignedDuration::from_secs(seconds));
        assert!(!after(0));
        assert!(!after(5 * 86_400 - 1));
        assert!(after(5 * 86_400));
        assert!(!after(-5 * 86_400));
    }

    const WITHOUT_STATUS: [(Outcome, &str); 5] = [
        (Outcome::Timeout, "timeout"),
        (Outcome::Unreachable, "unreachable"),
        (Outcome::Tls, "tls"),
        (Outcome::PrivateAddress, "private_address"),
        (Outcome::Unsendable, "unsendable"),
    ];

    #[test]
    fn a_status_of_2xx_delivers_and_410_ends() {
        for status in 0..1000 {
            let outcome = Outcome::of_status(status);
            let word = match status {
                200..300 => "delivered",
                410 => "gone",
                _ => "refused",
            };
            assert_eq!(outcome.word(), word, "{status}");
            assert_eq!(outcome.status(), Some(status));
            assert_eq!(outcome.is_delivered(), word == "delivered", "{status}");
        }
    }

    #[test]
    fn every_outcome_has_its_word() {
        let answered = [200, 410, 500].map(Outcome::of_status);
        let all = answered
            .into_iter()
            .chain(WITHOUT_STATUS.map(|(outcome, _)| outcome));
        let mut words: Vec<_> = all.map(Outcome::word).collect();
        for (outcome, word) in WITHOUT_STATUS {
            assert_eq!((outcome.word(), outcome.status()), (word, None));
            assert!(!outcome.is_delivered());
        }
        let mut known = Outcome::WORDS.to_vec();
        words.sort_unstable();
        known.sort_unstable();
        assert_eq!(words, known);
    }

    proptest! {
        #[test]
        fn a_pause_varies_by_a_tenth(nanoseconds: u64, drawn: u64) {
            let pause = Duration::from_nanos(nanoseconds);
            let varied = varied(pause, &Drawing(drawn));
            prop_assert!(varied >= pause - pause / 10);
            prop_assert!(varied <= pause + pause / 10);
        }

        #[test]
        fn there_are_as_many_attempts_as_pauses_and_one(
            pauses in proptest::collection::vec(any::<Duration>(), 0..20),
            made in 0_u32..30,
            wish: Option<Duration>,
            drawn: u64,
        ) {
            let schedule = Schedule::new(pauses.clone());
            let after = schedule.after(made, wish, &Drawing(drawn));
            prop_assert_eq!(after.is_some(), usize::try_from(made).unwrap() <= pauses.len());
            if let (Some(after), Some(wish)) = (after, wish) {
                prop_assert!(after >= wish.min(LONGEST_WISH));
            }
        }
    }
}
