//! Proofs that records are in the log: made here, checked by nothing but a public key.

use std::time::Duration;

use app::audit::{self, Place};
use bonafide::http::audit::ProofDocument;
use domain::audit::PublicKey;
use serde_json::json;
use store::tables::audit::Located;

use crate::customers::{BOTH, check, prove};
use crate::harness::{Answer, Settings, TestApp, flows};

use super::grown::rotate;
use super::oracle::verdicts;

flows!(
    every_record_can_be_proven,
    a_proof_outlives_what_follows,
    a_company_proves_its_own_records,
    what_is_no_record_has_no_proof,
    requests_are_found_by_their_ids,
    what_is_not_as_it_was_cannot_be_proven,
    what_is_retired_keeps_its_proofs,
);

fn place(located: &Located) -> Place {
    Place {
        log: located.log,
        batch: located.batch,
        position: located.position,
    }
}

fn id(located: &Located) -> String {
    format!("{}.{}.{}", located.log, located.batch, located.position)
}

async fn newest_key(app: &TestApp) -> PublicKey {
    audit::keys(&app.app).await.unwrap().remove(0).1
}

/// The proof as somebody gets it.
async fn document(app: &TestApp, place: Place) -> ProofDocument {
    let proven = audit::prove(&app.app, place).await.unwrap().unwrap();
    let text = serde_json::to_string(&ProofDocument::of(&proven)).unwrap();
    serde_json::from_str(&text).unwrap()
}

async fn every_record_can_be_proven(app: TestApp) {
    let other = &app.another(Settings::default().customers("off")).await;
    let app = &app.another(Settings::default().customers("off")).await;
    let key = &app.key("default", BOTH).await;
    other.chores().await;
    for wave in 0..4 {
        let requests = (0..40).map(|at| async move {
            let instance = if at % 2 == 0 { app } else { other };
            let question = json!({"email": format!("a{at}@example.com")});
            check(instance, key, &question).expect(200).await
        });
        futures_util::future::join_all(requests).await;
        if wave < 3 {
            app.chores().await;
        }
    }
    let records = app.records().await;
    let mut cases = Vec::new();
    for located in &records {
        let document = document(app, place(located)).await;
        let proof = document.proof().unwrap();
        assert_eq!(proof.record, located.record);
        proof.check(&newest_key(app).await).unwrap();
        cases.push((
            newest_key(app).await,
            serde_json::to_string(&document).unwrap(),
        ));
    }
    assert!(cases.len() > 160);
    // The other program needs a while for each.
    let some: Vec<_> = cases.into_iter().step_by(10).collect();
    assert!(verdicts(&some).iter().all(|verdict| verdict == "holds"));
}

async fn a_proof_outlives_what_follows(app: TestApp) {
    let key = app.key("default", BOTH).await;
    let first = prove(&app, &key, "ann@example.com", "veriff", true).await;
    let located = &app.records_of(first.request_id()).await[0];
    let early = document(&app, place(located)).await;
    let old = newest_key(&app).await;
    for status in [false, true] {
        rotate(&app).await;
        prove(&app, &key, "ann@example.com", "veriff", status).await;
        app.chores().await;
    }
    assert_ne!(newest_key(&app).await, old);
    early.proof().unwrap().check(&old).unwrap();
    // The same proof, asked for again, and one under the newest key: the old key leads to both.
    let again = document(&app, place(located)).await.proof().unwrap();
    again.check(&old).unwrap();
    let newest = app.records().await;
    let newest = newest
        .iter()
        .max_by_key(|located| located.record.at)
        .unwrap();
    let late = document(&app, place(newest)).await.proof().unwrap();
    late.check(&old).unwrap();
    let unknown = PublicKey(vec![1; 32]);
    assert!(late.check(&unknown).is_err());
}

async fn ask(app: &TestApp, key: &str, id: &str, status: u16) -> Answer {
    let path = format!("/api/v1/audit/{id}/proof");
    app.get(&path).key(key).expect(status).await
}

async fn a_company_proves_its_own_records(app: TestApp) {
    app.company("acme").await;
    let acme = app.key("acme", "customers:read audit:read").await;
    let theirs = app.key("default", BOTH).await;
    let operator = app.key("default", "admin").await;
    let question = json!({"email": "ann@example.com"});
    let own = check(&app, &acme, &question).expect(200).await;
    let other = check(&app, &theirs, &question).expect(200).await;
    let own = id(&app.records_of(own.request_id()).await[0]);
    let other = id(&app.records_of(other.request_id()).await[0]);
    for (key, id) in [(&acme, &own), (&operator, &own), (&operator, &other)] {
        let answer = ask(&app, key, id, 200).await;
        let document: ProofDocument = serde_json::from_slice(&answer.bytes).unwrap();
        document
            .proof()
            .unwrap()
            .check(&newest_key(&app).await)
            .unwrap();
        let asked = &app.records_of(answer.request_id()).await[0].record;
        assert_eq!(asked.action, "audit.prove");
    }
    assert_eq!(ask(&app, &acme, &other, 404).await.code(), "not_found");
    assert_eq!(ask(&app, &theirs, &other, 403).await.code(), "forbidden");
}

async fn what_is_no_record_has_no_proof(app: TestApp) {
    let key = app.key("default", "audit:read").await;
    for id in [
        "1.1.9999",
        "1.9999.0",
        "9999.1.0",
        "1.1.9223372036854775807",
        "1.1.9223372036854775808",
        "-1.1.0",
        "1.1",
        "1.1.0.0",
        "1..0",
        "a.b.c",
        "1.%201.0",
        "+1.1.0",
    ] {
        assert_eq!(ask(&app, &key, id, 404).await.code(), "not_found", "{id}");
    }
}

async fn requests_are_found_by_their_ids(app: TestApp) {
    let key = app.key("default", BOTH).await;
    let question = json!({"email": "ann@example.com"});
    let mut asked = Vec::new();
    for hour in 0..12 {
        let call = check(&app, &key, &question);
        let call = match hour % 3 {
            0 => call.header("x-request-id", &format!("checkout-{hour}")),
            _ => call,
        };
        let answer = call.expect(200).await;
        asked.push(answer.request_id().to_owned());
        app.advance(Duration::from_secs(3_600));
    }
    for request_id in &asked {
        let found = audit::places_of_request(&app.app, request_id)
            .await
            .unwrap();
        let expected: Vec<_> = app.records_of(request_id).await.iter().map(place).collect();
        assert_eq!(found, expected);
        assert_eq!(found.len(), 1, "{request_id}");
    }
    for unknown in ["checkout-99", "01941f29-7c00-7d1f-9a3f-803767c1cef5", ""] {
        let found = audit::places_of_request(&app.app, unknown).await.unwrap();
        assert!(found.is_empty(), "{unknown}");
    }
}

async fn what_is_not_as_it_was_cannot_be_proven(app: TestApp) {
    let key = app.key("default", BOTH).await;
    let answer = prove(&app, &key, "ann@example.com", "veriff", true).await;
    let located = &app.records_of(answer.request_id()).await[0];
    let request = answer.request_id();
    let set = |status: u16| {
        format!("UPDATE audit_records SET status = {status} WHERE request_id = '{request}'")
    };
    app.database().sql(&set(500)).await;
    let error = audit::prove(&app.app, place(located)).await.unwrap_err();
    assert!(error.cause().unwrap().contains(&id(located)));
    app.database().sql(&set(200)).await;
    audit::prove(&app.app, place(located))
        .await
        .unwrap()
        .unwrap();
}

async fn what_is_retired_keeps_its_proofs(app: TestApp) {
    const DAY: Duration = Duration::from_secs(24 * 3_600);
    let key = app.key("default", BOTH).await;
    let first = prove(&app, &key, "ann@example.com", "veriff", true).await;
    let located = &app.records_of(first.request_id()).await[0];
    let early = document(&app, place(located)).await;
    app.advance(40 * DAY);
    let second = prove(&app, &key, "ann@example.com", "membership", true).await;
    let later = &app.records_of(second.request_id()).await[0];
    app.advance(2_549 * DAY);
    let kept_from = app.app.retention.records_kept_from(app.now());
    assert_eq!(audit::retire(&app.app, kept_from).await.unwrap(), 1);
    let trusted = newest_key(&app).await;
    early.proof().unwrap().check(&trusted).unwrap();
    let gone = audit::prove(&app.app, place(located)).await.unwrap();
    assert!(gone.is_none(), "its time is over");
    let late = document(&app, place(later)).await;
    late.proof().unwrap().check(&trusted).unwrap();
    app.chores().await;
}
