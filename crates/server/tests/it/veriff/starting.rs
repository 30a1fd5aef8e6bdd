//! Sending a customer to Veriff: one session, however often it is asked for.

use std::time::Duration;

use serde_json::json;

use super::office::Mood;
use super::{ANN, START, Stage, decision};
use crate::customers::{check, prove};
use crate::harness::{TestApp, flows};

flows!(
    a_session_is_made_once_and_its_address_used_again,
    veriff_learns_nothing_but_the_reference,
    whoever_asks_meanwhile_buys_no_second_session,
    the_same_request_again_is_answered_the_same,
    a_caller_who_hangs_up_loses_no_session,
    what_veriff_surely_did_not_do_is_asked_for_again_at_once,
    what_it_may_have_done_is_left_alone_for_a_minute,
    an_old_or_decided_session_makes_way,
    without_veriff_there_is_nowhere_to_go,
    mistakes_are_told,
    the_address_is_sealed,
);

const MINUTE: Duration = Duration::from_secs(60);

async fn a_session_is_made_once_and_its_address_used_again(app: TestApp) {
    let stage = Stage::set(&app).await;
    let first = stage.start(ANN).expect(200).await.json;
    let session = stage.office.sessions().remove(0);
    let url = format!("https://magic.veriff.me/v/token-{session}");
    assert_eq!(first["url"], url);
    for spelling in [ANN, " Ann@Example.com "] {
        let again = stage.start(spelling).expect(200).await.json;
        assert_eq!(again, first);
    }
    assert_eq!(stage.office.bought(), 1);
    let other = stage.start("bob@example.com").expect(200).await.json;
    assert_ne!(other["session_id"], first["session_id"]);
    let question = json!({ "email": ANN });
    let known = check(&stage.app, &stage.key, &question).expect(200).await;
    assert_eq!(
        known.json["customer_found"], true,
        "the customer is created"
    );
    assert_eq!(known.json["veriff_approved"], false);
}

async fn veriff_learns_nothing_but_the_reference(app: TestApp) {
    let stage = Stage::set(&app).await;
    let answer = stage.start(ANN).expect(200).await.json;
    let asked = stage.office.asked();
    let said = json!({"verification": {"vendorData": answer["session_id"]}});
    let post = ("POST".to_owned(), "/v1/sessions".to_owned(), said);
    assert_eq!(asked, [post]);
}

async fn whoever_asks_meanwhile_buys_no_second_session(app: TestApp) {
    let stage = Stage::set(&app).await;
    stage.office.shut().await;
    let first = tokio::spawn(stage.start(ANN).send());
    stage.office.until_asked().await;
    for _ in 0..3 {
        let answer = stage.start(ANN).expect(503).await;
        assert_eq!(answer.code(), "unavailable");
        assert_eq!(answer.header("retry-after"), "60");
    }
    stage.office.open_doors();
    let first = first.await.unwrap();
    assert_eq!(first.status.as_u16(), 200);
    assert_eq!(stage.start(ANN).expect(200).await.json, first.json);
    assert_eq!(stage.office.sessions().len(), 1);
}

async fn the_same_request_again_is_answered_the_same(app: TestApp) {
    let stage = Stage::set(&app).await;
    let call = || stage.start(ANN).header("idempotency-key", "one");
    let first = call().expect(200).await.json;
    assert_eq!(call().expect(200).await.json, first);
    assert_eq!(stage.office.bought(), 1);
}

async fn a_caller_who_hangs_up_loses_no_session(app: TestApp) {
    let stage = Stage::set(&app).await;
    stage.office.shut().await;
    let call = tokio::spawn(stage.start(ANN).send());
    stage.office.until_asked().await;
    call.abort();
    stage.office.open_doors();
    let answer = loop {
        let answer = stage.start(ANN).send().await;
        if answer.status.as_u16() == 200 {
            break answer;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(stage.office.sessions().len(), 1);
    assert!(answer.json["url"].as_str().is_some());
}

async fn what_veriff_surely_did_not_do_is_asked_for_again_at_once(app: TestApp) {
    let stage = Stage::set(&app).await;
    for (mood, pause) in [
        (Mood::RetryAfter(7), "7"),
        (Mood::Status(401), "5"),
        (Mood::Status(400), "5"),
    ] {
        stage.office.be(mood);
        let answer = stage.start(ANN).expect(503).await;
        assert_eq!(answer.code(), "unavailable");
        assert_eq!(answer.header("retry-after"), pause);
    }
    let made = stage.start(ANN).expect(200).await.json;
    let references: Vec<_> = stage.office.asked();
    assert_eq!(references.len(), 4);
    for (_, _, said) in references {
        assert_eq!(said["verification"]["vendorData"], made["session_id"]);
    }
}

async fn what_it_may_have_done_is_left_alone_for_a_minute(app: TestApp) {
    let stage = Stage::set(&app).await;
    let elsewhere = super::office::Office::open().await;
    for mood in [
        Mood::Status(500),
        Mood::Text("<html>".to_owned()),
        Mood::Redirect(elsewhere.url()),
    ] {
        stage.office.be(mood);
        stage.start(ANN).expect(503).await;
        stage.start(ANN).expect(503).await;
        assert_eq!(
            stage.office.bought(),
            1,
            "the second one did not reach Veriff"
        );
        stage.app.advance(MINUTE);
    }
    assert!(elsewhere.asked().is_empty(), "the key goes nowhere else");
    stage.start(ANN).expect(200).await;
    assert_eq!(stage.office.sessions().len(), 1);
}

async fn an_old_or_decided_session_makes_way(app: TestApp) {
    let stage = Stage::set(&app).await;
    let (first, reference) = stage.started(ANN).await;
    // To try again is part of the session.
    let again = "2025-01-01T00:00:00.000Z";
    let asked = decision(&first, &reference, "resubmission_requested", again);
    stage.hear(&asked).await;
    assert_eq!(
        stage.start(ANN).expect(200).await.json["session_id"],
        reference
    );
    stage.app.advance(7 * 24 * 60 * MINUTE);
    let (second, reference) = stage.started(ANN).await;
    assert_ne!(first, second);
    let declined = decision(&second, &reference, "declined", "2025-01-08T00:00:00.000Z");
    stage.hear(&declined).await;
    let (third, _) = stage.started(ANN).await;
    assert_ne!(second, third);
}

async fn without_veriff_there_is_nowhere_to_go(app: TestApp) {
    let key = app.key("default", "customers:write").await;
    let body = json!({ "email": ANN });
    let call = app.post(START).key(&key).json(&body);
    assert_eq!(call.expect(404).await.code(), "not_configured");
    let stage = Stage::set(&app).await;
    stage.app.company("another").await;
    let theirs = stage.app.key("another", "customers:write").await;
    let call = stage.app.post(START).key(&theirs).json(&body);
    assert_eq!(call.expect(404).await.code(), "not_configured");
    assert!(stage.office.asked().is_empty());
}

async fn mistakes_are_told(app: TestApp) {
    let stage = Stage::set(&app).await;
    for body in [json!({}), json!({"email": ""}), json!({"email": "ann"})] {
        let call = stage.app.post(START).key(&stage.key).json(&body);
        assert_eq!(call.expect(400).await.fields(), ["email"]);
    }
    let reader = stage.app.key("default", "customers:read").await;
    let body = json!({ "email": ANN });
    let call = stage.app.post(START).key(&reader).json(&body);
    assert_eq!(call.expect(403).await.code(), "forbidden");
    assert!(stage.office.asked().is_empty());
}

async fn the_address_is_sealed(app: TestApp) {
    let stage = Stage::set(&app).await;
    prove(&stage.app, &stage.key, ANN, "membership", true).await;
    let (session, _) = stage.started(ANN).await;
    let dump = String::from_utf8_lossy(&stage.app.database().dump().await).into_owned();
    assert!(!dump.contains(&format!("token-{session}")));
    assert!(!dump.contains(ANN));
}
