//! What a decision does to the proof of identity, whatever came before it or comes after.
//!
//! A session says of the proof what its last approval or refusal says, as of when that was decided; an
//! approval that is no more than "try again" by now says that nothing is proven, as of the same
//! instant. So what a session has said takes nothing away from what is said later elsewhere, by
//! another session or by the shop, and it makes no difference in which order decisions come.

use jiff::Timestamp;

use super::{Decided, Verdict};
use crate::standing::Change;

/// A decision, and what it means here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// What was decided.
    pub decided: Decided,
    /// What that means.
    pub verdict: Verdict,
}

impl Judgement {
    /// What becomes of the proof when this comes to a session of which another judgement stands, or
    /// none. What was decided at no known time, or in the future, was decided `now`.
    #[must_use]
    pub fn change(&self, standing: Option<&Self>, now: Timestamp) -> Option<Change> {
        let at = |judged: &Self| judged.decided.at.map_or(now, |at| at.min(now));
        let before = standing.and_then(|standing| standing.verdict.says());
        let taken_back = |judged: &Self| Change {
            status: false,
            occurred_at: at(judged),
        };
        let stands = self
            .decided
            .supersedes(standing.map(|standing| &standing.decided));
        match (stands, self.verdict.says(), standing) {
            (true, Some(status), _) => Some(Change {
                status,
                occurred_at: at(self),
            }),
            // A refusal that is no more than "try again" stays one, as of when it was.
            (true, None, Some(standing)) if before == Some(true) => Some(taken_back(standing)),
            // It comes late, and was taken back before it came.
            (false, Some(_), Some(_)) if before.is_none() => Some(taken_back(self)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::standing::{Proof, ProofState, Standing};
    use crate::veriff::{Reason, Status};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn judged(status: Status, verdict: Verdict, second: i64) -> Judgement {
        let decided = Decided {
            status,
            at: Some(at(second)),
        };
        Judgement { decided, verdict }
    }

    fn approved(second: i64) -> Judgement {
        judged(Status::Approved, Verdict::Approved, second)
    }

    fn again(second: i64) -> Judgement {
        judged(Status::ResubmissionRequested, Verdict::Open, second)
    }

    fn change(status: bool, second: i64) -> Change {
        Change {
            status,
            occurred_at: at(second),
        }
    }

    #[test]
    fn what_is_taken_back_is_so_as_of_when_it_was_given() {
        let now = at(100);
        assert_eq!(approved(1).change(None, now), Some(change(true, 1)));
        let taken_back = Some(change(false, 1));
        assert_eq!(again(5).change(Some(&approved(1)), now), taken_back);
        assert_eq!(approved(1).change(Some(&again(5)), now), taken_back);
        assert_eq!(again(5).change(None, now), None);
        let refused = judged(Status::Approved, Verdict::Refused(Reason::TooYoung), 3);
        assert_eq!(
            refused.change(Some(&approved(1)), now),
            Some(change(false, 3))
        );
        assert_eq!(again(5).change(Some(&refused), now), None);
        assert_eq!(approved(1).change(Some(&refused), now), None);
        assert_eq!(approved(1).change(Some(&approved(1)), now), None);
    }

    #[test]
    fn nothing_happens_in_the_future() {
        assert_eq!(approved(7).change(None, at(2)), Some(change(true, 2)));
    }

    /// What is said of one customer: by a session, or by the shop.
    #[derive(Clone, Copy, Debug)]
    enum Said {
        Veriff(usize, Judgement),
        Shop(Change),
    }

    fn any_said() -> impl Strategy<Value = (Option<usize>, Status, u8)> {
        let status = prop::sample::select(Status::ALL.to_vec());
        (prop::option::weighted(0.9, 0_usize..3), status, 0_u8..4)
    }

    /// Each at an instant of its own.
    fn said((number, (session, status, kind)): (i64, (Option<usize>, Status, u8))) -> Said {
        let Some(session) = session else {
            return Said::Shop(change(kind % 2 == 0, number));
        };
        let verdict = match status {
            Status::Approved if kind == 0 => Verdict::Refused(Reason::TooYoung),
            Status::Approved if kind == 1 => Verdict::Manual(Reason::BirthDateUnclear),
            Status::Approved => Verdict::Approved,
            Status::Declined => Verdict::Refused(Reason::Declined),
            Status::ResubmissionRequested | Status::Review => Verdict::Open,
            Status::Expired | Status::Abandoned => Verdict::Lapsed,
        };
        Said::Veriff(session, judged(status, verdict, number))
    }

    /// What is proven after all that.
    fn proven(told: &[Said]) -> ProofState {
        let mut standing = Standing::default();
        let mut sessions = [None::<Judgement>; 3];
        for said in told {
            let change = match said {
                Said::Shop(change) => Some(*change),
                Said::Veriff(session, judgement) => {
                    let stands = &mut sessions[*session];
                    let change = judgement.change(stands.as_ref(), at(1_000));
                    let before = stands.as_ref().map(|before| &before.decided);
                    if judgement.decided.supersedes(before) {
                        *stands = Some(*judgement);
                    }
                    change
                }
            };
            if let Some(change) = change {
                standing.apply(Proof::Veriff, change);
            }
        }
        standing.veriff
    }

    proptest! {
        #[test]
        fn in_any_order_and_repeated_the_same_is_proven(
            (told, shuffled) in proptest::collection::vec(any_said(), 1..8).prop_flat_map(|list| {
                let told: Vec<Said> = (0..).zip(list).map(said).collect();
                let twice = [told.clone(), told.clone()].concat();
                (Just(told), Just(twice).prop_shuffle())
            })
        ) {
            prop_assert_eq!(proven(&told), proven(&shuffled));
        }
    }
}
