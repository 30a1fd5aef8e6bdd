//! Whether a customer is old enough: what is asked, how it is decided, how long it holds, and how
//! often one may try.
//!
//! All of it is pure and total: every text gets an answer, time and randomness are arguments.
//! What is decided here rests on what the customer typed; see [`Assurance`] for what that is worth.
//! Names, birth dates and ID digits never reach `Debug` or the sentence of a refusal. Nothing here
//! knows how the answers look on the wire.

mod assurance;
mod attempts;
mod birth_date;
mod bracket;
mod decision;
mod id_digits;
mod method;
mod name;
mod refusal;
mod state;
mod validity;
mod verification_id;

pub use assurance::Assurance;
pub use attempts::{AttemptPolicy, AttemptPolicyError, Attempts, UsedUp};
pub use birth_date::BirthDate;
pub use bracket::bracket;
pub use decision::{AgePolicy, AgePolicyError, Claim, Decision};
pub use id_digits::IdDigits;
pub use method::Method;
pub use name::FullName;
pub use refusal::{ClaimField, Refusal};
pub use state::State;
pub use validity::Validity;
pub use verification_id::VerificationId;
