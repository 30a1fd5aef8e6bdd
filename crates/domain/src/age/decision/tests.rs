//! The decision as tables and properties: its order, its midnights, and that it always comes.

use super::*;
use jiff::civil::{Date, date};
use jiff::{SignedDuration, ToSpan};
use proptest::prelude::*;

const GOOD: Claim<'_> = Claim {
    full_name: "Ann O'Hara-Smith Jr.",
    date_of_birth: "1992-04-01",
    id_number_last4: "0042",
    state: "TX",
};

fn policy() -> AgePolicy {
    AgePolicy::new(21).unwrap()
}

fn noon() -> Timestamp {
    "2025-06-15T18:00:00Z".parse().unwrap()
}

fn decide(claim: &Claim<'_>) -> Decision {
    policy().decide(claim, noon())
}

fn state(code: &str) -> State {
    State::parse(code).unwrap()
}

fn midnight(day: Date, state: State) -> Timestamp {
    let midnight = day.to_zoned(state.time_zone().clone()).unwrap();
    assert_eq!(midnight.datetime(), day.at(0, 0, 0, 0), "{state:?}");
    midnight.timestamp()
}

/// What somebody born on that day hears at `now`.
fn born(day: Date, state: State, now: Timestamp) -> Decision {
    let claim = Claim {
        date_of_birth: &day.to_string(),
        state: state.as_str(),
        ..GOOD
    };
    policy().decide(&claim, now)
}

#[test]
fn passes_who_is_old_enough() {
    let decision = decide(&GOOD);
    let state = state("TX");
    assert_eq!(decision, Decision::Passed { state, age: 33 });
    assert!(decision.is_passed());
    assert_eq!(decision.method(), Method::FullVerification);
    assert_eq!(decision.code(), "passed");
    assert_eq!(decision.to_string(), "All checks passed");
    assert_eq!(decision.refusal(), None);
    assert_eq!(decision.state(), Some(state));
    assert_eq!(decision.state_code(), "TX");
    assert_eq!(decision.age(), Some(33));
}

#[test]
fn the_first_refusal_ends_it() {
    // Everything is wrong at first; then one thing after the other is put right.
    let mut claim = Claim {
        full_name: "Ann",
        date_of_birth: "2023-02-29",
        id_number_last4: "42",
        state: "ZZ",
    };
    let known = Some(state("TX"));
    let refused = |refusal, state, age| Decision::Refused {
        refusal,
        state,
        age,
    };
    assert_eq!(decide(&claim), refused(Refusal::NameIncomplete, None, None));
    claim.full_name = GOOD.full_name;
    assert_eq!(decide(&claim), refused(Refusal::StateUnknown, None, None));
    claim.state = " tx ";
    assert_eq!(
        decide(&claim),
        refused(Refusal::BirthDateInvalid, known, None)
    );
    for (date_of_birth, refusal, age) in [
        ("2025-06-16", Refusal::BirthDateNotPast, None),
        ("2025-06-15", Refusal::BirthDateNotPast, None),
        ("2025-06-14", Refusal::UnderMinimum { minimum: 21 }, Some(0)),
        (
            "2004-06-16",
            Refusal::UnderMinimum { minimum: 21 },
            Some(20),
        ),
        ("2004-06-15", Refusal::IdDigitsMalformed, Some(21)),
        ("1904-06-16", Refusal::IdDigitsMalformed, Some(120)),
        ("1904-06-15", Refusal::AgeImplausible, Some(121)),
        ("0000-01-01", Refusal::AgeImplausible, Some(2025)),
    ] {
        claim.date_of_birth = date_of_birth;
        assert_eq!(
            decide(&claim),
            refused(refusal, known, age),
            "{date_of_birth}"
        );
    }
    claim.date_of_birth = GOOD.date_of_birth;
    claim.id_number_last4 = GOOD.id_number_last4;
    assert!(decide(&claim).is_passed());
}

#[test]
fn a_refusal_tells_what_it_knows() {
    let claim = Claim {
        date_of_birth: "2010-01-01",
        ..GOOD
    };
    let decision = decide(&claim);
    assert!(!decision.is_passed());
    assert_eq!(decision.method(), Method::AgeCheck);
    assert_eq!(decision.code(), "under_minimum_age");
    assert_eq!(decision.to_string(), "Must be at least 21 years old");
    assert_eq!(
        decision.refusal(),
        Some(Refusal::UnderMinimum { minimum: 21 })
    );
    assert_eq!(decision.age(), Some(15));
    // The state is known even when the name ended it, and never what was typed in its place.
    let nameless = Claim {
        full_name: "Ann",
        ..GOOD
    };
    assert_eq!(decide(&nameless).state_code(), "TX");
    let stateless = Claim {
        state: "Atlantis",
        ..GOOD
    };
    assert_eq!(decide(&stateless).state_code(), "unknown");
    assert_eq!(decide(&stateless).state(), None);
}

#[test]
fn the_minimum_is_configurable() {
    for (minimum, passes) in [(1, true), (18, true), (33, true), (34, false), (120, false)] {
        let policy = AgePolicy::new(minimum).unwrap();
        assert_eq!(policy.minimum(), minimum);
        let decision = policy.decide(&GOOD, noon());
        assert_eq!(decision.is_passed(), passes, "{minimum}");
        if !passes {
            let sentence = format!("Must be at least {minimum} years old");
            assert_eq!(decision.to_string(), sentence);
        }
    }
    for minimum in [0, 121, 255] {
        assert_eq!(AgePolicy::new(minimum), Err(AgePolicyError));
    }
    let message = "a minimum age is 1 to 120 years";
    assert_eq!(AgePolicyError.to_string(), message);
}

#[test]
fn the_21st_birthday_begins_at_midnight_in_every_state() {
    let birthdays = [
        (date(2004, 6, 15), date(2025, 6, 15)),
        (date(2004, 12, 31), date(2025, 12, 31)),
        (date(2005, 1, 1), date(2026, 1, 1)),
        // The days on which clocks are put forward and back, and those after them.
        (date(2005, 3, 8), date(2026, 3, 8)),
        (date(2005, 3, 9), date(2026, 3, 9)),
        (date(2005, 11, 1), date(2026, 11, 1)),
        (date(2005, 11, 2), date(2026, 11, 2)),
        // Leap days: the year 2025 has none, 2028 has one.
        (date(2004, 2, 29), date(2025, 3, 1)),
        (date(2007, 2, 28), date(2028, 2, 28)),
        (date(2007, 3, 1), date(2028, 3, 1)),
    ];
    for &state in State::ALL {
        for (birth, birthday) in birthdays {
            let midnight = midnight(birthday, state);
            let before = born(birth, state, midnight - 1.microsecond());
            assert_eq!(before.age(), Some(20), "{state:?} {birth}");
            assert_eq!(before.method(), Method::AgeCheck, "{state:?} {birth}");
            let after = born(birth, state, midnight);
            assert_eq!(after, Decision::Passed { state, age: 21 }, "{birth}");
        }
    }
}

#[test]
fn one_moment_is_another_day_elsewhere() {
    let birth = date(2004, 6, 15);
    let now = "2025-06-15T05:30:00Z".parse().unwrap();
    for (code, passes) in [
        ("GU", true),
        ("PR", true),
        ("NY", true),
        ("TX", true),
        ("CO", false),
        ("AZ", false),
        ("CA", false),
        ("HI", false),
        ("AS", false),
    ] {
        assert_eq!(born(birth, state(code), now).is_passed(), passes, "{code}");
    }
}

#[test]
fn a_claim_never_shows_itself() {
    let decision = decide(&Claim {
        state: "Atlantis",
        ..GOOD
    });
    let shown = format!("{GOOD:?} {decision:?} {decision}");
    for sent in [
        GOOD.full_name,
        GOOD.date_of_birth,
        GOOD.id_number_last4,
        "Atlantis",
    ] {
        assert!(!shown.contains(sent), "{shown}");
    }
}

fn any_state() -> impl Strategy<Value = State> {
    prop::sample::select(State::ALL)
}

fn any_moment() -> impl Strategy<Value = Timestamp> {
    let range = Timestamp::MIN.as_microsecond()..=Timestamp::MAX.as_microsecond();
    range.prop_map(|moment| Timestamp::from_microsecond(moment).unwrap())
}

/// Days of births whose 21st birthdays lie between 1991 and 2170.
fn birth_day() -> impl Strategy<Value = Date> {
    (0..65_000_i32).prop_map(|days| date(1970, 1, 1) + days.days())
}

proptest! {
    #[test]
    fn every_21st_birthday_begins_at_midnight(birth in birth_day(), state in any_state()) {
        let year = birth.year() + 21;
        let birthday = Date::new(year, birth.month(), birth.day()).unwrap_or(date(year, 3, 1));
        let midnight = midnight(birthday, state);
        let before = born(birth, state, midnight - 1.microsecond());
        prop_assert_eq!(before.refusal(), Some(Refusal::UnderMinimum { minimum: 21 }));
        prop_assert_eq!(before.age(), Some(20));
        prop_assert_eq!(born(birth, state, midnight), Decision::Passed { state, age: 21 });
    }

    #[test]
    fn nobody_gets_younger(birth in birth_day(), state in any_state(), start in 0..40_000_i64, hours in 0..10_000_i64) {
        let now = Timestamp::from_second(start * 86_400).unwrap();
        let later = now + SignedDuration::from_hours(hours);
        prop_assert!(born(birth, state, now).age() <= born(birth, state, later).age());
    }

    #[test]
    fn any_claim_gets_an_answer(
        full_name in any::<String>(),
        date_of_birth in any::<String>(),
        id_number_last4 in any::<String>(),
        state in any::<String>(),
        now in any_moment(),
    ) {
        let claim = Claim {
            full_name: &full_name,
            date_of_birth: &date_of_birth,
            id_number_last4: &id_number_last4,
            state: &state,
        };
        prop_assert!(!policy().decide(&claim, now).is_passed());
    }

    #[test]
    fn claims_that_look_right_are_decided_by_their_age(
        year in 0..=9999_i16,
        month in 1..=12_i8,
        day in 1..=31_i8,
        digits in "[0-9]{3,5}",
        state in any_state(),
        now in any_moment(),
    ) {
        let claim = Claim {
            full_name: GOOD.full_name,
            date_of_birth: &format!("{year:04}-{month:02}-{day:02}"),
            id_number_last4: &digits,
            state: state.as_str(),
        };
        let decision = policy().decide(&claim, now);
        let old_enough = decision.age().is_some_and(|age| (21..=120).contains(&age));
        prop_assert_eq!(decision.is_passed(), old_enough && digits.len() == 4);
        prop_assert_eq!(decision.state(), Some(state));
        prop_assert_eq!(decision.age().is_none(), decision.code() == "birth_date_invalid");
    }
}
