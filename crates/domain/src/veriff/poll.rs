//! When to ask for a decision that no hook brought.

use jiff::{SignedDuration, Timestamp};

/// How long the address of a session may be handed out. Veriff ends a session after seven days;
/// who is sent there needs a while.
pub const LIFETIME: SignedDuration = SignedDuration::from_hours(7 * 24 - 1);

/// How long after its beginning nothing more is to be expected of a session: seven days until it
/// ends, and a day for those who decide.
pub const GIVE_UP: SignedDuration = SignedDuration::from_hours(8 * 24);

/// The shortest and the longest pause.
const PAUSES: [SignedDuration; 2] = [
    SignedDuration::from_mins(15),
    SignedDuration::from_hours(12),
];

/// When a session that began then is to be asked about after `now`: each pause is as long as half of
/// what has passed, from a quarter of an hour to twelve hours; `None` when nothing more is to be
/// expected.
#[must_use]
pub fn next_poll(began_at: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let age = now.duration_since(began_at);
    let [shortest, longest] = PAUSES;
    let pause = (age / 2).clamp(shortest, longest);
    let due = now.checked_add(pause).ok()?;
    (age < GIVE_UP).then_some(due)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_come_to_an_end() {
        let began = Timestamp::from_second(1_700_000_000).unwrap();
        let (mut now, mut count, mut before) = (began, 0, SignedDuration::ZERO);
        while let Some(due) = next_poll(began, now) {
            let pause = due.duration_since(now);
            assert!(pause >= before && pause >= PAUSES[0] && pause <= PAUSES[1]);
            (now, before, count) = (due, pause, count + 1);
        }
        assert!(now.duration_since(began) >= GIVE_UP);
        assert!((20..40).contains(&count), "{count}");
    }
}
