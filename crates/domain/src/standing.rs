//! What is proven about a customer, and what is missing.
//!
//! Proofs reach us from several senders, late and out of order. The state after a set of changes
//! with distinct times is the same whatever order they came in: for each proof, the change that
//! *happened* last decides.

use jiff::Timestamp;

/// A kind of proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Proof {
    /// The customer's ID was approved.
    Veriff,
    /// The membership agreement was signed.
    Membership,
    /// The customer agreed to receive e-mail.
    EmailOptin,
}

/// A word that is no kind of proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected veriff, membership or email_optin")]
pub struct UnknownProof;

impl Proof {
    /// Every kind, in the order they are shown.
    pub const ALL: [Self; 3] = [Self::Veriff, Self::Membership, Self::EmailOptin];

    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Veriff => "veriff",
            Self::Membership => "membership",
            Self::EmailOptin => "email_optin",
        }
    }

    /// The name of the field that tells whether the proof is given.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::Veriff => "veriff_approved",
            Self::Membership => "membership_signed",
            Self::EmailOptin => "email_optin",
        }
    }

    /// Reads the word on the wire.
    ///
    /// # Errors
    /// [`UnknownProof`], which lists the words there are.
    pub fn parse(word: &str) -> Result<Self, UnknownProof> {
        Self::ALL
            .into_iter()
            .find(|proof| proof.as_str() == word)
            .ok_or(UnknownProof)
    }
}

/// What is known of one proof.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProofState {
    /// Whether the proof stands.
    pub given: bool,
    /// Since when it stands; nothing while it does not.
    pub date: Option<Timestamp>,
    /// When the last change happened; nothing before the first.
    pub occurred_at: Option<Timestamp>,
}

/// A proof given or withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Given (`true`) or withdrawn (`false`).
    pub status: bool,
    /// When it happened, which may be long before we hear of it.
    pub occurred_at: Timestamp,
}

impl Change {
    /// Whether it decides over something that was last changed at `known` (never, if nothing). Of
    /// two changes at the same instant the one that comes later decides, so that a sender can
    /// correct itself.
    #[must_use]
    pub fn supersedes(&self, known: Option<Timestamp>) -> bool {
        known.is_none_or(|known| known <= self.occurred_at)
    }
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The state is now what the change says.
    Changed,
    /// Something newer was known already; the state is as before.
    Stale,
}

/// How much is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// Everything.
    Full,
    /// Something, but not everything.
    Partial,
    /// Nothing.
    None,
}

/// All proofs of one customer. The default is that of a customer we have never heard of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The ID check.
    pub veriff: ProofState,
    /// The membership agreement.
    pub membership: ProofState,
    /// The agreement to receive e-mail.
    pub email_optin: ProofState,
}

impl Standing {
    /// The state of one proof.
    #[must_use]
    pub const fn proof(&self, proof: Proof) -> &ProofState {
        match proof {
            Proof::Veriff => &self.veriff,
            Proof::Membership => &self.membership,
            Proof::EmailOptin => &self.email_optin,
        }
    }

    pub(crate) const fn state_mut(&mut self, proof: Proof) -> &mut ProofState {
        match proof {
            Proof::Veriff => &mut self.veriff,
            Proof::Membership => &mut self.membership,
            Proof::EmailOptin => &mut self.email_optin,
        }
    }

    /// Takes a change in, unless something newer is known.
    pub fn apply(&mut self, proof: Proof, change: Change) -> Applied {
        let state = self.state_mut(proof);
        if !change.supersedes(state.occurred_at) {
            return Applied::Stale;
        }
        *state = ProofState {
            given: change.status,
            date: change.status.then_some(change.occurred_at),
            occurred_at: Some(change.occurred_at),
        };
        Applied::Changed
    }

    /// Whether everything is proven. With `identity_by_age` the customer's identity is proven by a
    /// valid age verification, with or without an approved ID.
    #[must_use]
    pub fn all_verified(&self, identity_by_age: bool) -> bool {
        self.missing(identity_by_age).next().is_none()
    }

    /// What is not proven yet, in the order proofs are shown.
    pub fn missing(&self, identity_by_age: bool) -> impl Iterator<Item = Proof> {
        let standing = *self;
        Proof::ALL.into_iter().filter(move |proof| {
            let stands_in = identity_by_age && *proof == Proof::Veriff;
            !stands_in && !standing.proof(*proof).given
        })
    }

    /// How much is proven: a customer counts as full exactly when [`Self::all_verified`] says so.
    #[must_use]
    pub fn completeness(&self, identity_by_age: bool) -> Completeness {
        match self.missing(identity_by_age).count() {
            0 => Completeness::Full,
            missing if missing == Proof::ALL.len() => Completeness::None,
            _ => Completeness::Partial,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn change(status: bool, second: i64) -> Change {
        Change {
            status,
            occurred_at: at(second),
        }
    }

    #[test]
    fn names_are_those_of_the_wire() {
        for proof in Proof::ALL {
            assert_eq!(Proof::parse(proof.as_str()), Ok(proof));
        }
        assert_eq!(
            Proof::ALL.map(Proof::as_str),
            ["veriff", "membership", "email_optin"]
        );
        let fields = ["veriff_approved", "membership_signed", "email_optin"];
        assert_eq!(Proof::ALL.map(Proof::field), fields);
        assert_eq!(Proof::parse("Veriff"), Err(UnknownProof));
    }

    #[test]
    fn the_newest_event_decides() {
        let mut standing = Standing::default();
        assert_eq!(
            standing.apply(Proof::Veriff, change(true, 20)),
            Applied::Changed
        );
        assert_eq!(
            standing.apply(Proof::Veriff, change(false, 10)),
            Applied::Stale
        );
        assert_eq!(standing.veriff.date, Some(at(20)));
        assert_eq!(
            standing.apply(Proof::Membership, change(true, 10)),
            Applied::Changed
        );
        assert_eq!(
            standing.apply(Proof::Veriff, change(false, 20)),
            Applied::Changed
        );
        let withdrawn = ProofState {
            given: false,
            date: None,
            occurred_at: Some(at(20)),
        };
        assert_eq!(standing.veriff, withdrawn);
        assert_eq!(
            standing.apply(Proof::Veriff, change(true, 19)),
            Applied::Stale
        );
        assert_eq!(
            standing.apply(Proof::Veriff, change(true, 21)),
            Applied::Changed
        );
        assert!(standing.veriff.given && standing.membership.given);
    }

    #[test]
    fn says_what_is_missing() {
        use Completeness::{Full, None, Partial};
        let all = Proof::ALL.to_vec();
        let rest = vec![Proof::Membership, Proof::EmailOptin];
        for (given, by_age, missing, completeness) in [
            (vec![], false, all, None),
            (vec![], true, rest.clone(), Partial),
            (vec![Proof::Veriff], false, rest.clone(), Partial),
            (vec![Proof::Veriff], true, rest.clone(), Partial),
            (rest.clone(), false, vec![Proof::Veriff], Partial),
            (rest, true, vec![], Full),
            (Proof::ALL.to_vec(), false, vec![], Full),
        ] {
            let mut standing = Standing::default();
            for proof in given {
                standing.apply(proof, change(true, 0));
            }
            assert_eq!(standing.missing(by_age).collect::<Vec<_>>(), missing);
            assert_eq!(standing.completeness(by_age), completeness);
            assert_eq!(standing.all_verified(by_age), completeness == Full);
        }
    }

    fn changes() -> impl Strategy<Value = Vec<(Proof, Change)>> {
        let one = (prop::sample::select(&Proof::ALL[..]), any::<bool>());
        prop::collection::vec(one, 0..8).prop_map(|list| {
            let numbered = list.into_iter().zip(0..);
            numbered
                .map(|((proof, status), second)| (proof, change(status, second)))
                .collect()
        })
    }

    proptest! {
        #[test]
        fn order_of_arrival_does_not_matter(
            (sorted, shuffled) in changes().prop_flat_map(|list| (Just(list.clone()), Just(list).prop_shuffle()))
        ) {
            let after = |list: &[(Proof, Change)]| {
                let mut standing = Standing::default();
                for (proof, change) in list {
                    standing.apply(*proof, *change);
                }
                standing
            };
            prop_assert_eq!(after(&sorted), after(&shuffled));
        }

        #[test]
        fn a_date_stands_exactly_with_its_proof(list in changes()) {
            let mut standing = Standing::default();
            for (proof, change) in list {
                standing.apply(proof, change);
                let state = standing.proof(proof);
                prop_assert_eq!(state.given, state.date.is_some());
            }
        }
    }
}
