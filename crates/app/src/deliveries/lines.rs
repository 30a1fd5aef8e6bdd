//! How many deliveries are under way, to whom.
//!
//! Each receiver has a line of its own and a width: how many messages it gets at once. A line
//! begins narrow, widens with every success and halves with every failure, so that a receiver that
//! hangs holds few of the places there are, and delays nobody else.

use std::collections::BTreeMap;

/// How wide a line begins.
const FIRST: usize = 4;
/// How wide a line may become.
const WIDEST: usize = 64;
/// How many deliveries may be under way together.
const PLACES: usize = 512;

/// A receiver's line.
#[derive(Debug, Clone, Copy)]
struct Line {
    width: usize,
    under_way: usize,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            width: FIRST,
            under_way: 0,
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
        line.width.saturating_sub(line.under_way).min(self.room())
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
    pub fn end(&mut self, receiver: &str, delivered: bool) {
        let Some(line) = self.lines.get_mut(receiver) else {
            return;
        };
        line.under_way = line.under_way.saturating_sub(1);
        self.under_way = self.under_way.saturating_sub(1);
        line.width = if delivered {
            WIDEST.min(line.width + 1)
        } else {
            (line.width / 2).max(1)
        };
        // A line of which nothing is left to remember is forgotten.
        if line.under_way == 0 && line.width >= FIRST {
            self.lines.remove(receiver);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            lines.end("a", true);
            while lines.room_of("a") > 0 {
                lines.begin("a");
            }
        }
        assert_eq!(lines.under_way, WIDEST);
        lines.end("a", false);
        assert_eq!(lines.room_of("a"), 0, "half as wide, and still as full");
        for _ in 1..WIDEST {
            lines.end("a", false);
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
        lines.end("a", true);
        lines.end("unknown", true);
        assert!(lines.lines.is_empty());
        assert_eq!(lines.room(), PLACES);
    }
}
