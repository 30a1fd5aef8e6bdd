//! Floods of refused requests, recorded as counts.
//!
//! The first refusals of an address are recorded one by one. When they come
//! faster than that, a record *opens* a flood: durable before the answer it
//! belongs to leaves, it says that refusals of this kind from this address
//! follow, uncounted, for one window. They are counted in memory, and when the
//! window is over one record tells how many they were. Whoever pulls the plug in
//! between loses the exact number, never the fact.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// How long a window is.
const WINDOW: SignedDuration = SignedDuration::from_secs(10);

/// Refusals of one kind from one address that are recorded one by one per window.
const ONE_BY_ONE: u64 = 50;

/// Addresses watched at once; when there are more, all are recorded one by one.
const WATCHED: usize = 50_000;

/// What a flood is made of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    pub address: IpAddr,
    /// Whose requests, and by which credential; nobody's are empty. Of callers behind one address
    /// each has floods of its own.
    pub company: Arc<str>,
    pub credential: Arc<str>,
    pub action: &'static str,
    pub code: &'static str,
    pub status: u16,
}

/// What to do with a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Advice {
    /// Record it.
    Record,
    /// Record it, as the opening of a flood.
    Open,
    /// It is covered by the record that opened the flood.
    Covered,
}

/// A window that is over, and how many refusals only counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ended {
    pub kind: Kind,
    pub from: Timestamp,
    pub counted: u64,
}

struct Window {
    from: Timestamp,
    seen: u64,
    open: bool,
}

/// The windows of all addresses.
#[derive(Default)]
pub(super) struct Floods {
    windows: Mutex<HashMap<Kind, Window>>,
    /// Windows that are over and could not be recorded yet. No more than were open
    /// when the database went away: without it none opens.
    unrecorded: Mutex<Vec<Ended>>,
}

impl Floods {
    /// Notes a refusal.
    pub fn note(&self, kind: Kind, now: Timestamp) -> Advice {
        let mut windows = self.windows();
        if windows.len() >= WATCHED && !windows.contains_key(&kind) {
            return Advice::Record;
        }
        let window = windows.entry(kind).or_insert(Window {
            from: now,
            seen: 0,
            open: false,
        });
        if !window.open && now.duration_since(window.from) >= WINDOW {
            *window = Window {
                from: now,
                seen: 0,
                open: false,
            };
        }
        window.seen += 1;
        match window.seen {
            ..ONE_BY_ONE => Advice::Record,
            ONE_BY_ONE => Advice::Open,
            _ if window.open => Advice::Covered,
            _ => Advice::Record,
        }
    }

    /// Notes that the record which opens a flood is durable.
    pub fn opened(&self, kind: &Kind, now: Timestamp) {
        if let Some(window) = self.windows().get_mut(kind) {
            *window = Window {
                from: now,
                seen: ONE_BY_ONE,
                open: true,
            };
        }
    }

    /// Takes out the windows that are over (all of them when `closing`); those
    /// with counts come back, behind those that were put back.
    pub fn ended(&self, now: Timestamp, closing: bool) -> Vec<Ended> {
        let mut ended = std::mem::take(&mut *held(&self.unrecorded));
        self.windows().retain(|kind, window| {
            let over = closing || now.duration_since(window.from) >= WINDOW;
            if over && window.open && window.seen > ONE_BY_ONE {
                let counted = window.seen - ONE_BY_ONE;
                ended.push(Ended {
                    kind: kind.clone(),
                    from: window.from,
                    counted,
                });
            }
            !over
        });
        ended
    }

    /// Keeps what could not be recorded until it is asked for again.
    pub fn put_back(&self, ended: impl IntoIterator<Item = Ended>) {
        held(&self.unrecorded).extend(ended);
    }

    fn windows(&self) -> MutexGuard<'_, HashMap<Kind, Window>> {
        held(&self.windows)
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(last: u8) -> Kind {
        Kind {
            address: IpAddr::from([127, 0, 0, last]),
            company: Arc::default(),
            credential: Arc::default(),
            action: "customer.check",
            code: "unauthenticated",
            status: 401,
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    #[test]
    fn every_refusal_is_recorded_or_counted_once() {
        let floods = Floods::default();
        let mut recorded = 0;
        let mut covered = 0;
        for _ in 0..1000 {
            match floods.note(kind(1), at(0)) {
                Advice::Record => recorded += 1,
                Advice::Open => {
                    recorded += 1;
                    floods.opened(&kind(1), at(0));
                }
                Advice::Covered => covered += 1,
            }
        }
        assert_eq!(recorded, ONE_BY_ONE);
        assert_eq!(floods.ended(at(5), false), []);
        let ended = floods.ended(at(10), false);
        assert_eq!(
            ended,
            [Ended {
                kind: kind(1),
                from: at(0),
                counted: covered
            }]
        );
        assert_eq!(recorded + covered, 1000);
        assert_eq!(floods.note(kind(1), at(10)), Advice::Record);
    }

    #[test]
    fn nothing_is_covered_before_the_opening_record_is_durable() {
        let floods = Floods::default();
        for _ in 0..ONE_BY_ONE + 10 {
            assert_ne!(floods.note(kind(1), at(0)), Advice::Covered);
        }
    }

    #[test]
    fn slow_refusals_are_no_flood() {
        let floods = Floods::default();
        for second in 0..1000 {
            assert_eq!(floods.note(kind(1), at(second)), Advice::Record);
        }
        assert_eq!(floods.ended(at(2000), false), []);
    }

    #[test]
    fn addresses_do_not_add_up() {
        let floods = Floods::default();
        for last in 0..=255 {
            assert_eq!(floods.note(kind(last), at(0)), Advice::Record);
        }
    }
}
