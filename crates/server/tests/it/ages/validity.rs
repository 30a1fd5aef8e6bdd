//! How long a verification holds: a calendar year, to the instant.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{adult, adult_with, pass, refuse, resubmit, status, verify};
use crate::harness::{TestApp, flows};

flows!(
    a_verification_ends_after_a_calendar_year_to_the_instant,
    a_year_from_29_february_ends_on_the_28th,
    the_21st_birthday_begins_at_midnight_in_the_customers_state,
    those_born_on_29_february_come_of_age_on_1_march,
    a_refused_renewal_leaves_it_expired,
);

const ALL: &str = "ages:read ages:write";

/// Lets time pass until a moment.
fn advance_to(app: &TestApp, moment: &str) {
    let moment: Timestamp = moment.parse().unwrap();
    let wait = moment.duration_since(app.now());
    app.advance(Duration::try_from(wait).unwrap());
}

async fn a_verification_ends_after_a_calendar_year_to_the_instant(app: TestApp) {
    let key = app.key("default", ALL).await;
    // The year has a leap day in it.
    advance_to(&app, "2027-06-15T12:34:56.789Z");
    let first = pass(&app, &key, "customer-81").await.json;
    assert_eq!(first["expiresAt"], "2028-06-15T12:34:56.789Z");
    advance_to(&app, "2028-06-15T12:34:56.788999Z");
    assert_eq!(
        pass(&app, &key, "customer-81").await.json["method"],
        "cache"
    );
    let known = status(&app, &key, "customer-81").expect(200).await.json;
    assert_eq!(
        (&known["verified"], &known["expired"]),
        (&true.into(), &false.into())
    );

    app.advance(Duration::from_micros(1));
    let known = status(&app, &key, "customer-81").expect(200).await.json;
    assert_eq!(
        (&known["verified"], &known["expired"]),
        (&false.into(), &true.into())
    );
    assert_eq!(known["verificationId"], first["verificationId"]);
    let renewed = pass(&app, &key, "customer-81").await.json;
    assert_eq!(renewed["method"], "full_verification");
    assert_ne!(renewed["verificationId"], first["verificationId"]);
    assert_eq!(renewed["expiresAt"], "2029-06-15T12:34:56.789Z");
    let known = status(&app, &key, "customer-81").expect(200).await.json;
    assert_eq!(known["verificationId"], renewed["verificationId"]);
    assert_eq!(known["verified"], true);
}

async fn a_year_from_29_february_ends_on_the_28th(app: TestApp) {
    let key = app.key("default", ALL).await;
    advance_to(&app, "2028-02-29T10:00:00Z");
    let passed = pass(&app, &key, "customer-81").await.json;
    assert_eq!(passed["expiresAt"], "2029-02-28T10:00:00.000Z");
}

async fn the_21st_birthday_begins_at_midnight_in_the_customers_state(app: TestApp) {
    let key = app.key("default", ALL).await;
    let places = [
        ("GU", "2025-06-14T14:00:00Z"),
        ("NY", "2025-06-15T04:00:00Z"),
        ("TX", "2025-06-15T05:00:00Z"),
        ("AS", "2025-06-15T11:00:00Z"),
    ];
    for (state, midnight) in places {
        let claim = |customer: &str| {
            let mut claim = adult_with(customer, "dateOfBirth", "2004-06-15");
            claim["state"] = state.into();
            claim
        };
        let midnight: Timestamp = midnight.parse().unwrap();
        let just_before = midnight - SignedDuration::from_micros(1);
        advance_to(&app, &just_before.to_string());
        let answer = verify(&app, &key, &claim(&format!("{state}-1")))
            .expect(400)
            .await;
        assert_eq!(answer.json["age"], 20);
        advance_to(&app, &midnight.to_string());
        let answer = verify(&app, &key, &claim(&format!("{state}-2")))
            .expect(200)
            .await;
        assert_eq!(answer.json["age"], 21);
    }
}

async fn those_born_on_29_february_come_of_age_on_1_march(app: TestApp) {
    let key = app.key("default", ALL).await;
    let claim = |customer: &str| adult_with(customer, "dateOfBirth", "2004-02-29");
    advance_to(&app, "2025-03-01T05:59:59Z");
    verify(&app, &key, &claim("before")).expect(400).await;
    advance_to(&app, "2025-03-01T06:00:00Z");
    verify(&app, &key, &claim("after")).expect(200).await;
}

async fn a_refused_renewal_leaves_it_expired(app: TestApp) {
    let key = app.key("default", ALL).await;
    let first = pass(&app, &key, "customer-81").await.json;
    advance_to(&app, "2026-01-01T00:00:00Z");
    refuse(&app, &key, "customer-81").await;
    let known = status(&app, &key, "customer-81").expect(200).await.json;
    assert_eq!(
        (&known["expired"], &known["verificationId"]),
        (&true.into(), &first["verificationId"])
    );
    // Set aside, an expired one is gone like any other.
    resubmit(&app, &key, &adult_with("customer-81", "state", "?"))
        .expect(400)
        .await;
    status(&app, &key, "customer-81").expect(404).await;
    resubmit(&app, &key, &adult("customer-81"))
        .expect(200)
        .await;
}
