//! Why a claim is refused.
//!
//! Each refusal has a stable word to count it under and a sentence for people. Neither ever repeats
//! what the customer sent.

use std::fmt;

use super::Method;

/// The part of a claim that a refusal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClaimField {
    /// The full name.
    FullName,
    /// The date of birth.
    DateOfBirth,
    /// The last four digits of the ID number.
    IdNumberLast4,
    /// The state.
    State,
}

/// Why a claim is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The name has fewer than two words.
    NameIncomplete,
    /// The text is no code of a state, the district or a territory.
    StateUnknown,
    /// The text is no date, or none that exists.
    BirthDateInvalid,
    /// The date has not passed in the customer's state.
    BirthDateNotPast,
    /// Nobody is that old.
    AgeImplausible,
    /// The customer is too young.
    UnderMinimum {
        /// The age that is asked for, in years.
        minimum: u8,
    },
    /// The digits are not exactly four.
    IdDigitsMalformed,
}

impl Refusal {
    /// The check that refused.
    #[must_use]
    pub const fn method(self) -> Method {
        match self {
            Self::UnderMinimum { .. } => Method::AgeCheck,
            Self::IdDigitsMalformed => Method::IdValidation,
            Self::NameIncomplete
            | Self::StateUnknown
            | Self::BirthDateInvalid
            | Self::BirthDateNotPast
            | Self::AgeImplausible => Method::InputValidation,
        }
    }

    /// The part of the claim it is about.
    #[must_use]
    pub const fn field(self) -> ClaimField {
        match self {
            Self::NameIncomplete => ClaimField::FullName,
            Self::StateUnknown => ClaimField::State,
            Self::IdDigitsMalformed => ClaimField::IdNumberLast4,
            Self::BirthDateInvalid
            | Self::BirthDateNotPast
            | Self::AgeImplausible
            | Self::UnderMinimum { .. } => ClaimField::DateOfBirth,
        }
    }

    /// The word it is counted under, which must not change; the same for dates that do not exist and
    /// dates that have not passed.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NameIncomplete => "name_incomplete",
            Self::StateUnknown => "state_unknown",
            Self::BirthDateInvalid | Self::BirthDateNotPast => "birth_date_invalid",
            Self::AgeImplausible => "age_implausible",
            Self::UnderMinimum { .. } => "under_minimum_age",
            Self::IdDigitsMalformed => "id_digits_malformed",
        }
    }
}

/// The sentence for people.
impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NameIncomplete => "Full name must have at least a first and a last name",
            Self::StateUnknown => {
                "State must be the two-letter code of a US state, DC or territory"
            }
            Self::BirthDateInvalid => "Date of birth must be a real date, written YYYY-MM-DD",
            Self::BirthDateNotPast => "Date of birth must be in the past",
            Self::AgeImplausible => "Date of birth must not be more than 120 years ago",
            Self::UnderMinimum { minimum } => {
                return write!(formatter, "Must be at least {minimum} years old");
            }
            Self::IdDigitsMalformed => "The last digits of the ID number must be exactly 4 digits",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_its_words() {
        use ClaimField::{DateOfBirth, FullName, IdNumberLast4, State};
        use Method::{AgeCheck, IdValidation, InputValidation};
        for (refusal, method, field, code, sentence) in [
            (
                Refusal::NameIncomplete,
                InputValidation,
                FullName,
                "name_incomplete",
                "Full name must have at least a first and a last name",
            ),
            (
                Refusal::StateUnknown,
                InputValidation,
                State,
                "state_unknown",
                "State must be the two-letter code of a US state, DC or territory",
            ),
            (
                Refusal::BirthDateInvalid,
                InputValidation,
                DateOfBirth,
                "birth_date_invalid",
                "Date of birth must be a real date, written YYYY-MM-DD",
            ),
            (
                Refusal::BirthDateNotPast,
                InputValidation,
                DateOfBirth,
                "birth_date_invalid",
                "Date of birth must be in the past",
            ),
            (
                Refusal::AgeImplausible,
                InputValidation,
                DateOfBirth,
                "age_implausible",
                "Date of birth must not be more than 120 years ago",
            ),
            (
                Refusal::UnderMinimum { minimum: 21 },
                AgeCheck,
                DateOfBirth,
                "under_minimum_age",
                "Must be at least 21 years old",
            ),
            (
                Refusal::UnderMinimum { minimum: 18 },
                AgeCheck,
                DateOfBirth,
                "under_minimum_age",
                "Must be at least 18 years old",
            ),
            (
                Refusal::IdDigitsMalformed,
                IdValidation,
                IdNumberLast4,
                "id_digits_malformed",
                "The last digits of the ID number must be exactly 4 digits",
            ),
        ] {
            assert_eq!(refusal.method(), method, "{refusal:?}");
            assert_eq!(refusal.field(), field, "{refusal:?}");
            assert_eq!(refusal.code(), code, "{refusal:?}");
            assert_eq!(refusal.to_string(), sentence, "{refusal:?}");
        }
    }
}
