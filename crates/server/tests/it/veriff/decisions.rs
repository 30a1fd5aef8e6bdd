//! What decisions lead to, whatever order they come in.

use app::inbox::Status;
use serde_json::{Value, json};

use super::{ANN, PREVIOUS, Stage, decision, hook, signed_hook};
use crate::customers::{prove, standing, update};
use crate::harness::{TestApp, flows};
use crate::orders::{placed, status, timeline};

flows!(
    an_approval_of_an_adult_is_the_proof,
    the_last_proof_releases_the_order,
    an_approval_of_a_minor_is_none,
    an_approval_without_a_birth_date_is_for_a_person,
    an_expired_document_proves_nothing_and_an_unknown_end_is_recorded,
    the_word_decides_and_not_the_number,
    a_refusal_of_no_time_is_for_a_person,
    the_newest_decision_stands_in_any_order,
    the_end_of_a_session_takes_no_approval_away,
    a_decision_overturned_takes_the_proof_back,
    a_repeated_decision_changes_nothing,
    a_decision_after_the_deadline_reopens_the_order,
    a_newer_word_of_the_shop_is_not_overwritten,
    a_decision_finds_its_session_by_either_name,
    strangers_and_other_shapes_change_nothing,
    that_a_session_began_proves_nothing,
    the_secret_before_is_still_good,
    the_audit_log_names_nobody,
);

const AT: &str = "2024-12-31T23:00:00.000Z";
const LATER: &str = "2024-12-31T23:30:00.000Z";

fn with(mut decision: Value, part: &str, field: &str, value: Value) -> Value {
    decision["verification"][part][field] = value;
    decision
}

async fn an_approval_of_an_adult_is_the_proof(app: TestApp) {
    let stage = Stage::set(&app).await;
    let (session, reference) = stage.started(ANN).await;
    stage
        .hear(&decision(&session, &reference, "approved", AT))
        .await;
    let known = standing(&stage.app, &stage.key, ANN).await;
    assert_eq!(known["veriff_approved"], true);
    assert_eq!(known["veriff_date"], "2024-12-31T23:00:00Z");
    assert_eq!(stage.outcome().await, "approved");
    let evidence = "SELECT proof, assurance, source FROM evidence WHERE proof = 'veriff'";
    let evidence = stage.app.database().sql(evidence).await;
    assert_eq!(
        evidence,
        [["veriff", "provider", "hook"].map(str::to_owned).to_vec()]
    );
}

async fn the_last_proof_releases_the_order(app: TestApp) {
    let stage = Stage::set(&app).await;
    let key = &stage.key;
    for proof in ["membership", "email_optin"] {
        prove(&stage.app, key, ANN, proof, true).await;
    }
    placed(&stage.app, key, "A-1", ANN).await;
    let (session, reference) = stage.started(ANN).await;
    stage
        .hear(&decision(&session, &reference, "approved", AT))
        .await;
    assert_eq!(status(&stage.app, key, "A-1").await, "released");
}

async fn an_approval_of_a_minor_is_none(app: TestApp) {
    let stage = Stage::set(&app).await;
    let (session, reference) = stage.started(ANN).await;
    // 21 in Texas an hour after the decision, and in London for hours.
    let approved = decision(&session, &reference, "approved", "2025-01-01T05:00:00.000Z");
    let minor = with(approved, "person", "dateOfBirth", json!("2004-01-01"));
    stage.app.advance(std::time::Duration::from_secs(86_400));
    stage.hear(&minor).await;
    assert!(!stage.is_approved(ANN).await);
    assert_eq!(stage.outcome().await, "too_young");
}

async fn an_approval_without_a_birth_date_is_for_a_person(app: TestApp) {
    let stage = Stage::set(&app).await;
    for (number, born) in [json!(null), json!(""), json!("1967-02-30"), json!(1967)]
        .into_iter()
        .enumerate()
    {
        let email = format!("c{number}@example.com");
        let (session, reference) = stage.started(&email).await;
        let approved = decision(&session, &reference, "approved", AT);
        stage
            .hear(&with(approved, "person", "dateOfBirth", born))
            .await;
        assert!(!stage.is_approved(&email).await);
        assert_eq!(stage.outcome().await, "birth_date_unclear");
    }
    let (session, reference) = stage.started(ANN).await;
    let mut nobody = decision(&session, &reference, "approved", AT);
    nobody["verification"]["person"] = json!(null);
    stage.hear(&nobody).await;
    assert!(!stage.is_approved(ANN).await);
    // The person has decided.
    prove(&stage.app, &stage.key, ANN, "veriff", true).await;
    assert!(stage.is_approved(ANN).await);
}

async fn an_expired_document_proves_nothing_and_an_unknown_end_is_recorded(app: TestApp) {
    let stage = Stage::set(&app).await;
    let (session, reference) = stage.started(ANN).await;
    let approved = decision(&session, &reference, "approved", AT);
    let expired = with(approved, "document", "validUntil", json!("2024-12-30"));
    stage.hear(&expired).await;
    assert!(!stage.is_approved(ANN).await);
    assert_eq!(stage.outcome().await, "document_expired");
    let (session, reference) = stage.started("bob@example.com").await;
    let mut untold = decision(&session, &reference, "approved", AT);
    untold["verification"]["document"] = json!({"type": "PASSPORT"});
    stage.hear(&untold).await;
    assert!(stage.is_approved("bob@example.com").await);
    let records = stage.app.records().await;
    let mut details = records
        .iter()
        .filter_map(|one| one.record.detail.as_deref());
    assert!(details.any(|detail| detail.ends_with("verdict=approved validity=unknown")));
}

async fn the_word_decides_and_not_the_number(app: TestApp) {
    let stage = Stage::set(&app).await;
    let (session, reference) = stage.started(ANN).await;
    let mut declined = decision(&session, &reference, "declined", AT);
    declined["verification"]["code"] = json!(9001);
    stage.hear(&declined).await;
    assert!(!stage.is_approved(ANN).await);
    let (session, reference) = stage.started(ANN).await;
    let mut approved = decision(&session, &reference, "approved", LATER);
    approved["verification"]["code"] = json!(9102);
    stage.hear(&approved).await;
    assert!(stage.is_approved(ANN).await);
    // An outcome that nobody has documented is for a person.
    let (session, reference) = stage.started(ANN).await;
    let strange = decision(&session, &reference, "approved_with_conditions", LATER);
    stage.hear(&strange).await;
    assert_eq!(stage.events().await[0].status, Status::Parked);
    assert!(stage.is_approved(ANN).await);
}

async fn a_refusal_of_no_time_is_for_a_person(app: TestApp) {
    let stage = Stage::set(&app).await;
    let (session, reference) = stage.started(ANN).await;
    stage
        .hear(&decision(&session, &reference, "approved", AT))
        .await;
    let mut declined = decision(&session, &reference, "declined", AT);
    declined["verification"]["decisionTime"] = json!(null);
    stage.hear(&declined).await;
    assert_eq!(stage.events().await[0].status, Status::Parked);
    assert!(stage.is_approved(ANN).await);
}

async fn the_newest_decision_stands_in_any_order(app: TestApp) {
    let stage = Stage::set(&app).await;
    let story = [("review", AT), ("declined", AT), ("approved", LATER)];
    let orders = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    for (number, order) in orders.into_iter().enumerate() {
        let email = format!("c{number}@example.com");
        let (session, reference) = stage.started(&email).await;
        for at in order {
            let (word, at) = story[at];
            stage.hear(&decision(&session, &reference, word, at)).await;
        }
        assert!(stage.is_approved(&email).await, "{order:?}");
    }
}

async fn the_end_of_a_session_takes_no_approval_away(app: TestApp) {
    let stage = Stage::set(&app).await;
    let (session, reference) = stage.started(ANN).await;
    stage
        .hear(&decision(&session, &reference, "approved", AT))
        .await;
    for word in ["expired", "abandoned", "review"] {
        stage
            .hear(&decision(&session, &reference, word, LATER))
            .await;
        assert_eq!(stage.outcome().await, "superseded", "{word}");
        assert!(stage.is_approved(ANN).await, "{word}");
    }
}

async fn a_decision_overturned_takes_the_proof_back(app: TestApp) {
    let stage = Stage::set(&app).await;
    let (session, reference) = stage.started(ANN).await;
    stage
        .hear(&decision(&session, &reference, "approved", AT))
        .await;
    stage
        .hear(&decision(&session, &reference, "declined", LATER))
        .await;
    let known = standing(&stage.app, &stage.key, ANN).await;
    assert_eq!(known["veriff_approved"], false);
    assert_eq!(known["veriff_date"], json!(null));
}

async fn a_repeated_decision_changes_nothing(app: TestApp) {
    let stage = Stage::set(&app).await;
    let (session, reference) = stage.started(ANN).await;
    let approved = decision(&session, &reference, "approved", AT);
    for _ in 0..5 {
        stage.hear(&approved).await;
    }
    assert_eq!(stage.events().await.len(), 1);
    // A new attempt with the same words is another message, and no other decision.
    let mut other = approved.clone();
    other["verification"]["attemptId"] = json!("another");
    stage.hear(&other).await;
    assert_eq!(stage.outcome().await, "superseded");
    let evidence = "SELECT proof FROM evidence WHERE proof = 'veriff'";
    assert_eq!(stage.app.database().sql(evidence).await.len(), 1);
}

async fn a_decision_after_the_deadline_reopens_the_order(app: TestApp) {
    let stage = Stage::set(&app).await;
    let key = &stage.key;
    for proof in ["membership", "email_optin"] {
        prove(&stage.app, key, ANN, proof, true).await;
    }
    placed(&stage.app, key, "A-1", ANN).await;
    let (session, reference) = stage.started(ANN).await;
    crate::orders::pass(&stage.app, 73).await;
    assert_eq!(status(&stage.app, key, "A-1").await, "expired");
    let late = "2025-01-04T00:30:00.000Z";
    stage
        .hear(&decision(&session, &reference, "approved", late))
        .await;
    assert_eq!(status(&stage.app, key, "A-1").await, "late");
    assert!(
        timeline(&stage.app, key, "A-1")
            .await
            .contains(&"late".to_owned())
    );
}

async fn a_newer_word_of_the_shop_is_not_overwritten(app: TestApp) {
    let stage = Stage::set(&app).await;
    let (session, reference) = stage.started(ANN).await;
    let withdrawn = json!({"email": ANN, "verification_type": "veriff", "status": false,
        "metadata": {"occurred_at": "2024-12-31T23:30:00Z"}});
    update(&stage.app, &stage.key, &withdrawn).expect(200).await;
    stage
        .hear(&decision(&session, &reference, "approved", AT))
        .await;
    assert!(!stage.is_approved(ANN).await);
}

async fn a_decision_finds_its_session_by_either_name(app: TestApp) {
    let stage = Stage::set(&app).await;
    let (session, _) = stage.started(ANN).await;
    let mut nameless = decision(&session, "", "approved", AT);
    nameless["verification"]["vendorData"] = json!(null);
    stage.hear(&nameless).await;
    assert!(stage.is_approved(ANN).await);
    // The answer that told Veriff's name was lost; the decision knows our reference.
    stage
        .office
        .be(super::office::Mood::Text("<html>".to_owned()));
    stage.start("bob@example.com").expect(503).await;
    let asked = stage.office.asked();
    let reference = asked.last().unwrap().2["verification"]["vendorData"].clone();
    let reference = reference.as_str().unwrap();
    stage
        .hear(&decision("lost-1", reference, "approved", AT))
        .await;
    assert!(stage.is_approved("bob@example.com").await);
}

async fn strangers_and_other_shapes_change_nothing(app: TestApp) {
    let stage = Stage::set(&app).await;
    let (session, reference) = stage.started(ANN).await;
    let stranger = "7f6a3c1e-54b7-4c0e-9d0a-2f3b7a4c5d6e";
    stage
        .hear(&decision("of-somebody", stranger, "approved", AT))
        .await;
    assert_eq!(stage.outcome().await, "unknown_session");
    // The message of another plan has no such status.
    let other = json!({"verification": {"id": session, "vendorData": reference,
        "decisionScore": 0.9, "insights": []}});
    stage.hear(&other).await;
    let newest = stage.events().await.remove(0);
    assert_eq!(
        (newest.status, newest.outcome.as_deref()),
        (Status::Parked, Some("no_status"))
    );
    assert!(!stage.is_approved(ANN).await);
}

async fn that_a_session_began_proves_nothing(app: TestApp) {
    let stage = Stage::set(&app).await;
    let (session, reference) = stage.started(ANN).await;
    for (code, action) in [(7001, "started"), (7002, "submitted")] {
        let event = json!({"id": session, "attemptId": "a", "feature": "selfid", "code": code,
            "action": action, "vendorData": reference, "endUserId": null});
        stage.hear(&event).await;
        assert_eq!(stage.events().await[0].status, Status::Ignored);
    }
    assert!(!stage.is_approved(ANN).await);
    assert_eq!(
        stage.start(ANN).expect(200).await.json["session_id"],
        reference
    );
}

async fn the_secret_before_is_still_good(app: TestApp) {
    let stage = Stage::set(&app).await;
    let (session, reference) = stage.started(ANN).await;
    let approved = decision(&session, &reference, "approved", AT);
    signed_hook(&stage.app, &approved, "no secret of ours")
        .expect(401)
        .await;
    signed_hook(&stage.app, &approved, PREVIOUS)
        .expect(200)
        .await;
    stage.work().await;
    assert!(stage.is_approved(ANN).await);
}

async fn the_audit_log_names_nobody(app: TestApp) {
    let stage = Stage::set(&app).await;
    let (session, reference) = stage.started(ANN).await;
    hook(&stage.app, &decision(&session, &reference, "approved", AT))
        .expect(200)
        .await;
    stage.work().await;
    let records = stage.app.records().await;
    let decided = records
        .iter()
        .find(|one| one.record.action == "veriff.decision");
    let record = &decided.unwrap().record;
    let detail = record.detail.as_deref();
    assert_eq!(detail, Some("approved code=9001 verdict=approved"));
    assert_eq!((&*record.credential, &*record.company), ("hook", "default"));
    assert!(record.subject.is_some());
    let dump = String::from_utf8_lossy(&stage.app.database().dump().await).into_owned();
    for secret in ["1967-03-30", "MORGAN", "186.153.67.122", ANN] {
        assert!(
            !dump.contains(secret),
            "{secret} can be read in the database"
        );
    }
}
