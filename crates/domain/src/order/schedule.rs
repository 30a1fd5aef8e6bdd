//! When the customer of a held order is reminded, and how long it is held.
//!
//! Steps are instants counted from when the order came to be held. Whoever comes late to several of
//! them takes the newest alone: nobody is sent a backlog. What is done with is remembered as the
//! instant of the last reminder, never by the number of its step: an operator may change the
//! schedule while orders wait, and no step is then left out or taken twice.

use std::sync::Arc;

use jiff::Timestamp;

use crate::span::Span;

/// The reminders and the deadline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    deadline: Span,
    /// Shared: whoever may write an order carries them along.
    reminders: Arc<[Span]>,
}

/// Why reminders and deadline make no schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// A reminder does not come after the one before it.
    #[error("each reminder must come after the one before it")]
    NotAscending,
    /// A reminder does not come before the deadline.
    #[error("each reminder must come before the deadline")]
    NotBeforeTheDeadline,
}

impl Schedule {
    /// Reminders in ascending order, all of them before the deadline. There may be none.
    ///
    /// # Errors
    /// [`ScheduleError`] says what is wrong.
    pub fn new(deadline: Span, reminders: Vec<Span>) -> Result<Self, ScheduleError> {
        // Calendar years have no length of their own; orders are placed in these years.
        let at = |span: &Span| span.after(Timestamp::UNIX_EPOCH);
        if !reminders.is_sorted_by(|one, other| at(one) < at(other)) {
            return Err(ScheduleError::NotAscending);
        }
        if reminders.iter().any(|span| at(span) >= at(&deadline))
            || at(&deadline) == Timestamp::UNIX_EPOCH
        {
            return Err(ScheduleError::NotBeforeTheDeadline);
        }
        Ok(Self {
            deadline,
            reminders: reminders.into(),
        })
    }

    /// How many reminders there are; their numbers are those below.
    #[must_use]
    pub fn steps(&self) -> u32 {
        u32::try_from(self.reminders.len()).unwrap_or(u32::MAX)
    }

    /// Until when an order is held that came to be held at `from`.
    #[must_use]
    pub fn deadline(&self, from: Timestamp) -> Timestamp {
        self.deadline.after(from)
    }

    /// The number of the newest reminder whose time has come, if that was after the last one was
    /// sent. Those before it are past and done with, whether or not they were sent.
    #[must_use]
    pub fn due(
        &self,
        from: Timestamp,
        reminded_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Option<u32> {
        let newest = self.instants(from).filter(|(_, at)| *at <= now).last();
        let is_new = |at| reminded_at.is_none_or(|reminded_at| reminded_at < at);
        newest.filter(|(_, at)| is_new(*at)).map(|(step, _)| step)
    }

    /// When the next thing is to happen to a held order: a reminder, or its own deadline.
    #[must_use]
    pub fn next(&self, from: Timestamp, deadline: Timestamp, now: Timestamp) -> Timestamp {
        let mut to_come = self.instants(from).filter(|(_, at)| *at > now);
        to_come.next().map_or(deadline, |(_, at)| at.min(deadline))
    }

    fn instants(&self, from: Timestamp) -> impl Iterator<Item = (u32, Timestamp)> {
        let instants = self.reminders.iter().map(move |span| span.after(from));
        (0..).zip(instants)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;
    use proptest::prelude::*;

    const HOUR: u64 = 3_600;

    fn hours(hours: u64) -> Span {
        Span::seconds(hours * HOUR)
    }

    fn usual() -> Schedule {
        Schedule::new(hours(72), [0, 24, 48, 68].map(hours).to_vec()).unwrap()
    }

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    #[test]
    fn each_step_is_due_from_its_instant_on() {
        let second = SignedDuration::from_secs(1);
        let mut last = None;
        for (step, hour) in [(0, 0), (1, 24), (2, 48), (3, 68)] {
            assert_eq!(usual().due(at(0), last, at(hour)), Some(step));
            assert_eq!(usual().due(at(0), last, at(hour) - second), None);
            last = Some(at(hour));
            assert_eq!(usual().due(at(0), last, at(hour)), None, "done");
        }
        assert_eq!(usual().deadline(at(0)), at(72));
        assert_eq!(usual().steps(), 4);
    }

    #[test]
    fn whoever_comes_late_takes_the_newest_alone() {
        assert_eq!(usual().due(at(0), None, at(50)), Some(2));
        assert_eq!(usual().due(at(0), Some(at(1)), at(71)), Some(3));
    }

    #[test]
    fn whoever_was_reminded_late_is_not_reminded_of_what_was_due_before() {
        let more = Schedule::new(hours(72), [0, 24, 48, 49, 68].map(hours).to_vec()).unwrap();
        assert_eq!(more.due(at(0), Some(at(50)), at(50)), None);
        assert_eq!(more.due(at(0), Some(at(50)), at(68)), Some(4));
    }

    #[test]
    fn the_next_instant_is_a_step_or_the_deadline() {
        let next = |now| usual().next(at(0), at(72), at(now));
        for (now, expected) in [
            (-1, 0),
            (0, 24),
            (23, 24),
            (24, 48),
            (67, 68),
            (68, 72),
            (99, 72),
        ] {
            assert_eq!(next(now), at(expected), "at {now} h");
        }
        // An order keeps the deadline that it was placed with.
        assert_eq!(usual().next(at(0), at(12), at(0)), at(12));
    }

    #[test]
    fn only_ascending_steps_below_the_deadline_make_a_schedule() {
        let of = |deadline, steps: &[u64]| {
            Schedule::new(
                hours(deadline),
                steps.iter().map(|step| hours(*step)).collect(),
            )
            .err()
        };
        assert_eq!(of(72, &[]), None);
        assert_eq!(of(1, &[0]), None);
        assert_eq!(of(72, &[0, 24, 24]), Some(ScheduleError::NotAscending));
        assert_eq!(of(72, &[24, 0]), Some(ScheduleError::NotAscending));
        assert_eq!(of(72, &[0, 72]), Some(ScheduleError::NotBeforeTheDeadline));
        assert_eq!(of(0, &[]), Some(ScheduleError::NotBeforeTheDeadline));
    }

    proptest! {
        #[test]
        fn looking_often_or_once_ends_at_the_same_step(
            steps in prop::collection::btree_set(0_u64..72, 0..6),
            mut looks in prop::collection::vec(0_i64..72, 1..12)
        ) {
            let schedule = Schedule::new(hours(72), steps.into_iter().map(hours).collect()).unwrap();
            looks.sort_unstable();
            let mut done = Vec::new();
            let mut reminded_at = None;
            for now in &looks {
                if let Some(step) = schedule.due(at(0), reminded_at, at(*now)) {
                    done.push(step);
                    reminded_at = Some(at(*now));
                }
            }
            let last = looks.last().copied().unwrap();
            prop_assert_eq!(done.last().copied(), schedule.due(at(0), None, at(last)));
            prop_assert!(done.is_sorted_by(|one, other| one < other), "never the same step twice");
        }

        #[test]
        fn each_step_of_the_new_schedule_that_comes_is_taken_once(
            old in prop::collection::btree_set(0_u64..72, 0..6),
            new in prop::collection::btree_set(0_u64..72, 0..6),
            change in 0_i64..72
        ) {
            let [old, new] = [old, new]
                .map(|steps| Schedule::new(hours(72), steps.into_iter().map(hours).collect()).unwrap());
            let mut reminders = Vec::new();
            for now in 0..72 {
                let schedule = if now < change { &old } else { &new };
                if schedule.due(at(0), reminders.last().copied(), at(now)).is_some() {
                    reminders.push(at(now));
                }
            }
            let to_come = new.instants(at(0)).filter(|(_, step)| *step > at(change));
            for (_, step) in to_come {
                prop_assert!(reminders.contains(&step));
            }
            prop_assert!(reminders.is_sorted_by(|one, other| one < other));
        }

        #[test]
        fn nothing_is_due_between_now_and_the_next_instant(
            steps in prop::collection::btree_set(0_u64..72, 0..6), now in 0_i64..72
        ) {
            let schedule = Schedule::new(hours(72), steps.into_iter().map(hours).collect()).unwrap();
            let next = schedule.next(at(0), at(72), at(now));
            prop_assert!(next > at(now));
            let just_before = next - SignedDuration::from_secs(1);
            let both = [at(now), just_before].map(|now| schedule.due(at(0), None, now));
            prop_assert_eq!(both[0], both[1]);
        }
    }
}
