//! update-verification.

use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::{BOTH, check, prove, standing, update};
use crate::harness::{Settings, TestApp, flows};

flows!(
    a_proof_creates_the_customer,
    each_proof_sets_its_own_fields,
    a_withdrawn_proof_has_no_date,
    an_older_change_never_overwrites_a_newer_state,
    a_stale_change_changes_nothing_at_all,
    the_order_of_arrival_does_not_matter,
    a_change_from_the_future_is_refused,
    a_sender_whose_clock_is_ahead_blocks_nobody,
    an_instance_whose_clock_is_ahead_blocks_nobody,
    a_new_phone_replaces_the_old_one,
    an_older_change_never_overwrites_a_newer_phone,
    every_change_leaves_evidence,
    every_mistake_is_named_with_its_path,
    concurrent_changes_of_one_customer_all_count,
);

async fn a_proof_creates_the_customer(app: TestApp) {
    let key = app.key("default", BOTH).await;
    let change = json!({
        "email": "Ann@Example.com",
        "phone": "+14155550123",
        "verification_type": "veriff",
        "status": true,
        "metadata": {
            "ip_address": "2001:db8::1",
            "user_agent": "Mozilla/5.0",
            "verification_id": "v-81",
            "occurred_at": "2024-09-15T16:32:00.123456789+02:00",
        },
        "unknown": "ignored",
    });
    let answer = update(&app, &key, &change).expect(200).await;
    insta::assert_snapshot!("updated", answer.wire());
    let json = standing(&app, &key, "ann@example.com").await;
    assert_eq!(json["veriff_date"], "2024-09-15T14:32:00Z");
}

async fn each_proof_sets_its_own_fields(app: TestApp) {
    let key = app.key("default", BOTH).await;
    let all = [
        ("veriff", "veriff_approved", "veriff_date"),
        ("membership", "membership_signed", "membership_date"),
        ("email_optin", "email_optin", "optin_date"),
    ];
    for (proof, field, date) in all {
        let email = format!("{proof}@example.com");
        let answer = prove(&app, &key, &email, proof, true).await;
        assert_eq!(answer.json["updated_field"], field);
        assert_eq!(answer.json["customer_email"], email);
        let json = standing(&app, &key, &email).await;
        for (_, other, other_date) in all {
            assert_eq!(json[other], other == field, "{proof}: {other}");
            assert_eq!(json[other_date].is_string(), other_date == date);
        }
    }
}

async fn a_withdrawn_proof_has_no_date(app: TestApp) {
    let key = app.key("default", BOTH).await;
    prove(&app, &key, "ann@example.com", "membership", true).await;
    app.advance(Duration::from_secs(1));
    prove(&app, &key, "ann@example.com", "membership", false).await;
    let json = standing(&app, &key, "ann@example.com").await;
    assert_eq!(json["customer_found"], true);
    assert_eq!(json["membership_signed"], false);
    assert_eq!(json["membership_date"], Value::Null);
    // Withdrawn at once, without having been given.
    prove(&app, &key, "bob@example.com", "membership", false).await;
    let json = standing(&app, &key, "bob@example.com").await;
    assert_eq!(json["customer_found"], true);
    assert_eq!(json["membership_date"], Value::Null);
}

async fn an_older_change_never_overwrites_a_newer_state(app: TestApp) {
    let key = app.key("default", BOTH).await;
    let at = |time: &str, status: bool| change_at("veriff", time, status);
    update(&app, &key, &at("2024-06-02T00:00:00Z", false))
        .expect(200)
        .await;
    update(&app, &key, &at("2024-06-01T00:00:00Z", true))
        .expect(200)
        .await;
    let json = standing(&app, &key, "ann@example.com").await;
    assert_eq!(json["veriff_approved"], false);
    update(&app, &key, &at("2024-06-02T00:00:00Z", true))
        .expect(200)
        .await;
    let json = standing(&app, &key, "ann@example.com").await;
    assert_eq!(json["veriff_date"], "2024-06-02T00:00:00Z");
}

async fn a_stale_change_changes_nothing_at_all(app: TestApp) {
    let key = app.key("default", BOTH).await;
    let mut newer = change_at("veriff", "2024-06-02T00:00:00Z", true);
    newer["phone"] = json!("+14155550123");
    update(&app, &key, &newer).expect(200).await;
    let mut older = change_at("veriff", "2024-06-01T00:00:00Z", false);
    older["phone"] = json!("+14155550199");
    let answer = update(&app, &key, &older).expect(200).await;
    assert_eq!(answer.json["success"], true);
    let found = |phone: &'static str| check(&app, &key, &json!({ "phone": phone }));
    assert_eq!(
        found("+14155550123").expect(200).await.json["veriff_approved"],
        true
    );
    assert_eq!(
        found("+14155550199").expect(200).await.json["customer_found"],
        false
    );
}

async fn an_older_change_never_overwrites_a_newer_phone(app: TestApp) {
    let key = app.key("default", BOTH).await;
    let steps = [
        // Nothing is known yet; older, of another proof; the same instant; newer.
        (
            "veriff",
            "2024-06-02T00:00:00Z",
            "+14155550102",
            "+14155550102",
        ),
        (
            "membership",
            "2024-06-01T00:00:00Z",
            "+14155550101",
            "+14155550102",
        ),
        (
            "email_optin",
            "2024-06-02T00:00:00Z",
            "+14155550112",
            "+14155550112",
        ),
        (
            "membership",
            "2024-06-03T00:00:00Z",
            "+14155550103",
            "+14155550103",
        ),
    ];
    for (proof, time, phone, known) in steps {
        let mut change = change_at(proof, time, true);
        change["phone"] = json!(phone);
        update(&app, &key, &change).expect(200).await;
        for (_, _, number, _) in steps {
            let answer = check(&app, &key, &json!({ "phone": number }))
                .expect(200)
                .await;
            let found = answer.json["customer_found"] == true;
            assert_eq!(found, number == known, "{number} after {proof} of {time}");
        }
    }
    // The proof of the change whose number was too old did count.
    let json = standing(&app, &key, "ann@example.com").await;
    assert_eq!(json["all_verified"], true);
}

/// Changes with distinct times, in any order, by any number of requests.
async fn the_order_of_arrival_does_not_matter(app: TestApp) {
    let app = app.another(Settings::default().customers("off")).await;
    let key = app.key("default", BOTH).await;
    let proofs = prop::sample::select(vec!["veriff", "membership", "email_optin"]);
    let changes = prop::collection::btree_map(0_u32..1000, (proofs, any::<bool>()), 1..6);
    let orders = changes.prop_flat_map(|changes| {
        let changes: Vec<_> = changes.into_iter().collect();
        (Just(changes.clone()), Just(changes).prop_shuffle())
    });
    let mut runner = TestRunner::deterministic();
    for case in 0..24 {
        let (sorted, shuffled) = orders.new_tree(&mut runner).unwrap().current();
        let mut ends = Vec::new();
        for (name, order) in [("a", &sorted), ("b", &shuffled)] {
            let email = format!("{name}{case}@example.com");
            for (second, (proof, status)) in order {
                let time = format!("2024-06-01T{:02}:{:02}:00Z", second / 60, second % 60);
                let mut change = change_at(proof, &time, *status);
                change["email"] = json!(email);
                update(&app, &key, &change).expect(200).await;
            }
            ends.push(standing(&app, &key, &email).await);
        }
        assert_eq!(ends[0], ends[1], "{shuffled:?}");
    }
}

async fn a_change_from_the_future_is_refused(app: TestApp) {
    let key = app.key("default", BOTH).await;
    let answer = update(
        &app,
        &key,
        &change_at("veriff", "2025-01-01T00:05:01Z", true),
    );
    let answer = answer.expect(400).await;
    assert_eq!(answer.fields(), ["metadata.occurred_at"]);
    let json = standing(&app, &key, "ann@example.com").await;
    assert_eq!(json["customer_found"], false);
}

/// A clock that is some minutes ahead is no reason to refuse, but what it says must not outlast
/// what really happens next.
async fn a_sender_whose_clock_is_ahead_blocks_nobody(app: TestApp) {
    let key = app.key("default", BOTH).await;
    update(
        &app,
        &key,
        &change_at("veriff", "2025-01-01T00:04:00Z", true),
    )
    .expect(200)
    .await;
    let json = standing(&app, &key, "ann@example.com").await;
    assert_eq!(json["veriff_date"], "2025-01-01T00:00:00Z");
    app.advance(Duration::from_secs(1));
    prove(&app, &key, "ann@example.com", "veriff", false).await;
    let json = standing(&app, &key, "ann@example.com").await;
    assert_eq!(json["veriff_approved"], false);
}

/// Instances agree on the time within a second or so; what is told to one of them after the other
/// must not lose against the other's clock.
async fn an_instance_whose_clock_is_ahead_blocks_nobody(app: TestApp) {
    let key = app.key("default", BOTH).await;
    let body = json!({"email": "ann@example.com", "phone": "+14155550123",
        "verification_type": "veriff", "status": true});
    update(&app, &key, &body).expect(200).await;
    app.set_back(Duration::from_millis(900));
    let body = json!({"email": "ann@example.com", "phone": "+14155550199",
        "verification_type": "veriff", "status": false});
    update(&app, &key, &body).expect(200).await;
    let json = standing(&app, &key, "ann@example.com").await;
    assert_eq!(json["veriff_approved"], false);
    let found = check(&app, &key, &json!({"phone": "+14155550199"}));
    assert_eq!(found.expect(200).await.json["customer_found"], true);
    // What has a date keeps it, whichever instance hears of it.
    let older = change_at("veriff", "2024-12-31T23:59:59Z", true);
    update(&app, &key, &older).expect(200).await;
    let json = standing(&app, &key, "ann@example.com").await;
    assert_eq!(json["veriff_approved"], false);
}

async fn a_new_phone_replaces_the_old_one(app: TestApp) {
    let key = app.key("default", BOTH).await;
    for phone in ["+14155550123", "+14155550199"] {
        let mut change = change_at("veriff", "2024-06-01T00:00:00Z", true);
        change["phone"] = json!(phone);
        update(&app, &key, &change).expect(200).await;
    }
    // Without a phone the known one stays.
    prove(&app, &key, "ann@example.com", "membership", true).await;
    let found = |phone: &'static str| check(&app, &key, &json!({ "phone": phone }));
    assert_eq!(
        found("+14155550123").expect(200).await.json["customer_found"],
        false
    );
    assert_eq!(
        found("+14155550199").expect(200).await.json["membership_signed"],
        true
    );
}

async fn every_change_leaves_evidence(app: TestApp) {
    let key = app.key("default", BOTH).await;
    let newer = change_at("veriff", "2024-06-02T00:00:00Z", true);
    let older = change_at("veriff", "2024-06-01T00:00:00Z", false);
    let first = update(&app, &key, &newer).expect(200).await;
    let second = update(&app, &key, &older).expect(200).await;
    let rows = app
        .database()
        .sql(
            "SELECT proof, assurance, request_id, occurred_at, company_id, length(metadata) \
             FROM evidence ORDER BY occurred_at DESC",
        )
        .await;
    let seen: Vec<_> = rows
        .iter()
        .map(|row| [&row[0], &row[1], &row[2], &row[3]])
        .collect();
    let (first, second) = (first.request_id(), second.request_id());
    assert_eq!(
        seen,
        [
            ["veriff", "provider", first, "1717286400000000"],
            ["veriff", "provider", second, "1717200000000000"],
        ]
    );
    assert!(rows.iter().all(|row| row[4] == "default" && row[5] != "0"));
}

async fn every_mistake_is_named_with_its_path(app: TestApp) {
    let key = app.key("default", BOTH).await;
    let nothing = update(&app, &key, &json!({})).expect(400).await;
    assert_eq!(nothing.fields(), ["email", "verification_type", "status"]);
    let wrong = json!({
        "email": "ann",
        "phone": "12",
        "verification_type": "age",
        "status": "true",
        "metadata": {"ip_address": "1.2.3", "user_agent": 7, "occurred_at": "yesterday"},
    });
    let wrong = update(&app, &key, &wrong).expect(400).await;
    insta::assert_snapshot!("every_mistake", wrong.wire());
    let metadata = json!({"email": "ann@example.com", "verification_type": "veriff",
        "status": true, "metadata": "none"});
    let metadata = update(&app, &key, &metadata).expect(400).await;
    assert_eq!(metadata.fields(), ["metadata"]);
}

async fn concurrent_changes_of_one_customer_all_count(app: TestApp) {
    let other = app.another(Settings::default()).await;
    let key = &app.key("default", BOTH).await;
    other.chores().await;
    let changes = (0..30).map(|at| {
        let proof = ["veriff", "membership", "email_optin"][at % 3];
        let instance = if at % 2 == 0 { &app } else { &other };
        async move { prove(instance, key, "ann@example.com", proof, true).await }
    });
    futures_util::future::join_all(changes).await;
    let json = standing(&app, key, "ann@example.com").await;
    assert_eq!(json["all_verified"], true);
    let evidence = app.database().sql("SELECT COUNT(*) FROM evidence").await;
    assert_eq!(evidence, [["30"]]);
    let customers = app
        .database()
        .sql("SELECT COUNT(*) FROM customer_verification")
        .await;
    assert_eq!(customers, [["1"]]);
}

fn change_at(proof: &str, time: &str, status: bool) -> Value {
    json!({"email": "ann@example.com", "verification_type": proof, "status": status,
        "metadata": {"occurred_at": time}})
}
