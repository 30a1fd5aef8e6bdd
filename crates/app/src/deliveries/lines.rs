//! How many deliveries are under way, to whom.
//!
//! Each receiver has a line of its own and a width: how many messages it gets at once. A line
//! begins narrow, widens with every success and halves with every failure, so that a receiver that
//! hangs holds few of the places there are, and delays nobody else. One that has failed many times
//! in a row rests for a while: a dead receiver with a long line costs next to nothing. One that asked
//! to be left alone is, until the time that it named, whatever its older messages come to.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

/// How wide a line begins.
const FIRST: usize = 4;
/// How wide a line may become.
const WIDEST: usize = 64;
/// How many deliveries may be under way together.
const PLACES: usize = 1024;
/// A line may take this part of the places that are free, so that some always are.
const SHARE: usize = 8;

/// After so many failures in a row a line rests.
const TOLERATED: u32 = 8;
/// How long it rests the first time; twice as long after each further failure.
const FIRST_REST: SignedDuration = SignedDuration::from_secs(1);
/// The longest rest.
const LONGEST_REST: SignedDuration = SignedDuration::from_secs(30);

/// What the end of a delivery's turn tells of its receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fared {
    /// It took the message.
    Well,
    /// It failed to, and may want to be left alone for a while.
    Badly(Option<SignedDuration>),
    /// Nothing: it was not asked.
    Untold,
}

/// A receiver's line.
#[derive(Debug, Clone, Copy)]
struct Line {
    width: usize,
    under_way: usize,
    /// Failures since the last success.
    failures: u32,
    /// Until when it rests for its failures.
    rests_until: Option<Timestamp>,
    /// Until when the receiver wants to be left alone.
    spared_until: Option<Timestamp>,
}

impl Line {
    fn rests(&self, now: Timestamp) -> bool {
        self.rests_until.max(self.spared_until) > Some(now)
    }

    /// Whether there is nothing left of it to remember.
    fn is_over(&self, now: Timestamp) -> bool {
        self.under_way == 0 && self.width >= FIRST && !self.rests(now)
    }
}

impl Default for Line {
    fn default() -> Self {
        Self {
            width: FIRST,
            under_way: 0,
            failures: 0,
            rests_until: None,
            spared_until: None,
        }
    }
}

/// All lines.
#[derive(Debug, Clone, Default)]
pub(super) struct Lines {
    lines: BTreeMap<String, Line>,
    under_way: usize,
}

impl Lines {
    /// How many more may be sent to this receiver now.
    pub fn room_of(&self, receiver: &str) -> usize {
        let line = self.lines.get(receiver).copied().unwrap_or_default();
        // The last places are for those who have none.
        let fair = match line.under_way {
            0 => self.room().min(1).max(self.room() / SHARE),
            _ => self.room() / SHARE,
        };
        line.width.saturating_sub(line.under_way).min(fair)
    }

    /// Whether this receiver is left alone for now.
    pub fn rests(&self, receiver: &str, now: Timestamp) -> bool {
        self.lines.get(receiver).is_some_and(|line| line.rests(now))
    }

    /// How many more may be sent to anybody.
    pub fn room(&self) -> usize {
        PLACES.saturating_sub(self.under_way)
    }

    /// One is on its way.
    pub fn begin(&mut self, receiver: &str) {
        self.lines.entry(receiver.to_owned()).or_default().under_way += 1;
        self.under_way += 1;
    }

    /// One has come to its end.
    pub fn end(&mut self, receiver: &str, fared: Fared, now: Timestamp) {
        let Some(line) = self.lines.get_mut(receiver) else {
            return;
        };
        line.under_way = line.under_way.saturating_sub(1);
        self.under_way = self.under_way.saturating_sub(1);
        match fared {
            // What the receiver asked for stands: this message left before that.
            Fared::Well => {
                line.width = WIDEST.min(line.width + 1);
                line.failures = 0;
                line.rests_until = None;
            }
            Fared::Badly(wish) => {
                line.width = (line.width / 2).max(1);
                line.failures = line.failures.saturating_add(1);
                let after = |pause: SignedDuration| now.checked_add(pause).ok();
                let until = rest(line.failures).and_then(after);
                line.rests_until = line.rests_until.max(until);
                line.spared_until = line.spared_until.max(wish.and_then(after));
            }
            Fared::Untold => {}
        }
        if line.is_over(now) {
            self.lines.remove(receiver);
        }
    }

    /// Forgets the lines that have rested and of which nothing else is left to remember.
    pub fn forget(&mut self, now: Timestamp) {
        self.lines.retain(|_, line| !line.is_over(now));
    }
}

/// How long a line rests after so many failures in a row.
fn rest(failures: u32) -> Option<SignedDuration> {
    let beyond = failures.checked_sub(TOLERATED)?;
    let doubled = 1_i32.checked_shl(beyond).filter(|factor| *factor > 0);
    let rest = doubled.map_or(LONGEST_REST, |factor| FIRST_REST * factor);
    Some(rest.min(LONGEST_REST))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn who_fails_many_times_in_a_row_rests() {
        let mut lines = Lines::default();
        for failures in 1..40 {
            lines.begin("dead");
            lines.end("dead", Fared::Badly(None), NOW);
            let rests = [1, 2, 4, 8, 16, 30].map(|second| {
                lines.rests(
                    "dead",
                    NOW + SignedDuration::from_millis(second * 1_000 - 1),
                )
            });
            let longest = rests.iter().filter(|rests| **rests).count();
            let expected = usize::try_from((failures - TOLERATED as i32 + 1).clamp(0, 6)).unwrap();
            assert_eq!(longest, expected, "after {failures} failures");
            assert!(!lines.rests("dead", NOW + LONGEST_REST));
            assert!(!lines.rests("another", NOW));
        }
        lines.begin("dead");
        lines.end("dead", Fared::Well, NOW);
        assert!(!lines.rests("dead", NOW), "it lives");
    }

    fn fill(lines: &mut Lines, receiver: &str) -> usize {
        let room = lines.room_of(receiver);
        for _ in 0..room {
            lines.begin(receiver);
        }
        room
    }

    #[test]
    fn success_widens_and_failure_narrows() {
        let mut lines = Lines::default();
        assert_eq!(fill(&mut lines, "a"), FIRST);
        for _ in 0..1_000 {
            lines.end("a", Fared::Well, NOW);
            while lines.room_of("a") > 0 {
                lines.begin("a");
            }
        }
        assert_eq!(lines.under_way, WIDEST);
        lines.end("a", Fared::Badly(None), NOW);
        assert_eq!(lines.room_of("a"), 0, "half as wide, and still as full");
        for _ in 1..WIDEST {
            lines.end("a", Fared::Badly(None), NOW);
        }
        assert_eq!(
            lines.room_of("a"),
            1,
            "a receiver that only fails is still tried"
        );
    }

    #[test]
    fn a_hanging_receiver_takes_no_room_of_others() {
        let mut lines = Lines::default();
        assert_eq!(fill(&mut lines, "hanging"), FIRST);
        assert_eq!(lines.room_of("hanging"), 0);
        assert_eq!(lines.room_of("well"), FIRST);
    }

    #[test]
    fn there_are_only_so_many_places() {
        let mut lines = Lines::default();
        let filled: usize = (0..1_000)
            .map(|number| fill(&mut lines, &number.to_string()))
            .sum();
        assert_eq!(filled, PLACES);
        assert_eq!(lines.room_of("another"), 0);
    }

    #[test]
    fn lines_without_a_past_are_forgotten() {
        let mut lines = Lines::default();
        lines.begin("a");
        lines.end("a", Fared::Well, NOW);
        lines.end("unknown", Fared::Well, NOW);
        assert!(lines.lines.is_empty());
        assert_eq!(lines.room(), PLACES);
    }

    const WISH: SignedDuration = SignedDuration::from_secs(600);

    /// The last moment at which a receiver with a [`WISH`] is to be left alone.
    fn shortly_before_its_end() -> Timestamp {
        NOW + WISH - SignedDuration::from_millis(1)
    }

    #[test]
    fn a_success_does_not_end_what_the_receiver_asked_for() {
        let mut lines = Lines::default();
        for _ in 0..3 {
            lines.begin("a");
        }
        lines.end("a", Fared::Badly(Some(WISH)), NOW);
        lines.end("a", Fared::Well, NOW);
        assert!(lines.rests("a", shortly_before_its_end()));
        // Nor does a shorter wish.
        lines.end("a", Fared::Badly(Some(WISH / 2)), NOW);
        assert!(lines.rests("a", shortly_before_its_end()));
        assert!(!lines.rests("a", NOW + WISH));
    }

    #[test]
    fn a_line_is_not_forgotten_while_it_rests() {
        let mut lines = Lines::default();
        lines.begin("a");
        for _ in 0..8 {
            lines.begin("a");
            lines.end("a", Fared::Well, NOW);
        }
        assert_eq!(lines.room_of("a"), FIRST + 8 - 1);
        lines.end("a", Fared::Badly(Some(WISH)), NOW);
        assert_eq!(lines.room(), PLACES);
        lines.forget(shortly_before_its_end());
        assert!(lines.rests("a", shortly_before_its_end()));
        lines.forget(NOW + WISH);
        assert!(lines.lines.is_empty());
    }
}
