//! Decisions of Veriff: which one of a session counts, and what it means here.
//!
//! Guarantees: whatever order the decisions of a session come in, and however often, the same one
//! stands in the end, and the same is proven; an approval counts only for somebody who was old enough on the day of the
//! decision, by the birth date of the document; what cannot be read is never an approval.
//! Must not: look at a clock, or at the numeric codes, of which two outcomes share one.

mod decision;
mod judgement;
mod poll;
mod verdict;

pub use decision::{Decided, Status};
pub use judgement::Judgement;
pub use poll::{GIVE_UP, LIFETIME, next_poll};
pub use verdict::{Facts, Reason, Rules, Verdict};
