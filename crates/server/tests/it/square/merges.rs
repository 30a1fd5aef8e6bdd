//! Whose proofs are held after merges.

use app::inbox::Status;
use serde_json::{Value, json};

use super::{ANN, BOB, Stage, customer, event, merge};
use crate::customers::{prove, standing};
use crate::harness::{TestApp, flows};
use crate::orders::{placed, status, timeline};

flows!(
    proofs_follow_a_merge,
    a_held_order_is_released_by_a_merge,
    a_later_denial_follows_as_well,
    an_agreement_to_get_mail_stays_with_its_address,
    a_proof_that_comes_after_the_merge_follows_it,
    who_is_not_known_yet_holds_what_was_carried,
    a_line_of_merges_is_followed_to_its_end,
    a_merge_of_hundreds_is_followed,
    a_merge_that_is_taken_back_takes_back_what_it_carried,
    an_own_proof_outlives_a_merge_that_is_taken_back,
    a_number_leads_to_nobody,
    an_address_shared_by_both_carries_nothing,
    the_evidence_says_whose_proof_it_is,
    what_a_worker_left_behind_is_carried_by_the_next,
    who_is_erased_leaves_nothing_to_whom_they_were_merged_into,
    proofs_reach_the_end_of_a_line_past_those_without_an_address,
    what_was_told_of_a_former_address_is_erased_with_the_present_one,
);

const AT: &str = "2024-12-31T00:00:00Z";
const LATER: &str = "2024-12-31T01:00:00Z";
const CY: &str = "cy@example.com";

/// A and B are tied to Ann and Bob; then A goes into B.
async fn merged(stage: &Stage) {
    tied(stage).await;
    let events = merge("m", LATER, &[customer("A", ANN, 1)], &customer("B", BOB, 1));
    for event in &events {
        stage.hear(event).await;
        assert_eq!(stage.outcome().await, "merged");
    }
}

async fn tied(stage: &Stage) {
    for (id, email) in [("A", ANN), ("B", BOB)] {
        let created = event(id, "customer.created", AT, &customer(id, email, 0));
        stage.hear(&created).await;
    }
}

/// A customer who comes back out of a merge.
fn unmerged(id: &str, email: &str, version: i64) -> Value {
    let mut customer = customer(id, email, version);
    customer["creation_source"] = json!("UNMERGE_RECOVERY");
    customer
}

async fn proofs_follow_a_merge(app: TestApp) {
    let stage = Stage::set(&app).await;
    for proof in ["veriff", "membership"] {
        prove(&stage.app, &stage.key, ANN, proof, true).await;
    }
    merged(&stage).await;
    assert_eq!(stage.proofs(BOB).await, [true, true, false]);
    assert_eq!(
        stage.proofs(ANN).await,
        [true, true, false],
        "nothing is taken away"
    );
    assert_eq!(stage.tied().await, 1);
    let bob = standing(&stage.app, &stage.key, BOB).await;
    let ann = standing(&stage.app, &stage.key, ANN).await;
    assert_eq!(
        bob["veriff_date"], ann["veriff_date"],
        "it is as old as it was"
    );
    assert_eq!(stage.app.recorded().await["square.carry"], 1);
}

async fn a_held_order_is_released_by_a_merge(app: TestApp) {
    let stage = Stage::set(&app).await;
    let key = &stage.key;
    for proof in ["membership", "email_optin"] {
        prove(&stage.app, key, BOB, proof, true).await;
    }
    prove(&stage.app, key, ANN, "veriff", true).await;
    placed(&stage.app, key, "O-1", BOB).await;
    assert_eq!(status(&stage.app, key, "O-1").await, "held");
    merged(&stage).await;
    assert_eq!(status(&stage.app, key, "O-1").await, "released");
    assert!(
        timeline(&stage.app, key, "O-1")
            .await
            .contains(&"proof".to_owned())
    );
}

async fn a_later_denial_follows_as_well(app: TestApp) {
    let stage = Stage::set(&app).await;
    let (early, late) = ("2024-12-01T00:00:00Z", "2024-12-02T00:00:00Z");
    stage.prove_at(BOB, "veriff", true, early).await;
    stage.prove_at(ANN, "veriff", false, late).await;
    stage.prove_at(BOB, "membership", true, late).await;
    stage.prove_at(ANN, "membership", false, early).await;
    merged(&stage).await;
    assert_eq!(stage.proofs(BOB).await, [false, true, false]);
}

async fn an_agreement_to_get_mail_stays_with_its_address(app: TestApp) {
    let stage = Stage::set(&app).await;
    prove(&stage.app, &stage.key, ANN, "email_optin", true).await;
    merged(&stage).await;
    assert_eq!(stage.proofs(BOB).await, [false; 3]);
    prove(&stage.app, &stage.key, BOB, "email_optin", true).await;
    prove(&stage.app, &stage.key, ANN, "email_optin", false).await;
    stage.work().await;
    assert_eq!(stage.proofs(BOB).await, [false, false, true]);
}

async fn a_proof_that_comes_after_the_merge_follows_it(app: TestApp) {
    let stage = Stage::set(&app).await;
    merged(&stage).await;
    prove(&stage.app, &stage.key, ANN, "veriff", true).await;
    stage.work().await;
    assert_eq!(stage.proofs(BOB).await, [true, false, false]);
    stage.app.advance(std::time::Duration::from_secs(1));
    prove(&stage.app, &stage.key, ANN, "veriff", false).await;
    stage.work().await;
    assert_eq!(stage.proofs(BOB).await, [false; 3]);
}

async fn who_is_not_known_yet_holds_what_was_carried(app: TestApp) {
    let stage = Stage::set(&app).await;
    prove(&stage.app, &stage.key, ANN, "veriff", true).await;
    let events = merge("m", LATER, &[customer("A", ANN, 1)], &customer("B", BOB, 1));
    // Nobody has told of A or B before, and the deletion comes first.
    for event in events.iter().rev() {
        stage.hear(event).await;
    }
    assert_eq!(stage.proofs(BOB).await, [true, false, false]);
    let key = &stage.key;
    for proof in ["membership", "email_optin"] {
        prove(&stage.app, key, BOB, proof, true).await;
    }
    placed(&stage.app, key, "O-1", BOB).await;
    assert_eq!(status(&stage.app, key, "O-1").await, "released");
}

async fn a_line_of_merges_is_followed_to_its_end(app: TestApp) {
    let stage = Stage::set(&app).await;
    prove(&stage.app, &stage.key, ANN, "veriff", true).await;
    prove(&stage.app, &stage.key, BOB, "membership", true).await;
    let first = merge("m", AT, &[customer("A", ANN, 1)], &customer("B", BOB, 1));
    let second = merge("n", LATER, &[customer("B", BOB, 2)], &customer("C", CY, 1));
    for event in second.iter().chain(&first) {
        stage.hear(event).await;
    }
    assert_eq!(stage.proofs(CY).await, [true, true, false]);
    stage.app.advance(std::time::Duration::from_secs(1));
    prove(&stage.app, &stage.key, ANN, "veriff", false).await;
    stage.work().await;
    assert_eq!(stage.proofs(CY).await, [false, true, false]);
}

async fn a_merge_that_is_taken_back_takes_back_what_it_carried(app: TestApp) {
    let stage = Stage::set(&app).await;
    prove(&stage.app, &stage.key, ANN, "veriff", true).await;
    merged(&stage).await;
    assert_eq!(stage.proofs(BOB).await, [true, false, false]);
    let back = event(
        "u",
        "customer.created",
        "2024-12-31T02:00:00Z",
        &unmerged("A", ANN, 2),
    );
    stage.hear(&back).await;
    assert_eq!(stage.proofs(BOB).await, [false; 3], "it was never Bob's");
    assert_eq!(stage.proofs(ANN).await, [true, false, false]);
    assert_eq!(stage.tied().await, 2);
    // And what comes now does not follow.
    prove(&stage.app, &stage.key, ANN, "membership", true).await;
    stage.work().await;
    assert_eq!(stage.proofs(BOB).await, [false; 3]);
}

async fn an_own_proof_outlives_a_merge_that_is_taken_back(app: TestApp) {
    let stage = Stage::set(&app).await;
    let days = [
        "2024-12-01T00:00:00Z",
        "2024-12-02T00:00:00Z",
        "2024-12-03T00:00:00Z",
    ];
    stage.prove_at(BOB, "veriff", true, days[0]).await;
    stage.prove_at(ANN, "veriff", false, days[2]).await;
    merged(&stage).await;
    assert!(!stage.proofs(BOB).await[0]);
    // This one is older than what is held, and newer than what Bob had.
    stage.prove_at(BOB, "veriff", true, days[1]).await;
    assert!(!stage.proofs(BOB).await[0]);
    let back = event(
        "u",
        "customer.created",
        "2024-12-31T02:00:00Z",
        &unmerged("A", ANN, 2),
    );
    stage.hear(&back).await;
    let bob = standing(&stage.app, &stage.key, BOB).await;
    assert_eq!(bob["veriff_date"], "2024-12-02T00:00:00Z");
}

async fn a_number_leads_to_nobody(app: TestApp) {
    let stage = Stage::set(&app).await;
    let number = "+12126668929";
    let proven =
        json!({"email": ANN, "phone": number, "verification_type": "veriff", "status": true});
    crate::customers::update(&stage.app, &stage.key, &proven)
        .expect(200)
        .await;
    let mut at_the_counter = customer("A", ANN, 0);
    at_the_counter["email_address"] = Value::Null;
    at_the_counter["phone_number"] = json!(number);
    let events = merge("m", LATER, &[at_the_counter], &customer("B", BOB, 1));
    for event in &events {
        stage.hear(event).await;
    }
    // Whoever typed the number somewhere is not known to have it.
    assert_eq!(stage.proofs(BOB).await, [false; 3]);
}

async fn an_address_shared_by_both_carries_nothing(app: TestApp) {
    let stage = Stage::set(&app).await;
    prove(&stage.app, &stage.key, ANN, "veriff", true).await;
    let events = merge("m", LATER, &[customer("A", ANN, 1)], &customer("B", ANN, 1));
    for event in &events {
        stage.hear(event).await;
    }
    assert_eq!(stage.proofs(ANN).await, [true, false, false]);
    assert!(!stage.app.recorded().await.contains_key("square.carry"));
}

async fn the_evidence_says_whose_proof_it_is(app: TestApp) {
    let stage = Stage::set(&app).await;
    prove(&stage.app, &stage.key, ANN, "veriff", true).await;
    merged(&stage).await;
    let sql = "SELECT proof, status, assurance, source FROM evidence WHERE source = 'merge'";
    let carried = stage.app.database().sql(sql).await;
    assert_eq!(carried.len(), 1);
    assert_eq!(
        (carried[0][0].as_str(), carried[0][2].as_str()),
        ("veriff", "provider")
    );
    let records = stage.app.records().await;
    let carry = records
        .iter()
        .find(|one| one.record.action == "square.carry");
    let record = &carry.unwrap().record;
    assert_eq!(record.detail.as_deref(), Some("veriff=true"));
    assert!(record.subject.is_some());
}

async fn what_a_worker_left_behind_is_carried_by_the_next(app: TestApp) {
    let stage = Stage::set(&app).await;
    merged(&stage).await;
    prove(&stage.app, &stage.key, ANN, "veriff", true).await;
    // Whoever told of it is gone; that it is to be carried is written down.
    let waiting = "SELECT asked FROM square_carries";
    assert_eq!(stage.app.database().sql(waiting).await.len(), 1);
    assert_eq!(stage.proofs(BOB).await, [false; 3]);
    app::square::sweep(&stage.app.app).await.unwrap();
    assert_eq!(stage.proofs(BOB).await, [true, false, false]);
    assert!(stage.app.database().sql(waiting).await.is_empty());
    assert!(
        stage
            .events()
            .await
            .iter()
            .all(|one| one.status == Status::Done)
    );
}

async fn a_merge_of_hundreds_is_followed(app: TestApp) {
    let stage = Stage::set(&app).await;
    let ids = (0..250).map(|number| format!("A{number:03}"));
    let gone: Vec<_> = ids
        .map(|id| customer(&id, &format!("{id}@example.com"), 0))
        .collect();
    let (first, last) = ("a000@example.com", "a249@example.com");
    for proven in [(first, "veriff"), (last, "membership")] {
        prove(&stage.app, &stage.key, proven.0, proven.1, true).await;
    }
    for one in [&gone[0], &gone[249]] {
        let name = one["id"].as_str().unwrap();
        stage.hear(&event(name, "customer.created", AT, one)).await;
    }
    let made = merge("m", LATER, &gone, &customer("B", BOB, 1)).remove(0);
    stage.hear(&made).await;
    assert_eq!(stage.outcome().await, "merged");
    assert_eq!(stage.proofs(BOB).await, [true, true, false]);
    let merged = "SELECT COUNT(*) FROM square_customers WHERE merged_into IS NOT NULL";
    assert_eq!(stage.app.database().sql(merged).await, [["250"]]);
}

async fn who_is_erased_leaves_nothing_to_whom_they_were_merged_into(app: TestApp) {
    let stage = Stage::set(&app).await;
    prove(&stage.app, &stage.key, ANN, "veriff", true).await;
    prove(&stage.app, &stage.key, BOB, "membership", true).await;
    merged(&stage).await;
    assert_eq!(stage.proofs(BOB).await, [true, true, false]);
    let admin = stage.app.key("default", "admin").await;
    let erase = stage.app.post("/api/v1/customer/erase").key(&admin);
    erase.json(&json!({ "email": ANN })).expect(200).await;
    app::square::sweep(&stage.app.app).await.unwrap();
    assert_eq!(stage.proofs(BOB).await, [false, true, false]);
    let left = "SELECT square_index FROM square_customers WHERE merged_into IS NOT NULL";
    assert!(stage.app.database().sql(left).await.is_empty());
}

async fn proofs_reach_the_end_of_a_line_past_those_without_an_address(app: TestApp) {
    let stage = Stage::set(&app).await;
    prove(&stage.app, &stage.key, ANN, "veriff", true).await;
    prove(&stage.app, &stage.key, CY, "membership", true).await;
    let nameless = |id: &str, version| {
        let mut customer = customer(id, ANN, version);
        customer["email_address"] = Value::Null;
        customer
    };
    // A goes into X and Y into C; only then is it heard that X had gone into Y.
    let first = merge("m", AT, &[customer("A", ANN, 1)], &nameless("X", 1));
    let last = merge("n", LATER, &[nameless("Y", 2)], &customer("C", CY, 1));
    let between = merge("o", LATER, &[nameless("X", 2)], &nameless("Y", 1));
    for event in first.iter().chain(&last) {
        stage.hear(event).await;
    }
    assert_eq!(stage.proofs(CY).await, [false, true, false]);
    for event in &between {
        stage.hear(event).await;
    }
    assert_eq!(stage.proofs(CY).await, [true, true, false]);
}

async fn what_was_told_of_a_former_address_is_erased_with_the_present_one(app: TestApp) {
    let stage = Stage::set(&app).await;
    let mut nameless = customer("A", CY, 0);
    nameless["email_address"] = Value::Null;
    let told = [nameless, customer("A", CY, 1), customer("A", ANN, 2)];
    for (number, edition) in told.iter().enumerate() {
        let name = number.to_string();
        let updated = event(&name, "customer.updated", AT, edition);
        stage.hear(&updated).await;
    }
    let bob = event("b", "customer.created", AT, &customer("B", BOB, 0));
    stage.hear(&bob).await;
    let admin = stage.app.key("default", "admin").await;
    let ask = |what: &str| {
        let path = format!("/api/v1/customer/{what}");
        stage
            .app
            .post(&path)
            .key(&admin)
            .json(&json!({ "email": ANN }))
    };
    let document = ask("export").expect(200).await.json;
    assert_eq!(document["received"].as_array().unwrap().len(), 3);
    assert!(document["received"].to_string().contains(CY));
    let receipt = ask("erase").expect(200).await.json;
    assert_eq!(receipt["erased"]["events"], 3);
    let kept = stage.events().await;
    let kept: Vec<_> = kept.iter().filter(|event| event.is_kept).collect();
    assert_eq!(kept.len(), 1, "Bob's alone");
}
