//! What single events lead to, and which are taken at all.

use app::inbox::Status;
use serde_json::{Value, json};

use super::seller::Mood;
use super::{ANN, BOB, KEY, PREVIOUS, Stage, customer, event, hook, merge, signed_hook};
use crate::customers::{prove, standing};
use crate::harness::{TestApp, flows};

flows!(
    a_customer_is_tied_and_proves_nothing,
    an_older_edition_changes_nothing,
    a_customer_without_contact_is_tied_to_nobody,
    several_may_share_an_address,
    a_customer_who_is_gone_is_not_tied_and_keeps_their_proofs,
    who_is_brought_back_is_tied_again,
    who_is_gone_for_long_is_forgotten,
    an_event_without_the_customer_is_asked_for,
    what_cannot_be_read_is_parked,
    only_square_is_believed,
    the_key_before_is_still_good,
    a_repeated_event_is_the_same_event,
    nobody_can_be_read_in_the_database,
);

const AT: &str = "2024-12-31T00:00:00Z";
const LATER: &str = "2024-12-31T01:00:00Z";

async fn a_customer_is_tied_and_proves_nothing(app: TestApp) {
    let stage = Stage::set(&app).await;
    let created = event("e-1", "customer.created", AT, &customer("A", ANN, 0));
    stage.hear(&created).await;
    assert_eq!(
        (stage.outcome().await.as_str(), stage.tied().await),
        ("linked", 1)
    );
    let known = standing(&stage.app, &stage.key, ANN).await;
    assert_eq!(
        known["customer_found"], false,
        "an address at Square is nobody's word"
    );
    assert_eq!(stage.app.recorded().await["square.customer"], 1);
    // Nothing is to be shown of somebody who never was verified.
    stage.deliver().await;
    assert!(stage.seller.asked().is_empty());
}

/// The number of the edition that is known.
async fn version(stage: &Stage) -> String {
    let sql = "SELECT version FROM square_customers";
    stage.app.database().sql(sql).await[0][0].clone()
}

async fn an_older_edition_changes_nothing(app: TestApp) {
    let stage = Stage::set(&app).await;
    for (name, edition, expected) in [
        ("e-1", 5, "linked"),
        ("e-2", 4, "stale"),
        ("e-3", 5, "stale"),
    ] {
        let updated = event(name, "customer.updated", AT, &customer("A", ANN, edition));
        stage.hear(&updated).await;
        assert_eq!(stage.outcome().await, expected);
        assert_eq!(version(&stage).await, "5");
    }
    // Of editions without numbers the time decides.
    let mut unnumbered = customer("A", BOB, 0);
    for (name, at, expected) in [
        ("e-4", "2024-12-05T00:00:00Z", "stale"),
        ("e-5", "2024-12-07T00:00:00Z", "linked"),
    ] {
        unnumbered["version"] = Value::Null;
        unnumbered["updated_at"] = json!(at);
        stage
            .hear(&event(name, "customer.updated", AT, &unnumbered))
            .await;
        assert_eq!(stage.outcome().await, expected);
    }
}

async fn a_customer_without_contact_is_tied_to_nobody(app: TestApp) {
    let stage = Stage::set(&app).await;
    for (number, email) in [json!(null), json!(""), json!("nobody")]
        .into_iter()
        .enumerate()
    {
        let mut nameless = customer(&format!("A{number}"), ANN, 0);
        nameless["email_address"] = email;
        let created = event(&format!("e-{number}"), "customer.created", AT, &nameless);
        stage.hear(&created).await;
        assert_eq!(stage.outcome().await, "no_contact");
        assert_eq!(stage.events().await[0].status, Status::Done);
    }
    assert_eq!(stage.tied().await, 0);
}

async fn several_may_share_an_address(app: TestApp) {
    let stage = Stage::set(&app).await;
    for id in ["A", "B", "C"] {
        let created = event(id, "customer.created", AT, &customer(id, ANN, 0));
        stage.hear(&created).await;
    }
    assert_eq!(stage.tied().await, 3);
}

async fn a_customer_who_is_gone_is_not_tied_and_keeps_their_proofs(app: TestApp) {
    let stage = Stage::set(&app).await;
    prove(&stage.app, &stage.key, ANN, "veriff", true).await;
    stage
        .hear(&event(
            "e-1",
            "customer.created",
            AT,
            &customer("A", ANN, 0),
        ))
        .await;
    // A deletion may say nothing but the name.
    let deleted = json!({"type": "customer.deleted", "event_id": "e-2", "created_at": LATER,
        "data": {"type": "customer", "id": "A", "deleted": true}});
    stage.hear(&deleted).await;
    assert_eq!(
        (stage.outcome().await.as_str(), stage.tied().await),
        ("unlinked", 0)
    );
    assert_eq!(stage.proofs(ANN).await, [true, false, false]);
    // What was changed before comes late.
    stage
        .hear(&event(
            "e-3",
            "customer.updated",
            AT,
            &customer("A", ANN, 1),
        ))
        .await;
    assert_eq!(stage.tied().await, 0);
}

async fn who_is_brought_back_is_tied_again(app: TestApp) {
    let stage = Stage::set(&app).await;
    stage
        .hear(&event(
            "e-1",
            "customer.created",
            AT,
            &customer("A", ANN, 0),
        ))
        .await;
    stage
        .hear(&event(
            "e-2",
            "customer.deleted",
            AT,
            &customer("A", ANN, 0),
        ))
        .await;
    assert_eq!(stage.tied().await, 0);
    let mut recovered = customer("A", ANN, 1);
    recovered["creation_source"] = json!("DELETION_RECOVERY");
    stage
        .hear(&event("e-3", "customer.created", LATER, &recovered))
        .await;
    assert_eq!(
        (stage.outcome().await.as_str(), stage.tied().await),
        ("linked", 1)
    );
}

async fn who_is_gone_for_long_is_forgotten(app: TestApp) {
    let stage = Stage::set(&app).await;
    for (id, email) in [("A", ANN), ("B", ANN), ("C", BOB), ("D", BOB)] {
        let created = event(id, "customer.created", AT, &customer(id, email, 0));
        stage.hear(&created).await;
    }
    let gone = event("gone", "customer.deleted", LATER, &customer("A", ANN, 0));
    stage.hear(&gone).await;
    for event in merge("m", LATER, &[customer("B", ANN, 1)], &customer("C", BOB, 1)) {
        stage.hear(&event).await;
    }
    let known = "SELECT square_index FROM square_customers";
    let sealed = "SELECT square_index FROM square_customers WHERE contact IS NOT NULL";
    let keys = "SELECT k.id FROM data_keys k JOIN square_customers c ON c.data_key = k.id";
    let hours = |hours: u64| std::time::Duration::from_secs(hours * 3_600);
    stage.app.advance(hours(89 * 24));
    stage.app.chores().await;
    assert_eq!(stage.app.database().sql(sealed).await.len(), 4);
    stage.app.advance(hours(2 * 24));
    stage.app.chores().await;
    // Who went without a merge is unknown again; who went into somebody else still is known by that.
    assert_eq!(stage.app.database().sql(known).await.len(), 3);
    assert_eq!(stage.app.database().sql(sealed).await.len(), 2);
    assert_eq!(stage.app.database().sql(keys).await.len(), 2);
    prove(&stage.app, &stage.key, ANN, "veriff", true).await;
    stage.work().await;
    assert_eq!(stage.proofs(BOB).await, [true, false, false]);
    // And can be brought back.
    let mut back = customer("B", ANN, 1);
    back["creation_source"] = json!("UNMERGE_RECOVERY");
    stage
        .hear(&event(
            "u",
            "customer.created",
            "2025-03-01T00:00:00Z",
            &back,
        ))
        .await;
    assert_eq!(stage.app.database().sql(sealed).await.len(), 3);
    assert_eq!(stage.proofs(BOB).await, [false; 3]);
}

async fn an_event_without_the_customer_is_asked_for(app: TestApp) {
    let stage = Stage::set(&app).await;
    let bare = |name: &str, id: &str| {
        json!({"type": "customer.updated", "event_id": name, "created_at": AT,
            "data": {"type": "customer", "id": id}})
    };
    stage.seller.has(customer("A", ANN, 0));
    stage.seller.be(Mood::RetryAfter(7));
    stage.hear(&bare("e-1", "A")).await;
    assert_eq!(stage.outcome().await, "rate_limited");
    stage.app.advance(std::time::Duration::from_secs(6));
    stage.work().await;
    assert_eq!(
        stage.tied().await,
        0,
        "it is left alone as long as it wants"
    );
    stage.app.advance(std::time::Duration::from_secs(2));
    stage.work().await;
    assert_eq!(stage.tied().await, 1);
    stage.hear(&bare("e-2", "B")).await;
    assert_eq!(stage.outcome().await, "not_found");
}

async fn what_cannot_be_read_is_parked(app: TestApp) {
    let stage = Stage::set(&app).await;
    let poison = json!({"type": "customer.updated", "event_id": "e-1", "created_at": AT,
        "data": {"type": "customer", "id": "../orders", "object": {"customer": {"id": 7}}}});
    stage.hear(&poison).await;
    let parked = stage.events().await.remove(0);
    assert_eq!(
        (parked.status, parked.outcome.as_deref()),
        (Status::Parked, Some("unreadable"))
    );
    // It holds up nobody.
    stage
        .hear(&event(
            "e-2",
            "customer.created",
            AT,
            &customer("A", ANN, 0),
        ))
        .await;
    assert_eq!(stage.tied().await, 1);
}

async fn only_square_is_believed(app: TestApp) {
    let stage = Stage::set(&app).await;
    let created = event("e-1", "customer.created", AT, &customer("A", ANN, 0));
    signed_hook(&stage.app, &created, "another key")
        .expect(401)
        .await;
    let path = "/hooks/square";
    stage.app.post(path).json(&created).expect(401).await;
    let whole = created.to_string();
    let key = domain::hook::HookKey::new(KEY).unwrap();
    let signature = domain::hook::square::sign(&key, super::ADDRESS, whole.as_bytes());
    for body in [&whole[..whole.len() - 1], "", &whole.replace(ANN, BOB)] {
        let call = stage
            .app
            .post(path)
            .header("x-square-hmacsha256-signature", &signature);
        call.body("application/json", body.to_owned())
            .expect(401)
            .await;
    }
    stage.work().await;
    assert!(stage.events().await.is_empty());
    assert!(
        stage
            .app
            .database()
            .sql("SELECT * FROM square_customers")
            .await
            .is_empty()
    );
    assert_eq!(stage.app.recorded().await["hook.square"], 5);
}

async fn the_key_before_is_still_good(app: TestApp) {
    let stage = Stage::set(&app).await;
    let created = event("e-1", "customer.created", AT, &customer("A", ANN, 0));
    signed_hook(&stage.app, &created, PREVIOUS)
        .expect(200)
        .await;
    stage.work().await;
    assert_eq!(stage.tied().await, 1);
}

async fn a_repeated_event_is_the_same_event(app: TestApp) {
    let stage = Stage::set(&app).await;
    let created = event("e-1", "customer.created", AT, &customer("A", ANN, 0));
    for _ in 0..5 {
        hook(&stage.app, &created).expect(200).await;
        stage.work().await;
    }
    assert_eq!((stage.events().await.len(), stage.tied().await), (1, 1));
    assert_eq!(stage.app.recorded().await["square.customer"], 1);
}

async fn nobody_can_be_read_in_the_database(app: TestApp) {
    let stage = Stage::set(&app).await;
    let mut ann = customer("QPTXM8PQNX3Q726ZYHPMNP46XC", ANN, 0);
    ann["phone_number"] = json!("+12126668929");
    stage
        .hear(&event("e-1", "customer.created", AT, &ann))
        .await;
    let dump = String::from_utf8_lossy(&stage.app.database().dump().await).into_owned();
    for secret in ["QPTXM8PQNX3Q726ZYHPMNP46XC", ANN, "12126668929", "\"Ann\""] {
        assert!(
            !dump.contains(secret),
            "{secret} can be read in the database"
        );
    }
}
