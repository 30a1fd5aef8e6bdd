//! verify: passed, remembered, refused, closed.

use serde_json::{Value, json};

use super::{SECOND, adult, adult_with, closed, pass, use_up, verify, wire};
use crate::harness::{Settings, TestApp, flows};

flows!(
    somebody_old_enough_passes,
    whoever_passed_is_remembered,
    each_check_refuses_in_its_own_words,
    the_first_check_that_fails_is_told,
    somebody_too_young_is_refused,
    used_up_attempts_are_told,
    the_operator_sets_the_rules,
    names_of_every_script_pass,
);

async fn somebody_old_enough_passes(app: TestApp) {
    let key = app.key("default", "ages:write").await;
    let answer = pass(&app, &key, "customer-81").await;
    insta::assert_snapshot!("passed", wire(&answer));
    let milliseconds = app.now().as_millisecond();
    let id = answer.json["verificationId"].as_str().unwrap();
    assert!(id.starts_with(&format!("av_{milliseconds}_")), "{id}");
}

async fn whoever_passed_is_remembered(app: TestApp) {
    let key = app.key("default", "ages:write").await;
    let first = pass(&app, &key, "customer-81").await;
    app.advance(SECOND);
    // What is claimed now no longer matters.
    let wrong = adult_with("customer-81", "dateOfBirth", "never");
    for claim in [adult("customer-81"), wrong] {
        let again = verify(&app, &key, &claim).expect(200).await;
        assert_eq!(again.json["method"], "cache");
        for kept in ["verificationId", "verifiedAt", "expiresAt", "age"] {
            assert_eq!(again.json[kept], first.json[kept], "{kept}");
        }
        assert_eq!(again.json["timestamp"], "2025-01-01T00:00:01.000Z");
        insta::assert_snapshot!("cached", wire(&again));
    }
}

/// A claim gone wrong in one field; the method, the field and the age that are told.
const REFUSALS: [(&str, &str, &str, &str, Option<i64>); 18] = [
    ("fullName", "Ada", "input_validation", "fullName", None),
    ("fullName", "Ada 1815", "input_validation", "fullName", None),
    ("fullName", "- Ada .", "input_validation", "fullName", None),
    ("state", "Texas", "input_validation", "state", None),
    ("state", "ZZ", "input_validation", "state", None),
    (
        "dateOfBirth",
        "1990-6-15",
        "input_validation",
        "dateOfBirth",
        None,
    ),
    (
        "dateOfBirth",
        "15/06/1990",
        "input_validation",
        "dateOfBirth",
        None,
    ),
    (
        "dateOfBirth",
        "1990-02-30",
        "input_validation",
        "dateOfBirth",
        None,
    ),
    (
        "dateOfBirth",
        "1991-02-29",
        "input_validation",
        "dateOfBirth",
        None,
    ),
    (
        "dateOfBirth",
        "2025-01-02",
        "input_validation",
        "dateOfBirth",
        None,
    ),
    (
        "dateOfBirth",
        "1903-12-31",
        "input_validation",
        "dateOfBirth",
        Some(121),
    ),
    (
        "dateOfBirth",
        "2010-06-15",
        "age_check",
        "dateOfBirth",
        Some(14),
    ),
    (
        "dateOfBirth",
        "2004-01-01",
        "age_check",
        "dateOfBirth",
        Some(20),
    ),
    (
        "idNumberLast4",
        "123",
        "id_validation",
        "idNumberLast4",
        Some(34),
    ),
    (
        "idNumberLast4",
        "12345",
        "id_validation",
        "idNumberLast4",
        Some(34),
    ),
    (
        "idNumberLast4",
        "12a4",
        "id_validation",
        "idNumberLast4",
        Some(34),
    ),
    (
        "idNumberLast4",
        "\u{661}\u{662}\u{663}\u{664}",
        "id_validation",
        "idNumberLast4",
        Some(34),
    ),
    (
        "idNumberLast4",
        " 1234",
        "id_validation",
        "idNumberLast4",
        Some(34),
    ),
];

async fn each_check_refuses_in_its_own_words(app: TestApp) {
    let key = app.key("default", "ages:write").await;
    let mut told = Vec::new();
    for (number, (field, value, method, about, age)) in REFUSALS.into_iter().enumerate() {
        let claim = adult_with(&format!("customer-{number}"), field, value);
        let answer = verify(&app, &key, &claim).expect(400).await;
        let json = &answer.json;
        assert_eq!(
            (&json["method"], &json["field"]),
            (&json!(method), &json!(about))
        );
        assert_eq!(json.get("age"), age.map(Value::from).as_ref(), "{value}");
        assert_eq!(
            (&json["success"], &json["verified"]),
            (&json!(false), &json!(false))
        );
        told.push(json!([field, value, json["reason"]]));
        let shown = ["Ada", "1990-06-15"].map(|part| answer.text().contains(part));
        assert_eq!(shown, [false; 2], "an answer repeats nothing of the claim");
    }
    insta::assert_json_snapshot!("reasons", told);
}

async fn the_first_check_that_fails_is_told(app: TestApp) {
    let key = app.key("default", "ages:write").await;
    let mut claim = json!({"customerId": "customer-0", "fullName": "Ada", "state": "ZZ",
        "dateOfBirth": "never", "idNumberLast4": "x"});
    for (number, (field, right, next)) in [
        ("fullName", "Ada Lovelace", "state"),
        ("state", "TX", "dateOfBirth"),
        ("dateOfBirth", "1990-06-15", "idNumberLast4"),
    ]
    .into_iter()
    .enumerate()
    {
        claim["customerId"] = format!("customer-{number}").into();
        let told = verify(&app, &key, &claim).expect(400).await.json;
        assert_eq!(told["field"], field);
        claim[field] = right.into();
        let told = verify(&app, &key, &claim).expect(400).await.json;
        assert_eq!(told["field"], next);
    }
}

async fn somebody_too_young_is_refused(app: TestApp) {
    let key = app.key("default", "ages:write").await;
    let claim = adult_with("customer-81", "dateOfBirth", "2010-06-15");
    let answer = verify(&app, &key, &claim).expect(400).await;
    insta::assert_snapshot!("too_young", wire(&answer));
    let claim = adult_with("customer-82", "state", "Texas");
    let answer = verify(&app, &key, &claim).expect(400).await;
    insta::assert_snapshot!("no_state", wire(&answer));
}

async fn used_up_attempts_are_told(app: TestApp) {
    let key = app.key("default", "ages:write").await;
    use_up(&app, &key, "customer-81").await;
    let answer = closed(&app, &key, &adult("customer-81")).await;
    insta::assert_snapshot!("used_up", wire(&answer));
}

async fn the_operator_sets_the_rules(app: TestApp) {
    use domain::age::{AgePolicy, AttemptPolicy};
    use domain::span::Span;
    let mut settings = Settings::default();
    settings.ages.age = AgePolicy::new(18).unwrap();
    settings.ages.attempts = AttemptPolicy::new(1, Span::seconds(90 * 60)).unwrap();
    settings.ages.lifetime = Span::seconds(3600);
    let app = app.another(settings).await;
    let key = app.key("default", "ages:write").await;
    let eighteen = adult_with("customer-18", "dateOfBirth", "2006-12-31");
    let answer = verify(&app, &key, &eighteen).expect(200).await;
    assert_eq!(answer.json["expiresAt"], "2025-01-01T01:00:00.000Z");
    // It is still New Year's Eve in Texas.
    let seventeen = adult_with("customer-17", "dateOfBirth", "2007-01-01");
    let answer = verify(&app, &key, &seventeen).expect(400).await;
    assert_eq!(answer.json["reason"], "Must be at least 18 years old");
    let answer = closed(&app, &key, &eighteen_of("customer-17")).await;
    let message = answer.json["message"].as_str().unwrap();
    assert!(message.contains("(1 per 90 minutes)"), "{message}");
    assert_eq!(answer.header("retry-after"), "5400");
}

fn eighteen_of(customer: &str) -> Value {
    adult_with(customer, "dateOfBirth", "2006-12-31")
}

async fn names_of_every_script_pass(app: TestApp) {
    let key = app.key("default", "ages:write").await;
    let names = [
        "Siobhán O’Connor-Núñez Jr.",
        "Нгози Адичи",
        "山田 太郎",
        "नरेन्द्र मोदी",
        "أحمد زويل",
        "Q\u{308} X",
        "  Ada\u{3000}Lovelace  ",
    ];
    for (number, name) in names.into_iter().enumerate() {
        let claim = adult_with(&format!("customer-{number}"), "fullName", name);
        verify(&app, &key, &claim).expect(200).await;
    }
}
