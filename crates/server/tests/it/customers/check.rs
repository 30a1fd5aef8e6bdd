//! check-verification.

use serde_json::{Value, json};

use super::{BOTH, CHECK, check, prove, update};
use crate::harness::{TestApp, flows};

flows!(
    an_unknown_customer_has_proven_nothing,
    a_customer_is_found_by_email_however_it_is_written,
    a_customer_is_found_by_phone,
    the_email_decides_before_the_phone,
    the_phone_decides_when_nobody_has_the_email,
    the_record_names_of_whom_something_was_told,
    of_several_customers_with_one_phone_the_last_changed_is_meant,
    everything_proven_is_all_verified,
    one_of_email_and_phone_is_needed,
    all_mistakes_are_told_together,
);

async fn an_unknown_customer_has_proven_nothing(app: TestApp) {
    let key = app.key("default", BOTH).await;
    let answer = check(&app, &key, &json!({"email": "nobody@example.com"}));
    insta::assert_snapshot!("unknown", answer.expect(200).await.wire());
    let answer = check(&app, &key, &json!({"phone": "+14155550123"}));
    assert_eq!(answer.expect(200).await.json["customer_found"], false);
}

async fn a_customer_is_found_by_email_however_it_is_written(app: TestApp) {
    let key = app.key("default", BOTH).await;
    prove(&app, &key, "ann@xn--bcher-kva.example", "veriff", true).await;
    for email in ["ann@bücher.example", "  Ann@BÜCHER.example\n"] {
        let json = check(&app, &key, &json!({"email": email, "phone": null}));
        let json = json.expect(200).await.json;
        assert_eq!(json["customer_found"], true, "{email}");
        assert_eq!(json["veriff_approved"], true);
        assert_eq!(json["veriff_date"], "2025-01-01T00:00:00Z");
        assert_eq!(json["all_verified"], false);
    }
}

async fn a_customer_is_found_by_phone(app: TestApp) {
    let key = app.key("default", BOTH).await;
    with_phone(&app, &key, "ann@example.com", "+1 415 555 0123").await;
    let answer = check(&app, &key, &json!({"phone": "+14155550123"}));
    let json = answer.expect(200).await.json;
    assert_eq!(json["customer_found"], true);
    assert_eq!(json["membership_signed"], true);
}

async fn the_email_decides_before_the_phone(app: TestApp) {
    let key = app.key("default", BOTH).await;
    with_phone(&app, &key, "ann@example.com", "+14155550123").await;
    prove(&app, &key, "bob@example.com", "veriff", true).await;
    let question = json!({"email": "bob@example.com", "phone": "+14155550123"});
    let json = check(&app, &key, &question).expect(200).await.json;
    assert_eq!(json["veriff_approved"], true);
    assert_eq!(json["membership_signed"], false);
}

async fn the_phone_decides_when_nobody_has_the_email(app: TestApp) {
    let key = app.key("default", BOTH).await;
    with_phone(&app, &key, "ann@example.com", "+14155550123").await;
    let question = json!({"email": "new@example.com", "phone": "+14155550123"});
    let json = check(&app, &key, &question).expect(200).await.json;
    assert_eq!(json["customer_found"], true);
    assert_eq!(json["membership_signed"], true);
}

async fn the_record_names_of_whom_something_was_told(app: TestApp) {
    let key = app.key("default", BOTH).await;
    with_phone(&app, &key, "ann@example.com", "+14155550123").await;
    let mut subjects = Vec::new();
    for question in [
        json!({"phone": "+14155550123"}),
        json!({"email": "new@example.com", "phone": "+14155550123"}),
        json!({"email": "new@example.com", "phone": "+14155550199"}),
        json!({"email": "new@example.com"}),
    ] {
        let answer = check(&app, &key, &question).expect(200).await;
        let records = app.records_of(answer.header("x-request-id")).await;
        let subject = records.first().and_then(|located| located.record.subject);
        subjects.push(subject.map(|subject| *subject.as_bytes()));
    }
    assert!(subjects.iter().all(Option::is_some));
    assert_eq!(subjects[0], subjects[1], "the number was Ann's");
    assert_eq!(subjects[2], subjects[3], "nobody was found");
    assert_ne!(subjects[1], subjects[2]);
}

async fn of_several_customers_with_one_phone_the_last_changed_is_meant(app: TestApp) {
    let key = app.key("default", BOTH).await;
    let phone = json!({"phone": "+14155550123"});
    with_phone(&app, &key, "ann@example.com", "+14155550123").await;
    app.advance(std::time::Duration::from_secs(1));
    let body = json!({"email": "bob@example.com", "phone": "+14155550123",
        "verification_type": "veriff", "status": true});
    update(&app, &key, &body).expect(200).await;
    let json = check(&app, &key, &phone).expect(200).await.json;
    assert_eq!(json["veriff_approved"], true);
    app.advance(std::time::Duration::from_secs(1));
    prove(&app, &key, "ann@example.com", "email_optin", true).await;
    let json = check(&app, &key, &phone).expect(200).await.json;
    assert_eq!(json["membership_signed"], true);
}

async fn everything_proven_is_all_verified(app: TestApp) {
    let key = app.key("default", BOTH).await;
    let question = json!({"email": "ann@example.com"});
    for (proof, all) in [
        ("veriff", false),
        ("membership", false),
        ("email_optin", true),
    ] {
        prove(&app, &key, "ann@example.com", proof, true).await;
        let json = check(&app, &key, &question).expect(200).await.json;
        assert_eq!(json["all_verified"], all, "{proof}");
        app.advance(std::time::Duration::from_millis(61_500));
    }
    let answer = check(&app, &key, &question).expect(200).await;
    insta::assert_json_snapshot!("all_verified", answer.json);
}

async fn one_of_email_and_phone_is_needed(app: TestApp) {
    let key = app.key("default", BOTH).await;
    for body in [
        json!({}),
        json!({"email": null}),
        json!({"email": null, "phone": null}),
    ] {
        let answer = check(&app, &key, &body).expect(400).await;
        assert_eq!(answer.code(), "invalid_request");
        assert_eq!(answer.fields(), ["email"]);
    }
}

async fn all_mistakes_are_told_together(app: TestApp) {
    let key = app.key("default", BOTH).await;
    let wrong = json!({"email": "secret-address", "phone": "secret-number"});
    let answer = check(&app, &key, &wrong).expect(400).await;
    insta::assert_snapshot!("invalid", answer.wire());
    assert!(!answer.text().contains("secret"));
    let wrong: Value = json!({"email": 7, "phone": ["+14155550123"]});
    let answer = app.post(CHECK).key(&key).json(&wrong).expect(400).await;
    assert_eq!(answer.fields(), ["email", "phone"]);
}

async fn with_phone(app: &TestApp, key: &str, email: &str, phone: &str) {
    let body = json!({"email": email, "phone": phone,
        "verification_type": "membership", "status": true});
    update(app, key, &body).expect(200).await;
}
