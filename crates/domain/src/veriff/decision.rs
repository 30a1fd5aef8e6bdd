//! A decision, and which of two decisions on one session stands.

use std::cmp::Ordering;

use jiff::Timestamp;

/// What was decided on a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// The document is genuine and its holder's.
    Approved,
    /// It is not, or that cannot be said.
    Declined,
    /// The customer may try again, in the same session.
    ResubmissionRequested,
    /// The session was never opened, and is over.
    Expired,
    /// The session was opened but not finished, and is over.
    Abandoned,
    /// People at Veriff look at it.
    Review,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Approved,
        Self::Declined,
        Self::ResubmissionRequested,
        Self::Expired,
        Self::Abandoned,
        Self::Review,
    ];

    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Declined => "declined",
            Self::ResubmissionRequested => "resubmission_requested",
            Self::Expired => "expired",
            Self::Abandoned => "abandoned",
            Self::Review => "review",
        }
    }

    /// Reads the word on the wire; `None` for one that is not documented.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// Whether somebody looked at a document and came to a conclusion. What only says that a session
    /// is over, or is being looked at, never takes the place of a conclusion.
    #[must_use]
    pub const fn is_conclusion(self) -> bool {
        match self {
            Self::Approved | Self::Declined | Self::ResubmissionRequested => true,
            Self::Expired | Self::Abandoned | Self::Review => false,
        }
    }

    /// Among decisions of the same instant the one that proves less stands.
    const fn doubt(self) -> u8 {
        match self {
            Self::Approved | Self::Review => 0,
            Self::ResubmissionRequested | Self::Abandoned => 1,
            Self::Declined | Self::Expired => 2,
        }
    }
}

/// A decision on a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decided {
    /// What was decided.
    pub status: Status,
    /// When; `None` if that cannot be read.
    pub at: Option<Timestamp>,
}

impl Decided {
    /// Whether this decision takes the place of the one that stands, if any does: a conclusion takes
    /// that of what is none, and otherwise the later one stands. An equal decision changes nothing.
    #[must_use]
    pub fn supersedes(&self, standing: Option<&Self>) -> bool {
        standing.is_none_or(|standing| self.cmp_weight(standing) == Ordering::Greater)
    }

    /// A total order: the one that stands is the greatest, whatever order they came in.
    fn cmp_weight(&self, other: &Self) -> Ordering {
        let weight = |decided: &Self| {
            let status = decided.status;
            (status.is_conclusion(), decided.at, status.doubt())
        };
        weight(self).cmp(&weight(other))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decided(status: Status, second: i64) -> Decided {
        Decided {
            status,
            at: Some(Timestamp::from_second(second).unwrap()),
        }
    }

    /// What stands after these have come.
    fn standing(decisions: &[Decided]) -> Option<Decided> {
        let take = |standing: Option<Decided>, decision: &Decided| match decision
            .supersedes(standing.as_ref())
        {
            true => Some(*decision),
            false => standing,
        };
        decisions.iter().fold(None, take)
    }

    #[test]
    fn every_status_finds_its_way_back() {
        for status in Status::ALL {
            assert_eq!(Status::parse(status.as_str()), Some(status));
        }
        for word in ["", "Approved", "9001", "success", "created", "submitted"] {
            assert_eq!(Status::parse(word), None, "{word}");
        }
    }

    #[test]
    fn the_end_of_a_session_takes_no_conclusion_away() {
        for conclusion in [Status::Approved, Status::Declined] {
            for end in [Status::Expired, Status::Abandoned, Status::Review] {
                let (first, later) = (decided(conclusion, 1), decided(end, 2));
                assert!(!later.supersedes(Some(&first)), "{conclusion:?} {end:?}");
                assert!(first.supersedes(Some(&later)), "{conclusion:?} {end:?}");
            }
        }
    }

    #[test]
    fn the_later_conclusion_stands() {
        let (approved, declined) = (decided(Status::Approved, 1), decided(Status::Declined, 2));
        assert!(declined.supersedes(Some(&approved)) && !approved.supersedes(Some(&declined)));
        let again = decided(Status::ResubmissionRequested, 3);
        assert!(again.supersedes(Some(&declined)));
        let unknown = Decided {
            status: Status::Approved,
            at: None,
        };
        assert!(!unknown.supersedes(Some(&approved)));
    }

    #[test]
    fn of_one_instant_the_approval_does_not_stand() {
        let (approved, declined) = (decided(Status::Approved, 1), decided(Status::Declined, 1));
        assert!(declined.supersedes(Some(&approved)) && !approved.supersedes(Some(&declined)));
    }

    fn any_decided() -> impl Strategy<Value = Decided> {
        let status = prop::sample::select(Status::ALL.to_vec());
        let at = prop::option::of(0_i64..6);
        (status, at).prop_map(|(status, at)| Decided {
            status,
            at: at.map(|second| Timestamp::from_second(second).unwrap()),
        })
    }

    proptest! {
        #[test]
        fn in_any_order_and_repeated_the_same_one_stands(
            decisions in prop::collection::vec(any_decided(), 1..8),
            again in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
            order in any::<u64>(),
        ) {
            let mut shuffled = decisions.clone();
            shuffled.extend(again.iter().map(|index| *index.get(&decisions)));
            // A shuffle that the number decides.
            let mut seed = order;
            for at in (1..shuffled.len()).rev() {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                shuffled.swap(at, usize::try_from(seed >> 33).unwrap() % (at + 1));
            }
            prop_assert_eq!(standing(&decisions), standing(&shuffled));
        }

        #[test]
        fn a_conclusion_once_reached_is_never_lost(
            before in any_decided(),
            after in any_decided(),
        ) {
            let stands = standing(&[before, after]).unwrap();
            if before.status.is_conclusion() {
                prop_assert!(stands.status.is_conclusion());
            }
        }
    }
}
