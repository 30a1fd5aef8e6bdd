//! What a mail is to say, asked at the moment of sending.

use app::orders::{Letter, Purpose, letter};

use super::{ALL, ANN, HOUR, decide, pass, placed, prove_all};
use crate::customers::prove;
use crate::harness::{TestApp, flows};

flows!(
    a_reminder_says_what_is_true_now,
    nothing_is_sent_when_there_is_nothing_to_remind_of,
    only_the_newest_step_is_sent,
    the_last_mail_is_sent_while_the_order_is_expired,
);

/// The mail of a step of the only order.
async fn of_step(app: &TestApp, step: u32) -> Option<Letter> {
    let id = match app.engine() {
        crate::harness::Engine::Sqlite => "SELECT lower(hex(id)) FROM orders",
        crate::harness::Engine::Postgres => "SELECT id FROM orders",
    };
    let id = app.database().sql(id).await.remove(0).remove(0);
    let payload = format!(r#"{{"order":"{id}","step":{step}}}"#);
    letter(&app.app, payload.as_bytes()).await.unwrap()
}

async fn a_reminder_says_what_is_true_now(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key("default", ALL).await;
    placed(&app, &key, "1001", ANN).await;
    app.advance(HOUR);
    prove(&app, &key, ANN, "membership", true).await;
    let letter = of_step(&app, 0).await.unwrap();
    assert_eq!(letter.to.as_str(), ANN);
    assert_eq!(letter.purpose, Purpose::Reminder);
    assert_eq!((letter.step, &*letter.order_id), (0, "1001"));
    assert_eq!(
        (&*letter.company_id, &*letter.company_name),
        ("default", "Default")
    );
    assert_eq!(letter.missing.to_string(), "veriff,email_optin");
    assert_eq!(letter.deadline.to_string(), "2025-01-04T00:00:00Z");
}

async fn nothing_is_sent_when_there_is_nothing_to_remind_of(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key("default", ALL).await;
    placed(&app, &key, "1", ANN).await;
    prove_all(&app, &key, ANN).await;
    assert_eq!(of_step(&app, 0).await, None, "released");
    decide(&app, &key, "1", "cancel").expect(200).await;
    assert_eq!(of_step(&app, 0).await, None, "cancelled");
    let unknown = br#"{"order":"00000000-0000-0000-0000-000000000000","step":0}"#;
    assert_eq!(letter(&app.app, unknown).await.unwrap(), None);
    assert!(letter(&app.app, b"{}").await.is_err());
}

async fn only_the_newest_step_is_sent(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key("default", ALL).await;
    placed(&app, &key, "1", ANN).await;
    app.advance(24 * HOUR);
    // Due, whether or not anybody has swept.
    assert_eq!(of_step(&app, 0).await, None, "a newer step is due");
    assert!(of_step(&app, 1).await.is_some());
    assert_eq!(of_step(&app, 2).await, None, "it is not due yet");
    app.advance(48 * HOUR);
    assert_eq!(of_step(&app, 3).await, None, "the deadline is past");
}

async fn the_last_mail_is_sent_while_the_order_is_expired(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key("default", ALL).await;
    placed(&app, &key, "1", ANN).await;
    pass(&app, 72).await;
    for step in 0..4 {
        assert_eq!(of_step(&app, step).await, None, "step {step}");
    }
    let last = of_step(&app, 4).await.unwrap();
    assert_eq!(last.purpose, Purpose::Expired);
    prove(&app, &key, ANN, "veriff", true).await;
    assert_eq!(of_step(&app, 4).await, None, "late");
}
