//! The decision: is this customer old enough?
//!
//! The checks come in a fixed order and the first that refuses ends it, so that a claim has one
//! answer whoever decides it. Knows nothing of earlier verifications or of used-up attempts: whoever
//! calls has looked at those first.

use std::fmt;

use jiff::Timestamp;

use super::{BirthDate, FullName, IdDigits, Method, Refusal, State};

/// Nobody of whom it is known for certain has become older than 122; who says so mistyped.
const GREATEST_AGE: u8 = 120;

/// What a customer says of themselves, as it was sent.
#[derive(Clone, Copy)]
pub struct Claim<'a> {
    /// Given name and family name.
    pub full_name: &'a str,
    /// `YYYY-MM-DD`.
    pub date_of_birth: &'a str,
    /// The last four digits of the number of their ID.
    pub id_number_last4: &'a str,
    /// The code of the state they live in.
    pub state: &'a str,
}

impl fmt::Debug for Claim<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Claim(…)")
    }
}

/// How old a customer must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgePolicy {
    minimum: u8,
}

impl Default for AgePolicy {
    /// 21 years.
    fn default() -> Self {
        Self { minimum: 21 }
    }
}

/// A minimum age that would let everybody pass, or nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a minimum age is 1 to {GREATEST_AGE} years")]
pub struct AgePolicyError;

impl AgePolicy {
    /// Asks for an age of at least `minimum` years.
    ///
    /// # Errors
    /// [`AgePolicyError`] outside of 1 to 120.
    pub fn new(minimum: u8) -> Result<Self, AgePolicyError> {
        (1..=GREATEST_AGE)
            .contains(&minimum)
            .then_some(Self { minimum })
            .ok_or(AgePolicyError)
    }

    /// The age that is asked for, in years; 1 to 120.
    #[must_use]
    pub const fn minimum(self) -> u8 {
        self.minimum
    }

    /// Whether anybody could be that old.
    #[must_use]
    pub const fn is_plausible(age: u16) -> bool {
        age <= GREATEST_AGE as u16
    }

    /// Decides on a claim. Ages are calendar ages on the day it is at `now` in the customer's state.
    ///
    /// In this order: the name, the state, the birth date and whether anybody could be that old, the
    /// minimum age, the digits of the ID number.
    #[must_use]
    pub fn decide(self, claim: &Claim<'_>, now: Timestamp) -> Decision {
        let state = State::parse(claim.state);
        let refused = |refusal, age| Decision::Refused {
            refusal,
            state,
            age,
        };
        match age_in_state(claim, state, now) {
            Err(refusal) => refused(refusal, None),
            Ok((state, age)) => match self.objection(claim, age) {
                Some(refusal) => refused(refusal, Some(age)),
                None => Decision::Passed { state, age },
            },
        }
    }

    /// What stands against a claim whose age is known.
    fn objection(self, claim: &Claim<'_>, age: u16) -> Option<Refusal> {
        let minimum = self.minimum;
        if !Self::is_plausible(age) {
            Some(Refusal::AgeImplausible)
        } else if age < u16::from(minimum) {
            Some(Refusal::UnderMinimum { minimum })
        } else if IdDigits::parse(claim.id_number_last4).is_none() {
            Some(Refusal::IdDigitsMalformed)
        } else {
            None
        }
    }
}

/// The checks without which there is no age; being born today is not yet past.
fn age_in_state(
    claim: &Claim<'_>,
    state: Option<State>,
    now: Timestamp,
) -> Result<(State, u16), Refusal> {
    FullName::parse(claim.full_name).ok_or(Refusal::NameIncomplete)?;
    let state = state.ok_or(Refusal::StateUnknown)?;
    let born = BirthDate::parse(claim.date_of_birth).ok_or(Refusal::BirthDateInvalid)?;
    let today = state.date_at(now);
    let age = born.age_on(today).filter(|_| born.is_before(today));
    Ok((state, age.ok_or(Refusal::BirthDateNotPast)?))
}

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Every check passed.
    Passed {
        /// Where the customer lives.
        state: State,
        /// Their age in years.
        age: u16,
    },
    /// A check refused.
    Refused {
        /// Which, and why.
        refusal: Refusal,
        /// Where the customer lives, if what they sent says so.
        state: Option<State>,
        /// Their age in years, if it came to that.
        age: Option<u16>,
    },
}

impl Decision {
    /// Whether every check passed.
    #[must_use]
    pub const fn is_passed(self) -> bool {
        matches!(self, Self::Passed { .. })
    }

    /// The check that decided.
    #[must_use]
    pub const fn method(self) -> Method {
        match self {
            Self::Passed { .. } => Method::FullVerification,
            Self::Refused { refusal, .. } => refusal.method(),
        }
    }

    /// The word its reason is counted under, which must not change.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Passed { .. } => "passed",
            Self::Refused { refusal, .. } => refusal.code(),
        }
    }

    /// Why it was refused.
    #[must_use]
    pub const fn refusal(self) -> Option<Refusal> {
        match self {
            Self::Passed { .. } => None,
            Self::Refused { refusal, .. } => Some(refusal),
        }
    }

    /// Where the customer lives, if what they sent says so.
    #[must_use]
    pub const fn state(self) -> Option<State> {
        match self {
            Self::Passed { state, .. } => Some(state),
            Self::Refused { state, .. } => state,
        }
    }

    /// The code of the state to count the decision under; a fixed word when it is not known.
    #[must_use]
    pub fn state_code(self) -> &'static str {
        self.state().map_or(State::UNKNOWN, State::as_str)
    }

    /// The customer's age in years, if it came to that.
    #[must_use]
    pub const fn age(self) -> Option<u16> {
        match self {
            Self::Passed { age, .. } => Some(age),
            Self::Refused { age, .. } => age,
        }
    }
}

/// The reason, for people.
impl fmt::Display for Decision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed { .. } => formatter.write_str("All checks passed"),
            Self::Refused { refusal, .. } => refusal.fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests;
