//! What the audit log and the evidence say of verifications.

use serde_json::json;

use super::{ALL, adult, adult_with, minor, pass, resubmit, statistics, status, use_up, verify};
use crate::harness::{TestApp, flows, key_id};

flows!(
    every_request_leaves_one_record,
    the_subject_is_the_customer,
    every_decision_is_kept_as_evidence,
);

async fn every_request_leaves_one_record(app: TestApp) {
    let key = app.key("default", ALL).await;
    use_up(&app, &key, "closed").await;
    let credential = format!("key:{}", key_id(&key));
    let full = Some("full_verification");
    let cases = [
        (
            verify(&app, &key, &adult("a")),
            "age.verify",
            200,
            "ok",
            full,
        ),
        (
            verify(&app, &key, &adult("a")),
            "age.verify",
            200,
            "ok",
            Some("cache"),
        ),
        (
            resubmit(&app, &key, &adult("a")),
            "age.resubmit",
            200,
            "ok",
            full,
        ),
        (
            verify(&app, &key, &minor("b")),
            "age.verify",
            400,
            "refused",
            Some("age_check under_minimum_age"),
        ),
        (
            verify(&app, &key, &adult_with("b", "state", "?")),
            "age.verify",
            400,
            "refused",
            Some("input_validation state_unknown"),
        ),
        (
            resubmit(&app, &key, &adult_with("b", "idNumberLast4", "?")),
            "age.resubmit",
            400,
            "refused",
            Some("id_validation id_digits_malformed"),
        ),
        (
            verify(&app, &key, &adult("closed")),
            "age.verify",
            429,
            "rate_limited",
            Some("rate_limit"),
        ),
        (
            resubmit(&app, &key, &adult("closed")),
            "age.resubmit",
            429,
            "rate_limited",
            Some("rate_limit"),
        ),
        (status(&app, &key, "a"), "age.status", 200, "ok", None),
        (
            status(&app, &key, "unknown"),
            "age.status",
            404,
            "not_found",
            None,
        ),
        (
            verify(&app, &key, &json!({})),
            "age.verify",
            400,
            "invalid_request",
            None,
        ),
        (
            statistics(&app, &key, ""),
            "age.statistics",
            200,
            "ok",
            None,
        ),
        (
            statistics(&app, &key, "?days=0"),
            "age.statistics",
            400,
            "invalid_request",
            None,
        ),
    ];
    for (number, (call, action, status, code, detail)) in cases.into_iter().enumerate() {
        let answer = call.expect(status).await;
        let records = app.records_of(answer.request_id()).await;
        assert_eq!(records.len(), 1, "{action}");
        let record = &records[0].record;
        // Of a decision the remark ends with its name.
        let told = detail.map(|words| match answer.json["verificationId"].as_str() {
            Some(name) if words != "cache" => format!("{words} {name}"),
            _ => words.to_owned(),
        });
        assert_eq!(
            (&*record.action, record.outcome.status),
            (action, i64::from(status))
        );
        assert_eq!(
            (&*record.outcome.code, record.detail.as_deref()),
            (code, told.as_deref())
        );
        assert_eq!(
            (&*record.company, &*record.credential),
            ("default", &*credential)
        );
        assert_eq!(record.subject.is_some(), number < 10, "{action} {status}");
    }
}

async fn the_subject_is_the_customer(app: TestApp) {
    let key = app.key("default", ALL).await;
    let subject = async |call: crate::harness::Call| {
        let answer = call.send().await;
        let records = app.records_of(answer.request_id()).await;
        records[0].record.subject.unwrap()
    };
    let ann = subject(verify(&app, &key, &adult("ann"))).await;
    assert_eq!(subject(resubmit(&app, &key, &minor("ann"))).await, ann);
    assert_eq!(subject(status(&app, &key, "ann")).await, ann);
    assert_ne!(subject(status(&app, &key, "bob")).await, ann);
}

async fn every_decision_is_kept_as_evidence(app: TestApp) {
    let key = app.key("default", ALL).await;
    let first = pass(&app, &key, "a").await;
    pass(&app, &key, "a").await;
    let second = resubmit(&app, &key, &minor("a")).expect(400).await;
    let third = verify(&app, &key, &adult_with("a", "state", "?"))
        .expect(400)
        .await;
    let kept = app.database().sql(
        "SELECT verification_id, previous, method, reason, state, age, assurance, source, request_id \
         FROM age_decisions",
    );
    let kept = kept.await;
    assert_eq!(kept.len(), 3);
    let source = format!("key:{}", key_id(&key));
    let mut previous = "";
    for (answer, method, reason, state, age) in [
        (&first, "full_verification", "passed", "TX", "34"),
        (&second, "age_check", "under_minimum_age", "TX", "14"),
        (&third, "input_validation", "state_unknown", "unknown", ""),
    ] {
        let id = answer.json["verificationId"].as_str().unwrap();
        let row = kept.iter().find(|row| row[0] == id).unwrap();
        let expected = [
            id,
            previous,
            method,
            reason,
            state,
            age,
            "self_declared",
            &source,
            answer.request_id(),
        ];
        assert_eq!(row, &expected);
        previous = id;
    }
}
