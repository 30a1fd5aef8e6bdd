//! What a decision means here: Veriff says that a document is genuine, not how old is old enough.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;

use super::{Decided, Status};
use crate::age::{AgePolicy, BirthDate, State};

/// What the document says, as it was sent; nothing where it says nothing.
#[derive(Clone, Copy, Default)]
pub struct Facts<'a> {
    /// `person.dateOfBirth`.
    pub birth_date: Option<&'a str>,
    /// `document.validUntil`, which many integrations are not sent.
    pub valid_until: Option<&'a str>,
}

impl fmt::Debug for Facts<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Facts(…)")
    }
}

/// Why a decision is no approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Veriff declined.
    Declined,
    /// The holder of the document was too young on the day of the decision.
    TooYoung,
    /// The document was not valid any more on the day of the decision.
    DocumentExpired,
    /// There is no birth date, or none that can be meant.
    BirthDateUnclear,
    /// The end of the document's validity cannot be read.
    ValidityUnclear,
    /// It is not known when it was decided.
    TimeUnclear,
}

/// What a decision means here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The identity is proven.
    Approved,
    /// It is not.
    Refused(Reason),
    /// A person has to decide.
    Manual(Reason),
    /// Nothing is decided yet: the customer may go on, or Veriff does.
    Open,
    /// The session ended without anything having been decided.
    Lapsed,
}

impl Verdict {
    /// One for each word.
    const ALL: [Self; 9] = [
        Self::Approved,
        Self::Refused(Reason::Declined),
        Self::Refused(Reason::TooYoung),
        Self::Refused(Reason::DocumentExpired),
        Self::Manual(Reason::BirthDateUnclear),
        Self::Manual(Reason::ValidityUnclear),
        Self::Manual(Reason::TimeUnclear),
        Self::Open,
        Self::Lapsed,
    ];

    /// Reads what [`Verdict::as_str`] wrote.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|verdict| verdict.as_str() == word)
    }

    /// The word it is stored and listed under, which never changes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Refused(Reason::Declined) => "declined",
            Self::Refused(Reason::TooYoung) => "too_young",
            Self::Refused(_) => "document_expired",
            Self::Manual(Reason::ValidityUnclear) => "validity_unclear",
            Self::Manual(Reason::TimeUnclear) => "time_unclear",
            Self::Manual(_) => "birth_date_unclear",
            Self::Open => "open",
            Self::Lapsed => "lapsed",
        }
    }

    /// Whether the session is of no more use to the customer.
    #[must_use]
    pub const fn ends_session(self) -> bool {
        !matches!(self, Self::Open)
    }

    /// What is said of the proof of identity: that it is given, or refused, or nothing.
    #[must_use]
    pub const fn says(self) -> Option<bool> {
        match self {
            Self::Approved => Some(true),
            Self::Refused(_) => Some(false),
            Self::Manual(_) | Self::Open | Self::Lapsed => None,
        }
    }
}

/// By what a verdict is reached.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// How old a customer must be.
    pub age: AgePolicy,
    /// Where the store is: by its calendar ages are counted.
    pub state: State,
}

impl Rules {
    /// The verdict on a decision. A decision of the future counts as one of `now`.
    #[must_use]
    pub fn judge(&self, decided: &Decided, facts: &Facts<'_>, now: Timestamp) -> Verdict {
        match decided.status {
            Status::Approved => self.approval(decided.at.map(|at| at.min(now)), facts),
            Status::Declined => Verdict::Refused(Reason::Declined),
            Status::ResubmissionRequested | Status::Review => Verdict::Open,
            Status::Expired | Status::Abandoned => Verdict::Lapsed,
        }
    }

    fn approval(&self, at: Option<Timestamp>, facts: &Facts<'_>) -> Verdict {
        let Some(at) = at else {
            return Verdict::Manual(Reason::TimeUnclear);
        };
        let today = self.state.date_at(at);
        let age = facts
            .birth_date
            .and_then(BirthDate::parse)
            .and_then(|born| born.age_on(today));
        match age {
            Some(age) if !AgePolicy::is_plausible(age) => Verdict::Manual(Reason::BirthDateUnclear),
            None => Verdict::Manual(Reason::BirthDateUnclear),
            Some(age) if age < u16::from(self.age.minimum()) => Verdict::Refused(Reason::TooYoung),
            Some(_) => of_document(facts.valid_until, today),
        }
    }
}

/// A document is good to the end of its last day. Of one whose end is not told nothing is known,
/// and nothing is made of that.
fn of_document(valid_until: Option<&str>, today: Date) -> Verdict {
    match valid_until.map(|text| text.parse::<Date>()) {
        None => Verdict::Approved,
        Some(Ok(last)) if last >= today => Verdict::Approved,
        Some(Ok(_)) => Verdict::Refused(Reason::DocumentExpired),
        Some(Err(_)) => Verdict::Manual(Reason::ValidityUnclear),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rules() -> Rules {
        Rules {
            age: AgePolicy::default(),
            state: State::parse("TX").unwrap(),
        }
    }

    fn judged(at: &str, birth_date: Option<&str>, valid_until: Option<&str>) -> Verdict {
        let decided = Decided {
            status: Status::Approved,
            at: Some(at.parse().unwrap()),
        };
        let facts = Facts {
            birth_date,
            valid_until,
        };
        rules().judge(&decided, &facts, "2030-01-01T00:00:00Z".parse().unwrap())
    }

    #[test]
    fn twenty_one_by_the_calendar_of_the_store() {
        // In Texas it is six hours earlier, in winter.
        let born = Some("2004-01-15");
        for (at, verdict) in [
            ("2025-01-15T05:59:59Z", Verdict::Refused(Reason::TooYoung)),
            ("2025-01-15T06:00:00Z", Verdict::Approved),
        ] {
            assert_eq!(judged(at, born, None), verdict, "{at}");
        }
    }

    #[test]
    fn what_is_no_birth_date_is_for_a_person() {
        for born in [
            None,
            Some(""),
            Some("1967-02-30"),
            Some("1967"),
            Some("30.03.1967"),
            Some("2031-01-01"),
            Some("1850-01-01"),
        ] {
            let verdict = judged("2025-01-15T12:00:00Z", born, None);
            assert_eq!(
                verdict,
                Verdict::Manual(Reason::BirthDateUnclear),
                "{born:?}"
            );
        }
    }

    #[test]
    fn a_document_is_good_to_its_last_day_and_of_no_end_nothing_is_known() {
        for (valid_until, verdict) in [
            (None, Verdict::Approved),
            (Some("2025-01-15"), Verdict::Approved),
            (
                Some("2025-01-14"),
                Verdict::Refused(Reason::DocumentExpired),
            ),
            (Some("soon"), Verdict::Manual(Reason::ValidityUnclear)),
            (Some(""), Verdict::Manual(Reason::ValidityUnclear)),
        ] {
            let judged = judged("2025-01-15T12:00:00Z", Some("1967-03-30"), valid_until);
            assert_eq!(judged, verdict, "{valid_until:?}");
        }
    }

    #[test]
    fn an_approval_of_no_time_is_for_a_person() {
        let decided = Decided {
            status: Status::Approved,
            at: None,
        };
        let facts = Facts {
            birth_date: Some("1967-03-30"),
            valid_until: None,
        };
        let verdict = rules().judge(&decided, &facts, Timestamp::UNIX_EPOCH);
        assert_eq!(verdict, Verdict::Manual(Reason::TimeUnclear));
    }

    #[test]
    fn a_decision_of_the_future_makes_nobody_older() {
        let decided = Decided {
            status: Status::Approved,
            at: Some("2040-01-01T00:00:00Z".parse().unwrap()),
        };
        let facts = Facts {
            birth_date: Some("2010-01-01"),
            valid_until: None,
        };
        let now = "2025-01-01T12:00:00Z".parse().unwrap();
        let verdict = rules().judge(&decided, &facts, now);
        assert_eq!(verdict, Verdict::Refused(Reason::TooYoung));
    }

    #[test]
    fn only_an_approval_or_a_refusal_says_anything_of_the_proof() {
        for verdict in Verdict::ALL {
            let expected = match verdict {
                Verdict::Approved => Some(true),
                Verdict::Refused(_) => Some(false),
                _ => None,
            };
            assert_eq!(verdict.says(), expected, "{verdict:?}");
        }
    }

    #[test]
    fn every_verdict_finds_its_way_back() {
        for verdict in Verdict::ALL {
            assert_eq!(Verdict::parse(verdict.as_str()), Some(verdict));
        }
        for word in ["", "Approved", "manual", "refused"] {
            assert_eq!(Verdict::parse(word), None, "{word}");
        }
    }

    proptest! {
        #[test]
        fn nothing_but_an_approval_of_an_adult_is_one(
            status in prop::sample::select(Status::ALL.to_vec()),
            birth_date in prop::option::of("(19|20)[0-9]{2}-[01][0-9]-[0-3][0-9]|.{0,12}"),
            valid_until in prop::option::of("20[0-9]{2}-[01][0-9]-[0-3][0-9]|.{0,12}"),
            second in 1_600_000_000_i64..1_900_000_000,
        ) {
            let at = Timestamp::from_second(second).unwrap();
            let facts = Facts {
                birth_date: birth_date.as_deref(),
                valid_until: valid_until.as_deref(),
            };
            let decided = Decided { status, at: Some(at) };
            let verdict = rules().judge(&decided, &facts, at);
            if verdict == Verdict::Approved {
                prop_assert_eq!(status, Status::Approved);
                let born = BirthDate::parse(&birth_date.unwrap()).unwrap();
                prop_assert!(born.age_on(rules().state.date_at(at)).unwrap() >= 21);
            }
        }
    }
}
