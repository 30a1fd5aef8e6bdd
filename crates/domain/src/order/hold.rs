//! The hold as a state machine.
//!
//! ```text
//!                          the last proof, or staff
//!            ┌────────────────────────────────────────────► released
//!  placed ─► held                        staff ▲     ▲ staff
//!            └─ the deadline ─► expired ───────┘     │
//!                                  └─ a proof ─► late ┘
//! ```
//!
//! Every order may be cancelled, whatever its status, and stays so unless the shop that cancelled it
//! reinstates it: then it passes the gate anew. A proof that is withdrawn brings nothing back: what
//! was released has left. [`next`] is total: every occasion has an answer in every status.

use jiff::Timestamp;

use super::Status;

/// What may happen to an order after it was placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// The deadline is reached.
    Deadline,
    /// A proof of its customer was given or withdrawn.
    Proofs {
        /// Whether one is given that was missing before.
        given: bool,
        /// Whether nothing is missing now.
        complete: bool,
    },
    /// A person releases it.
    Release,
    /// The shop cancels or refunds it.
    Cancel,
    /// The shop wants it again.
    Reinstate {
        /// Whether nothing is missing now.
        complete: bool,
    },
}

/// What an occasion does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing: the order stands where it should.
    Stays,
    /// The order comes to stand elsewhere.
    Becomes(Status),
    /// Nothing: it contradicts what was decided before.
    Contradicts,
}

/// Where an order begins, of which everything, or not everything, is proven. One whose deadline is
/// already past when we hear of it is expired from the first.
#[must_use]
pub fn placed(complete: bool, deadline: Timestamp, now: Timestamp) -> Status {
    match complete {
        true => Status::Released,
        false if now >= deadline => Status::Expired,
        false => Status::Held,
    }
}

/// Whether an order waits beyond its deadline, so that [`Occasion::Deadline`] is what happens next.
#[must_use]
pub fn is_overdue(status: Status, deadline: Timestamp, now: Timestamp) -> bool {
    status == Status::Held && now >= deadline
}

/// What an occasion does to an order.
#[must_use]
pub const fn next(status: Status, occasion: Occasion) -> Next {
    use Next::{Becomes, Contradicts, Stays};
    use Occasion::{Cancel, Deadline, Proofs, Reinstate, Release};
    use Status::{Cancelled, Expired, Held, Late, Released};
    match (status, occasion) {
        (Cancelled, Cancel) => Stays,
        (_, Cancel) => Becomes(Cancelled),
        (Cancelled, Release) => Contradicts,
        (Cancelled, Reinstate { complete: true }) => Becomes(Released),
        (Cancelled, Reinstate { complete: false }) => Becomes(Held),
        (Released, Release) => Stays,
        (Held | Expired | Late, Release) => Becomes(Released),
        (Held, Deadline) => Becomes(Expired),
        (Held, Proofs { complete: true, .. }) => Becomes(Released),
        (Expired, Proofs { given: true, .. }) => Becomes(Late),
        (Released | Held | Expired | Late, Reinstate { .. }) => Stays,
        (Released | Expired | Late | Cancelled, Deadline) => Stays,
        (Held | Expired | Released | Late | Cancelled, Proofs { .. }) => Stays,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn occasion() -> impl Strategy<Value = Occasion> {
        let proofs = (any::<bool>(), any::<bool>());
        prop_oneof![
            Just(Occasion::Deadline),
            proofs.prop_map(|(given, complete)| Occasion::Proofs { given, complete }),
            Just(Occasion::Release),
            Just(Occasion::Cancel),
            any::<bool>().prop_map(|complete| Occasion::Reinstate { complete }),
        ]
    }

    fn after(status: Status, occasion: Occasion) -> Status {
        match next(status, occasion) {
            Next::Becomes(status) => status,
            Next::Stays | Next::Contradicts => status,
        }
    }

    #[test]
    fn the_whole_table() {
        use Next::{Becomes, Contradicts, Stays};
        use Status::{Cancelled, Expired, Held, Late, Released};
        let proofs = |given, complete| Occasion::Proofs { given, complete };
        let occasions = [
            Occasion::Deadline,
            proofs(true, true),
            proofs(true, false),
            proofs(false, false),
            Occasion::Release,
            Occasion::Cancel,
            Occasion::Reinstate { complete: true },
            Occasion::Reinstate { complete: false },
        ];
        let cancelled = Becomes(Cancelled);
        let released = Becomes(Released);
        for (status, expected) in [
            (
                Released,
                [Stays, Stays, Stays, Stays, Stays, cancelled, Stays, Stays],
            ),
            (
                Held,
                [
                    Becomes(Expired),
                    released,
                    Stays,
                    Stays,
                    released,
                    cancelled,
                    Stays,
                    Stays,
                ],
            ),
            (
                Expired,
                [
                    Stays,
                    Becomes(Late),
                    Becomes(Late),
                    Stays,
                    released,
                    cancelled,
                    Stays,
                    Stays,
                ],
            ),
            (
                Late,
                [
                    Stays, Stays, Stays, Stays, released, cancelled, Stays, Stays,
                ],
            ),
            (
                Cancelled,
                [
                    Stays,
                    Stays,
                    Stays,
                    Stays,
                    Contradicts,
                    Stays,
                    released,
                    Becomes(Held),
                ],
            ),
        ] {
            assert_eq!(
                occasions.map(|occasion| next(status, occasion)),
                expected,
                "{status:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn nothing_but_a_person_or_all_proofs_releases(
            held in any::<bool>(), occasions in prop::collection::vec(occasion(), 0..9)
        ) {
            let mut status = if held { Status::Held } else { Status::Expired };
            for occasion in occasions {
                let before = status;
                status = after(status, occasion);
                if status == Status::Released && before != Status::Released {
                    let by_proofs = before == Status::Held
                        && matches!(occasion, Occasion::Proofs { complete: true, .. });
                    let comes_back = occasion == Occasion::Reinstate { complete: true };
                    prop_assert!(by_proofs || comes_back || occasion == Occasion::Release);
                }
            }
        }

        #[test]
        fn an_occasion_that_comes_twice_does_nothing_the_second_time(
            status in prop::sample::select(&Status::ALL[..]), occasion in occasion()
        ) {
            let once = after(status, occasion);
            // Of the proofs nothing is newly given the second time.
            let again = match occasion {
                Occasion::Proofs { complete, .. } => Occasion::Proofs { given: false, complete },
                other => other,
            };
            prop_assert_eq!(after(once, again), once);
        }

        #[test]
        fn cancelled_is_left_by_coming_back_alone_and_released_by_cancelling(
            occasions in prop::collection::vec(occasion(), 0..9)
        ) {
            let mut status = Status::Released;
            for occasion in occasions {
                let before = status;
                let comes_back = matches!(occasion, Occasion::Reinstate { .. });
                status = after(status, occasion);
                if before == Status::Cancelled {
                    prop_assert_eq!(status != Status::Cancelled, comes_back);
                }
                if before == Status::Released {
                    prop_assert_eq!(status != before, occasion == Occasion::Cancel);
                }
            }
        }

        #[test]
        fn an_order_begins_overdue_never(complete in any::<bool>(), seconds in -5_i64..5) {
            let deadline = Timestamp::UNIX_EPOCH;
            let now = Timestamp::from_second(seconds).unwrap();
            let status = placed(complete, deadline, now);
            prop_assert!(!is_overdue(status, deadline, now));
            prop_assert_eq!(status == Status::Released, complete);
            prop_assert_eq!(status == Status::Expired, !complete && seconds >= 0);
        }
    }
}
