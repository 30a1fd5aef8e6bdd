//! Whether a customer of Square is there, and into whom it was merged.
//!
//! Everything that happens has its time, and of each kind the last one is kept; so it makes no
//! difference in which order, or how often, we hear of it.

use jiff::Timestamp;

use crate::seal::BlindIndex;

/// A merge into another customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Merge {
    /// When.
    pub at: Timestamp,
    /// Into whom: the index of Square's id.
    pub into: BlindIndex,
}

/// What happens to a customer of Square, beside changes of what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It was deleted.
    Deleted(Timestamp),
    /// It went into another one, and is gone.
    Merged(Merge),
    /// It was brought back, after a deletion or a merge.
    Recovered(Timestamp),
}

/// What is known of all that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Life {
    /// The last time it went.
    pub ended_at: Option<Timestamp>,
    /// The last time it was brought back.
    pub recovered_at: Option<Timestamp>,
    /// The last merge.
    pub merge: Option<Merge>,
}

impl Life {
    /// Takes in what happened.
    pub fn hear(&mut self, event: Event) {
        match event {
            Event::Deleted(at) => self.ended_at = self.ended_at.max(Some(at)),
            Event::Recovered(at) => self.recovered_at = self.recovered_at.max(Some(at)),
            Event::Merged(merge) => {
                self.ended_at = self.ended_at.max(Some(merge.at));
                self.merge = self.merge.max(Some(merge));
            }
        }
    }

    /// Whether it is there.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.ended_at <= self.recovered_at
    }

    /// Into whom it is merged now: a recovery takes a merge back.
    #[must_use]
    pub fn merged_into(&self) -> Option<BlindIndex> {
        let stands = |merge: &Merge| Some(merge.at) > self.recovered_at;
        self.merge.filter(stands).map(|merge| merge.into)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn merged(second: i64, into: u8) -> Event {
        Event::Merged(Merge {
            at: at(second),
            into: index(into),
        })
    }

    fn index(number: u8) -> BlindIndex {
        BlindIndex::from_bytes(&[number; BlindIndex::LENGTH]).unwrap()
    }

    fn life(events: &[Event]) -> Life {
        let mut life = Life::default();
        for event in events {
            life.hear(*event);
        }
        life
    }

    #[test]
    fn a_customer_is_there_until_it_goes_and_when_it_is_brought_back() {
        assert!(life(&[]).is_there());
        assert!(!life(&[Event::Deleted(at(1))]).is_there());
        assert!(life(&[Event::Recovered(at(2)), Event::Deleted(at(1))]).is_there());
        assert!(!life(&[Event::Recovered(at(1)), Event::Deleted(at(2))]).is_there());
    }

    #[test]
    fn a_recovery_takes_a_merge_back_and_a_later_merge_stands() {
        let once = life(&[merged(1, 7)]);
        assert_eq!(once.merged_into(), Some(index(7)));
        assert!(!once.is_there());
        let back = life(&[Event::Recovered(at(2)), merged(1, 7)]);
        assert_eq!((back.merged_into(), back.is_there()), (None, true));
        let again = life(&[merged(3, 8), Event::Recovered(at(2)), merged(1, 7)]);
        assert_eq!(again.merged_into(), Some(index(8)));
        // A deletion alone takes no merge back.
        let deleted = life(&[merged(1, 7), Event::Deleted(at(2))]);
        assert_eq!(deleted.merged_into(), Some(index(7)));
    }

    fn events() -> impl Strategy<Value = Vec<Event>> {
        let event = (0_i64..6, 0_u8..3, 0_u8..3).prop_map(|(second, kind, into)| match kind {
            0 => Event::Deleted(at(second)),
            1 => Event::Recovered(at(second)),
            _ => merged(second, into),
        });
        proptest::collection::vec(event, 0..8)
    }

    proptest! {
        #[test]
        fn neither_order_nor_repetition_matters(
            (told, shuffled) in events().prop_flat_map(|list| {
                let twice = [list.clone(), list.clone()].concat();
                (Just(list), Just(twice).prop_shuffle())
            })
        ) {
            prop_assert_eq!(life(&told), life(&shuffled));
        }
    }
}
