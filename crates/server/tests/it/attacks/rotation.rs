//! Attacks on whatever is under way while master keys are rotated one instance after the other.

use std::time::Duration;

use app::deliveries::Status;
use app::numbers::sweep;

use super::LIFETIME;
use super::shops::{give_away, give_back};
use crate::deliveries::{all, only, told, verify};
use crate::harness::{TestApp, flows};
use crate::numbers::{ALL, NUMBER, initiate, open, rows};

flows!(
    a_message_outlives_an_instance_that_lacks_its_master_key,
    an_expiry_outlives_an_instance_that_lacks_its_master_key,
    many_that_only_others_can_tell_of_keep_nobody_from_expiring,
    a_session_whose_master_key_is_lost_ends_after_a_day,
);

/// Longer than a lease, and than an expiry that is left to others waits.
const A_WHILE: Duration = Duration::from_secs(61);
const DAY: Duration = Duration::from_secs(86_400);

async fn a_message_outlives_an_instance_that_lacks_its_master_key(app: TestApp) {
    let (receivers, key) = told(&app).await;
    verify(&app, &key, "order-81").await;
    give_away(&app, "person").await;
    for _ in 0..3 {
        app.deliver(&receivers).await;
        app.advance(A_WHILE);
    }
    assert!(receivers.take().is_empty());
    assert_ne!(only(&app).await.status, Status::Exhausted, "given up");
    give_back(&app).await;
    app.deliver(&receivers).await;
    assert_eq!(receivers.take().len(), 1);
    let delivery = only(&app).await;
    assert_eq!((delivery.status, delivery.attempts), (Status::Delivered, 1));
}

async fn an_expiry_outlives_an_instance_that_lacks_its_master_key(app: TestApp) {
    let (receivers, key) = told(&app).await;
    open(&app, &key, "order-81").await;
    give_away(&app, "person").await;
    app.advance(LIFETIME);
    assert_eq!(sweep(&app.app).await.unwrap(), 0);
    // Nor does opening the next one end it untold.
    initiate(&app, &key, NUMBER, "order-81").expect(500).await;
    give_back(&app).await;
    assert_eq!(sweep(&app.app).await.unwrap(), 0, "not at once again");
    app.advance(A_WHILE);
    assert_eq!(sweep(&app.app).await.unwrap(), 1);
    assert_eq!(rows(&app, "status").await, ["expired"]);
    app.deliver(&receivers).await;
    let heard = receivers.take();
    assert_eq!(heard.len(), 1);
    let body = String::from_utf8(heard[0].body.clone()).unwrap();
    assert!(body.contains("verification.expired"), "{body}");
}

/// More than the sweep looks at in one go, and older than the one that can be told of.
async fn many_that_only_others_can_tell_of_keep_nobody_from_expiring(app: TestApp) {
    let (receivers, _) = told(&app).await;
    let key = app.key_with("default", ALL, "initiate=off", None).await;
    for number in 0..501 {
        open(&app, &key, &format!("order-{number}")).await;
    }
    give_away(&app, "person").await;
    app.advance(Duration::from_millis(1));
    open(&app, &key, "last").await;
    app.advance(LIFETIME);
    assert_eq!(sweep(&app.app).await.unwrap(), 1);
    let deadlines = "SELECT COUNT(*) FROM verification_deadlines";
    assert_eq!(app.database().sql(deadlines).await.concat(), ["501"]);
    give_back(&app).await;
    app.advance(A_WHILE);
    assert_eq!(sweep(&app.app).await.unwrap(), 501);
    assert_eq!(app.database().sql(deadlines).await.concat(), ["0"]);
    assert_eq!(all(&app).await.len(), 502);
    app.deliver(&receivers).await;
}

async fn a_session_whose_master_key_is_lost_ends_after_a_day(app: TestApp) {
    let (_, key) = told(&app).await;
    open(&app, &key, "order-81").await;
    give_away(&app, "person").await;
    app.advance(LIFETIME + DAY);
    assert_eq!(sweep(&app.app).await.unwrap(), 1);
    assert_eq!(rows(&app, "status").await, ["expired"]);
    assert!(all(&app).await.is_empty(), "nothing can be told of it");
    // Its request can be opened again.
    open(&app, &key, "order-81").await;
}
