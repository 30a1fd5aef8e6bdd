//! The form in which a customer says how old they are: what was typed, and what is wrong with it.
//!
//! Must not: check anything that the age surface checks, or show digits of an ID again.

use app::ages::Claimed;
use domain::age::{ClaimField, Decision, Refusal, State};
use minijinja::{Value, context};

use crate::http::conventions::fields::LONGEST;
use crate::http::conventions::form::Parameters;

/// What is said of a field that was left out.
const MISSING: &str = "Please fill this in.";
/// What is said of a text that nobody would type.
const TOO_LONG: &str = "Please write this shorter.";

/// What was typed, and what is wrong with it; nothing at first.
#[derive(Default, Clone)]
pub struct AgeForm<'a> {
    name: &'a str,
    month: &'a str,
    day: &'a str,
    year: &'a str,
    state: &'a str,
    digits: &'a str,
    problems: Vec<(ClaimField, String)>,
}

impl<'a> AgeForm<'a> {
    /// As it was sent.
    pub fn read(form: &'a Parameters) -> Self {
        let text = |name| form.get(name).unwrap_or_default().trim();
        Self {
            name: text("fullName"),
            month: text("month"),
            day: text("day"),
            year: text("year"),
            state: text("state"),
            digits: text("idNumberLast4"),
            problems: Vec::new(),
        }
    }

    /// What the customer says; `None` when something was left out, or is longer than anything that
    /// is read.
    pub fn claimed(&self) -> Option<Claimed> {
        self.unusable().is_empty().then(|| Claimed {
            full_name: self.name.to_owned(),
            date_of_birth: format!("{:0>4}-{:0>2}-{:0>2}", self.year, self.month, self.day),
            id_number_last4: self.digits.to_owned(),
            state: self.state.to_owned(),
        })
    }

    fn unusable(&self) -> Vec<(ClaimField, String)> {
        let problem = |text: &str| match text.chars().count() {
            0 => Some(MISSING),
            1..=LONGEST => None,
            _ => Some(TOO_LONG),
        };
        [
            (ClaimField::FullName, self.name),
            (ClaimField::DateOfBirth, self.month),
            (ClaimField::DateOfBirth, self.day),
            (ClaimField::DateOfBirth, self.year),
            (ClaimField::State, self.state),
            (ClaimField::IdNumberLast4, self.digits),
        ]
        .into_iter()
        .filter_map(|(field, text)| Some((field, problem(text)?.to_owned())))
        .collect()
    }

    /// The same, with what cannot be used asked for.
    pub fn incomplete(&self) -> Self {
        self.with(self.unusable())
    }

    /// The same, with what the checks say of it.
    pub fn refused(&self, decision: &Decision) -> Self {
        let problem = decision
            .refusal()
            .map(|refusal| (refusal.field(), sentence(refusal)));
        self.with(problem.into_iter().collect())
    }

    fn with(&self, problems: Vec<(ClaimField, String)>) -> Self {
        Self {
            problems,
            ..self.clone()
        }
    }

    fn problem(&self, field: ClaimField) -> Option<&str> {
        let found = self.problems.iter().find(|(about, _)| *about == field);
        found.map(|(_, problem)| problem.as_str())
    }

    /// What the template shows.
    pub fn values(&self) -> Value {
        let first = [
            ClaimField::FullName,
            ClaimField::DateOfBirth,
            ClaimField::State,
            ClaimField::IdNumberLast4,
        ]
        .into_iter()
        .find(|field| self.problem(*field).is_some());
        let field = |field| {
            context! { problem => self.problem(field), is_first => first == Some(field) }
        };
        let states: Vec<_> = State::ALL.iter().map(|state| self.choice(*state)).collect();
        context! {
            is_open => first.is_some(),
            name => self.name, month => self.month, day => self.day, year => self.year, states,
            full_name => field(ClaimField::FullName),
            date_of_birth => field(ClaimField::DateOfBirth),
            state => field(ClaimField::State),
            id_number => field(ClaimField::IdNumberLast4),
        }
    }

    fn choice(&self, state: State) -> Value {
        context! {
            code => state.as_str(),
            name => state.name(),
            is_chosen => State::parse(self.state) == Some(state),
        }
    }
}

/// What the customer is told, about what they typed here.
fn sentence(refusal: Refusal) -> String {
    match refusal {
        Refusal::NameIncomplete => "Please write your first and your last name.".to_owned(),
        Refusal::StateUnknown => "Please choose your state.".to_owned(),
        Refusal::BirthDateInvalid => {
            "There is no such day. Please look at month, day and year again.".to_owned()
        }
        Refusal::BirthDateNotPast | Refusal::AgeImplausible => {
            "Please look at the year again.".to_owned()
        }
        Refusal::UnderMinimum { minimum } => {
            format!("You have to be at least {minimum} years old for this order.")
        }
        Refusal::IdDigitsMalformed => "Please write exactly four digits.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed() -> AgeForm<'static> {
        AgeForm {
            name: "Ann Lee",
            month: "4",
            day: "7",
            year: "1991",
            state: "TX",
            digits: "1234",
            problems: Vec::new(),
        }
    }

    #[test]
    fn a_date_is_put_together_as_the_checks_read_it() {
        let claimed = typed().claimed().unwrap();
        assert_eq!(claimed.date_of_birth, "1991-04-07");
        let odd = AgeForm {
            year: "91",
            month: "13",
            day: "7th",
            ..typed()
        };
        // Whatever it is, the checks say so.
        assert_eq!(odd.claimed().unwrap().date_of_birth, "0091-13-7th");
    }

    #[test]
    fn nothing_endless_is_checked() {
        let endless = "a ".repeat(LONGEST);
        let form = AgeForm {
            name: &endless,
            ..typed()
        };
        assert!(form.claimed().is_none());
        let form = form.incomplete();
        assert_eq!(form.problem(ClaimField::FullName), Some(TOO_LONG));
    }

    #[test]
    fn what_was_left_out_is_asked_for_once_a_field() {
        let form = AgeForm {
            month: "",
            day: "",
            digits: "",
            ..typed()
        };
        assert!(form.claimed().is_none());
        let form = form.incomplete();
        assert_eq!(form.problem(ClaimField::DateOfBirth), Some(MISSING));
        assert_eq!(form.problem(ClaimField::IdNumberLast4), Some(MISSING));
        assert_eq!(form.problem(ClaimField::FullName), None);
    }

    #[test]
    fn digits_are_not_shown_again() {
        assert!(!typed().values().to_string().contains("1234"));
    }
}
