//! What a row says.

use serde_json::{Value, json};

use super::{AGES, AUDIT, Stage};
use crate::ages::{VERIFY, adult, adult_with, minor, verify};
use crate::harness::{TestApp, flows, key_id};

flows!(
    a_decision_is_told_without_whom_it_is_about,
    a_record_is_told_without_whom_it_is_about,
    a_page_for_customers_and_a_token_are_archived_too,
);

async fn a_decision_is_told_without_whom_it_is_about(app: TestApp) {
    let mut stage = Stage::set(&app).await;
    stage.copy().await;
    let claims = [
        (adult("a"), 200),
        (minor("b"), 400),
        (adult_with("c", "dateOfBirth", "1950-01-01"), 200),
        (adult_with("d", "dateOfBirth", "not a date"), 400),
        (adult_with("e", "idNumberLast4", "12"), 400),
    ];
    let mut answers = Vec::new();
    for (claim, status) in &claims {
        answers.push(verify(&stage.app, &stage.key, claim).expect(*status).await);
    }
    stage.copy().await;
    let rows = stage.google.rows(AGES);
    let told = |number: usize| {
        let request = answers[number].request_id();
        let row = rows.iter().find(|row| row.json["request_id"] == request);
        row.unwrap().json.clone()
    };
    let first = told(0);
    let expected = json!({
        "verification_id": answers[0].json["verificationId"],
        "occurred_at": "2025-01-01T00:00:00Z",
        "company": "default",
        "outcome": "passed",
        "method": "full_verification",
        "reason": "passed",
        "state": "TX",
        "age_bracket": "25-34",
        "assurance": "self_declared",
        "request_id": answers[0].request_id(),
        "archived_at": "2025-01-01T00:00:00Z",
    });
    assert_eq!(first, expected);
    let brackets: Vec<Value> = (0..5)
        .map(|number| told(number)["age_bracket"].clone())
        .collect();
    assert_eq!(brackets, ["25-34", "under-18", "65+", "unknown", "25-34"]);
    let outcomes: Vec<Value> = (0..5)
        .map(|number| told(number)["outcome"].clone())
        .collect();
    assert_eq!(
        outcomes,
        ["passed", "refused", "passed", "refused", "refused"]
    );
}

async fn a_record_is_told_without_whom_it_is_about(app: TestApp) {
    let mut stage = Stage::set(&app).await;
    stage.copy().await;
    let answer = verify(&stage.app, &stage.key, &adult("a"))
        .expect(200)
        .await;
    stage.copy().await;
    let located = stage.app.records_of(answer.request_id()).await;
    let (place, record) = (&located[0], &located[0].record);
    assert!(record.subject.is_some() && record.client.is_some());
    let expected = json!({
        "record_id": format!("{}.{}.{}", place.log, place.batch, place.position),
        "occurred_at": "2025-01-01T00:00:00Z",
        "request_id": answer.request_id(),
        "company": "default",
        "credential": record.credential,
        "action": "age.verify",
        "outcome": "ok",
        "status": 200,
        "latency_us": 0,
        "occurrences": 1,
        "detail": record.detail,
        "archived_at": "2025-01-01T00:00:00Z",
    });
    assert_eq!(stage.google.rows(AUDIT)[0].json, expected);
}

async fn a_page_for_customers_and_a_token_are_archived_too(app: TestApp) {
    let mut stage = Stage::set(&app).await;
    stage.copy().await;
    let id = key_id(&stage.key);
    let form = format!(
        "grant_type=client_credentials&client_id={id}&client_secret={}",
        stage.key
    );
    let granted = stage.app.post("/api/v1/auth/token");
    let granted = granted.body("application/x-www-form-urlencoded", form);
    let granted = granted.expect(200).await;
    let token = granted.json["access_token"].as_str().unwrap().to_owned();
    let asked = stage.app.post(VERIFY).json(&adult("a"));
    let asked = asked.header("authorization", &format!("Bearer {token}"));
    let answer = asked.expect(200).await;
    stage.copy().await;
    let rows = stage.google.rows(AUDIT);
    let row = rows
        .iter()
        .find(|row| row.json["request_id"] == answer.request_id())
        .unwrap();
    let credential = row.json["credential"].as_str().unwrap();
    assert!(credential.starts_with("token key:"), "{credential}");
}
