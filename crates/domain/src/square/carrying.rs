//! What a merge carries: which proofs follow, and what the two customers' changes add up to.

use crate::standing::{Proof, ProofState, Standing};

/// Whether a proof is about the person, whatever address the person is written to. An agreement to
/// get mail is about an address: it says nothing of another one.
#[must_use]
pub const fn follows_the_person(proof: Proof) -> bool {
    match proof {
        Proof::Veriff | Proof::Membership => true,
        Proof::EmailOptin => false,
    }
}

/// What is held by a customer into whom others were merged: of each proof that follows the person,
/// the change that happened last, whoever of them it came to. Of two at one instant the withdrawal
/// stands.
#[must_use]
pub fn held<'a>(own: &Standing, merged: impl IntoIterator<Item = &'a Standing>) -> Standing {
    let mut held = *own;
    for other in merged {
        for proof in Proof::ALL
            .into_iter()
            .filter(|one| follows_the_person(*one))
        {
            let state = held.state_mut(proof);
            *state = later(*state, *other.proof(proof));
        }
    }
    held
}

fn later(one: ProofState, other: ProofState) -> ProofState {
    let rank = |state: &ProofState| (state.occurred_at, !state.given);
    if rank(&other) > rank(&one) {
        other
    } else {
        one
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::standing::Change;

    fn standing(changes: &[(Proof, bool, i64)]) -> Standing {
        let mut standing = Standing::default();
        for (proof, status, second) in changes {
            let change = Change {
                status: *status,
                occurred_at: Timestamp::from_second(*second).unwrap(),
            };
            standing.apply(*proof, change);
        }
        standing
    }

    #[test]
    fn the_change_that_happened_last_is_held() {
        let own = standing(&[(Proof::Veriff, true, 5), (Proof::Membership, true, 5)]);
        let merged = standing(&[(Proof::Veriff, false, 7), (Proof::Membership, false, 3)]);
        let held = held(&own, [&merged]);
        assert!(!held.veriff.given, "a later denial follows as well");
        assert_eq!(held.membership, own.membership);
    }

    #[test]
    fn at_one_instant_the_withdrawal_stands() {
        let given = standing(&[(Proof::Veriff, true, 5)]);
        let withdrawn = standing(&[(Proof::Veriff, false, 5)]);
        assert!(!held(&given, [&withdrawn]).veriff.given);
        assert!(!held(&withdrawn, [&given]).veriff.given);
    }

    #[test]
    fn an_address_that_agreed_to_mail_is_not_another_one() {
        let merged = standing(&[(Proof::EmailOptin, true, 9)]);
        assert_eq!(held(&Standing::default(), [&merged]), Standing::default());
        let withdrawn = standing(&[(Proof::EmailOptin, false, 9)]);
        let own = standing(&[(Proof::EmailOptin, true, 1)]);
        assert_eq!(held(&own, [&withdrawn]), own);
    }

    fn any_standing() -> impl Strategy<Value = Standing> {
        let change = (
            prop::sample::select(&Proof::ALL[..]),
            any::<bool>(),
            0_i64..4,
        );
        proptest::collection::vec(change, 0..6).prop_map(|changes| standing(&changes))
    }

    proptest! {
        #[test]
        fn neither_order_nor_repetition_matters(
            own in any_standing(),
            (told, shuffled) in proptest::collection::vec(any_standing(), 0..4).prop_flat_map(|list| {
                let twice = [list.clone(), list.clone()].concat();
                (Just(list), Just(twice).prop_shuffle())
            }),
        ) {
            prop_assert_eq!(held(&own, &told), held(&own, &shuffled));
        }

        #[test]
        fn nothing_is_held_that_nobody_proved(own in any_standing(), merged in any_standing()) {
            let held = held(&own, [&merged]);
            for proof in Proof::ALL {
                let somebody = own.proof(proof).given || merged.proof(proof).given;
                prop_assert!(somebody || !held.proof(proof).given);
            }
        }
    }
}
