//! Rules that an operator changes while orders wait: which proofs count, and when to remind.

use serde_json::json;

use super::{ALL, ANN, HOUR, enqueued, pass, placed, show, status, timeline};
use crate::ages;
use crate::customers::prove;
use crate::harness::{Settings, TestApp, flows, schedule};

flows!(
    what_new_rules_complete_is_released_when_a_worker_begins,
    what_new_rules_complete_is_released_at_the_next_reminder,
    what_new_rules_complete_is_released_at_the_deadline,
    a_proof_that_changes_nothing_releases_what_new_rules_complete,
    what_new_rules_take_away_is_missing_again,
    fewer_reminders_leave_none_out,
    more_reminders_send_none_twice,
);

/// An instance whose operator takes an age for an ID from now on.
async fn that_takes_ages(app: &TestApp) -> TestApp {
    let mut settings = Settings::default();
    settings.ages.proves_identity = true;
    app.another(settings).await
}

/// An instance that reminds at these hours from now on, and begins to work.
async fn that_reminds_at(app: &TestApp, hours: &[u64]) -> TestApp {
    let mut settings = Settings::default();
    settings.orders.schedule = schedule(72, hours);
    let app = app.another(settings).await;
    app::orders::look_at_all(&app.app).await.unwrap();
    app
}

/// An order that lacks nothing but an ID, of a customer whose age is verified.
async fn held_for_an_id(app: &TestApp) -> String {
    app.leaves_deliveries();
    let key = app.key("default", &format!("{ALL} ages:write")).await;
    placed(app, &key, "1", ANN).await;
    for proof in ["membership", "email_optin"] {
        prove(app, &key, ANN, proof, true).await;
    }
    let mut claim = ages::adult("shopper-1");
    claim["email"] = ANN.into();
    ages::verify(app, &key, &claim).expect(200).await;
    let order = show(app, &key, "1").await;
    assert_eq!(
        (&order["status"], &order["missing"]),
        (&json!("held"), &json!(["veriff"]))
    );
    key
}

async fn what_new_rules_complete_is_released_when_a_worker_begins(app: TestApp) {
    let key = held_for_an_id(&app).await;
    placed(&app, &key, "2", "bob@example.com").await;
    let app = that_takes_ages(&app).await;
    app.advance(HOUR);
    assert_eq!(app::orders::look_at_all(&app.app).await.unwrap(), 2);
    app::orders::sweep(&app.app).await.unwrap();
    assert_eq!(status(&app, &key, "1").await, "released");
    assert_eq!(status(&app, &key, "2").await, "held");
    assert_eq!(enqueued(&app, "mail").await.len(), 2, "nobody is reminded");
    pass(&app, 23).await;
    assert_eq!(enqueued(&app, "mail").await.len(), 3, "but at 24 hours");
}

async fn what_new_rules_complete_is_released_at_the_next_reminder(app: TestApp) {
    let key = held_for_an_id(&app).await;
    let app = that_takes_ages(&app).await;
    pass(&app, 24).await;
    assert_eq!(status(&app, &key, "1").await, "released");
    let story = timeline(&app, &key, "1").await;
    assert_eq!(story[story.len() - 2..], ["proof", "released"]);
    assert_eq!(enqueued(&app, "mail").await, ["order.reminder"]);
    assert_eq!(app.recorded().await["order.release"], 1);
}

async fn what_new_rules_complete_is_released_at_the_deadline(app: TestApp) {
    let key = held_for_an_id(&app).await;
    let app = that_takes_ages(&app).await;
    app.advance(72 * HOUR);
    app::orders::sweep(&app.app).await.unwrap();
    assert_eq!(status(&app, &key, "1").await, "released");
    assert_eq!(enqueued(&app, "mail").await, ["order.reminder"]);
}

async fn a_proof_that_changes_nothing_releases_what_new_rules_complete(app: TestApp) {
    let key = held_for_an_id(&app).await;
    let app = that_takes_ages(&app).await;
    app.advance(HOUR);
    prove(&app, &key, ANN, "membership", true).await;
    assert_eq!(status(&app, &key, "1").await, "released");
}

async fn what_new_rules_take_away_is_missing_again(app: TestApp) {
    let strict = app.clone();
    let app = that_takes_ages(&app).await;
    app.leaves_deliveries();
    let key = app.key("default", &format!("{ALL} ages:write")).await;
    placed(&app, &key, "1", ANN).await;
    let mut claim = ages::adult("shopper-1");
    claim["email"] = ANN.into();
    ages::verify(&app, &key, &claim).expect(200).await;
    pass(&strict, 24).await;
    let missing = "SELECT missing FROM orders";
    assert_eq!(
        app.database().sql(missing).await,
        [["veriff,membership,email_optin"]]
    );
    assert_eq!(enqueued(&app, "mail").await.len(), 2);
}

async fn fewer_reminders_leave_none_out(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key("default", ALL).await;
    placed(&app, &key, "1", ANN).await;
    pass(&app, 30).await;
    assert_eq!(enqueued(&app, "mail").await.len(), 2, "at 0 and 24 hours");
    let app = that_reminds_at(&app, &[0, 60]).await;
    pass(&app, 29).await;
    assert_eq!(enqueued(&app, "mail").await.len(), 2);
    pass(&app, 1).await;
    assert_eq!(enqueued(&app, "mail").await.len(), 3, "at 60 hours");
}

async fn more_reminders_send_none_twice(app: TestApp) {
    let few = that_reminds_at(&app, &[0, 48]).await;
    app.leaves_deliveries();
    let key = few.key("default", ALL).await;
    placed(&few, &key, "1", ANN).await;
    pass(&few, 50).await;
    assert_eq!(enqueued(&app, "mail").await.len(), 2, "at 0 and 48 hours");
    let many = that_reminds_at(&app, &[0, 12, 24, 36, 48, 68]).await;
    pass(&many, 17).await;
    assert_eq!(enqueued(&app, "mail").await.len(), 2);
    pass(&many, 1).await;
    assert_eq!(enqueued(&app, "mail").await.len(), 3, "at 68 hours");
}
