//! What the shop's staff changes of an order that is known: whose it is, and whether it stands.

use app::inbox::Status;
use app::lightspeed::Standing;
use serde_json::json;

use super::orders::{happen, prove};
use super::{Stage, held};
use crate::customers;
use crate::harness::{TestApp, flows};
use crate::orders::{decide, enqueued, pass, show, timeline};

flows!(
    a_corrected_address_moves_what_is_held,
    a_corrected_address_of_a_verified_customer_releases,
    what_is_decided_stays_with_its_customer,
    the_link_in_a_mail_to_the_wrong_address_opens_nothing,
    another_source_is_another_order,
    an_order_that_comes_back_passes_the_gate_anew,
    what_staff_have_cancelled_here_does_not_come_back,
);

const BOB: &str = "bob@example.com";

/// What a shop's staff may do here.
const STAFF: &str = "customers:write orders:read orders:write";

/// A shop that has told of an order of Ann's.
async fn with_an_order(app: &TestApp) -> (Stage, String) {
    let stage = Stage::set(app).await;
    let key = stage.app.key("default", STAFF).await;
    stage.shop.order("XJ12H", json!({}));
    happen(&stage, "e-1", "order.created", "XJ12H").await;
    (stage, key)
}

/// The address is corrected in the shop, which says so by a hook.
async fn corrected(stage: &Stage, event: &str) {
    stage.shop.order("XJ12H", json!({"email": BOB}));
    let done = happen(stage, event, "order.updated", "XJ12H").await;
    assert_eq!(
        (done.status, done.outcome.as_deref()),
        (Status::Done, Some("gated"))
    );
}

async fn prove_as_bob(stage: &Stage, key: &str) {
    for proof in crate::orders::PROOFS {
        customers::prove(&stage.app, key, BOB, proof, true).await;
    }
}

async fn a_corrected_address_moves_what_is_held(app: TestApp) {
    let (stage, key) = with_an_order(&app).await;
    prove(&stage, &key, "veriff").await;
    pass(&stage.app, 25).await;
    assert_eq!(enqueued(&stage.app, "mail").await.len(), 2);
    corrected(&stage, "e-2").await;
    let order = show(&stage.app, &key, "XJ12H").await;
    assert_eq!(
        (&order["status"], &order["missing"], &order["deadline"]),
        (
            &json!("held"),
            &json!(["veriff", "membership", "email_optin"]),
            &json!("2025-01-04T00:00:00Z")
        )
    );
    let story = timeline(&stage.app, &key, "XJ12H").await;
    let expected = [
        "placed", "held", "reminder", "proof", "reminder", "moved", "reminder",
    ];
    assert_eq!(story, expected);
    assert_eq!(enqueued(&stage.app, "mail").await.len(), 3, "Bob is told");
    // The same again changes nothing.
    corrected(&stage, "e-3").await;
    assert_eq!(timeline(&stage.app, &key, "XJ12H").await, expected);
    // Ann's proofs are nothing to it any more, and Bob's are.
    for proof in ["membership", "email_optin"] {
        prove(&stage, &key, proof).await;
    }
    assert_eq!(stage.standing("XJ12H").await, Some(held()));
    prove_as_bob(&stage, &key).await;
    assert_eq!(stage.standing("XJ12H").await, Some(Standing::Released));
    stage.deliver().await;
    let shown = stage.shop.field("XJ12H");
    assert_eq!(shown.as_deref(), Some("Verified: may ship"));
}

async fn a_corrected_address_of_a_verified_customer_releases(app: TestApp) {
    let (stage, key) = with_an_order(&app).await;
    prove_as_bob(&stage, &key).await;
    corrected(&stage, "e-2").await;
    assert_eq!(stage.standing("XJ12H").await, Some(Standing::Released));
    let order = show(&stage.app, &key, "XJ12H").await;
    assert_eq!(order["missing"], json!([]));
    assert_eq!(enqueued(&stage.app, "mail").await.len(), 1);
}

async fn what_is_decided_stays_with_its_customer(app: TestApp) {
    let (stage, key) = with_an_order(&app).await;
    decide(&stage.app, &key, "XJ12H", "release")
        .expect(200)
        .await;
    corrected(&stage, "e-2").await;
    assert_eq!(stage.standing("XJ12H").await, Some(Standing::Released));
    let story = timeline(&stage.app, &key, "XJ12H").await;
    assert_eq!(story, ["placed", "held", "reminder", "released"]);
    // Nor does what has expired by now, swept or not.
    stage.shop.order("O-2", json!({}));
    happen(&stage, "e-3", "order.created", "O-2").await;
    stage
        .app
        .advance(72 * std::time::Duration::from_secs(3_600));
    stage.shop.order("O-2", json!({"email": BOB}));
    happen(&stage, "e-4", "order.updated", "O-2").await;
    pass(&stage.app, 1).await;
    assert_eq!(stage.standing("O-2").await, Some(Standing::Expired));
    let story = timeline(&stage.app, &key, "O-2").await;
    assert_eq!(story, ["placed", "held", "reminder", "expired"]);
}

async fn the_link_in_a_mail_to_the_wrong_address_opens_nothing(app: TestApp) {
    let (stage, _) = with_an_order(&app).await;
    let rows = "SELECT id FROM orders";
    let before = stage.app.database().sql(rows).await;
    corrected(&stage, "e-2").await;
    // A link names the row.
    let after = stage.app.database().sql(rows).await;
    assert!(after.len() == 1 && after != before);
    let lost = "SELECT COUNT(*) FROM order_events WHERE order_row NOT IN (SELECT id FROM orders)";
    assert_eq!(stage.app.database().sql(lost).await, [["0"]]);
}

async fn another_source_is_another_order(app: TestApp) {
    let stage = Stage::set(&app).await;
    let key = stage.app.key("default", STAFF).await;
    crate::orders::placed(&stage.app, &key, "XJ12H", "ann@example.com").await;
    stage.shop.order("XJ12H", json!({"email": BOB}));
    let done = happen(&stage, "e-1", "order.created", "XJ12H").await;
    assert_eq!(
        (done.status, done.outcome.as_deref()),
        (Status::Parked, Some("conflict")),
        "nothing but a person can help"
    );
}

async fn an_order_that_comes_back_passes_the_gate_anew(app: TestApp) {
    let (stage, key) = with_an_order(&app).await;
    stage
        .shop
        .order("XJ12H", json!({"paymentStatus": "CANCELLED"}));
    happen(&stage, "e-2", "order.updated", "XJ12H").await;
    assert_eq!(stage.standing("XJ12H").await, Some(Standing::Cancelled));
    pass(&stage.app, 100).await;
    let mails = enqueued(&stage.app, "mail").await.len();
    // Its time begins anew with it.
    stage.shop.order("XJ12H", json!({"paymentStatus": "PAID"}));
    happen(&stage, "e-3", "order.updated", "XJ12H").await;
    let order = show(&stage.app, &key, "XJ12H").await;
    assert_eq!(
        (&order["status"], &order["placed_at"], &order["deadline"]),
        (
            &json!("held"),
            &json!("2025-01-01T00:00:00Z"),
            &json!("2025-01-08T04:00:00Z")
        )
    );
    assert_eq!(enqueued(&stage.app, "mail").await.len(), mails + 1);
    pass(&stage.app, 71).await;
    assert_eq!(enqueued(&stage.app, "mail").await.len(), mails + 4);
    pass(&stage.app, 1).await;
    assert_eq!(stage.standing("XJ12H").await, Some(Standing::Expired));
    // Of a verified customer it may ship at once; it may come back twice.
    stage
        .shop
        .order("XJ12H", json!({"paymentStatus": "CANCELLED"}));
    happen(&stage, "e-4", "order.updated", "XJ12H").await;
    for proof in crate::orders::PROOFS {
        prove(&stage, &key, proof).await;
    }
    stage.shop.order("XJ12H", json!({"paymentStatus": "PAID"}));
    happen(&stage, "e-5", "order.updated", "XJ12H").await;
    assert_eq!(stage.standing("XJ12H").await, Some(Standing::Released));
    let story = timeline(&stage.app, &key, "XJ12H").await;
    assert_eq!(
        story[story.len() - 3..],
        ["cancelled", "reinstated", "released"]
    );
    stage.deliver().await;
    let shown = stage.shop.field("XJ12H");
    assert_eq!(shown.as_deref(), Some("Verified: may ship"));
}

async fn what_staff_have_cancelled_here_does_not_come_back(app: TestApp) {
    let (stage, key) = with_an_order(&app).await;
    decide(&stage.app, &key, "XJ12H", "cancel")
        .expect(200)
        .await;
    happen(&stage, "e-2", "order.updated", "XJ12H").await;
    assert_eq!(stage.standing("XJ12H").await, Some(Standing::Cancelled));
    stage
        .shop
        .order("XJ12H", json!({"paymentStatus": "CANCELLED"}));
    happen(&stage, "e-3", "order.updated", "XJ12H").await;
    stage.shop.order("XJ12H", json!({"paymentStatus": "PAID"}));
    happen(&stage, "e-4", "order.updated", "XJ12H").await;
    assert_eq!(stage.standing("XJ12H").await, Some(Standing::Cancelled));
    // Nor what the shop had cancelled before them.
    stage.shop.order("O-2", json!({}));
    happen(&stage, "e-5", "order.created", "O-2").await;
    stage
        .shop
        .order("O-2", json!({"paymentStatus": "CANCELLED"}));
    happen(&stage, "e-6", "order.updated", "O-2").await;
    decide(&stage.app, &key, "O-2", "cancel").expect(200).await;
    stage.shop.order("O-2", json!({"paymentStatus": "PAID"}));
    happen(&stage, "e-7", "order.updated", "O-2").await;
    assert_eq!(stage.standing("O-2").await, Some(Standing::Cancelled));
}
