//! What a mail is to say, asked at the moment of sending.

use app::mail::{Found, Letters as _, Notice, Occasion};
use app::orders::OrderLetters;

use domain::standing::Proof;

use super::{ALL, ANN, HOUR, decide, pass, placed, prove_all};
use crate::customers::prove;
use crate::harness::{TestApp, flows};

flows!(
    a_reminder_says_what_is_true_now,
    nothing_is_sent_when_there_is_nothing_to_remind_of,
    no_company_writes_about_anothers_order,
    only_the_newest_step_is_sent,
    the_last_mail_is_sent_while_the_order_is_expired,
);

/// What is found for a payload of a company.
async fn looked_up(app: &TestApp, company: &str, payload: &[u8]) -> app::Result<Found> {
    let letters = OrderLetters::new(app.app.clone());
    letters.look_up(company, "order.reminder", payload).await
}

/// The mail of a step of the only order, or why there is none.
async fn of_step(app: &TestApp, step: u32) -> Result<Notice, &'static str> {
    let id = match app.engine() {
        crate::harness::Engine::Sqlite => "SELECT lower(hex(id)) FROM orders",
        crate::harness::Engine::Postgres => "SELECT id FROM orders",
    };
    let id = app.database().sql(id).await.remove(0).remove(0);
    let payload = format!(r#"{{"order":"{id}","step":{step}}}"#);
    match looked_up(app, "default", payload.as_bytes()).await.unwrap() {
        Found::Notice(notice) => Ok(*notice),
        Found::Nothing(word) => Err(word),
    }
}

async fn word(app: &TestApp, step: u32) -> &'static str {
    of_step(app, step).await.unwrap_err()
}

async fn a_reminder_says_what_is_true_now(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key("default", ALL).await;
    placed(&app, &key, "1001", ANN).await;
    app.advance(HOUR);
    prove(&app, &key, ANN, "membership", true).await;
    let letter = of_step(&app, 0).await.unwrap();
    assert_eq!(letter.to.as_str(), ANN);
    assert_eq!(letter.occasion, Occasion::First);
    assert_eq!(letter.order_id, "1001");
    assert_eq!(letter.company_name, "Default");
    assert_eq!(letter.missing, [Proof::Veriff, Proof::EmailOptin]);
    assert_eq!(letter.deadline.to_string(), "2025-01-04T00:00:00Z");
}

async fn nothing_is_sent_when_there_is_nothing_to_remind_of(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key("default", ALL).await;
    placed(&app, &key, "1", ANN).await;
    prove_all(&app, &key, ANN).await;
    assert_eq!(word(&app, 0).await, "settled", "released");
    decide(&app, &key, "1", "cancel").expect(200).await;
    assert_eq!(word(&app, 0).await, "settled", "cancelled");
    let unknown = br#"{"order":"00000000-0000-0000-0000-000000000000","step":0}"#;
    let found = looked_up(&app, "default", unknown).await.unwrap();
    assert!(matches!(found, Found::Nothing("no_order")));
    assert!(looked_up(&app, "default", b"{}").await.is_err());
}

async fn no_company_writes_about_anothers_order(app: TestApp) {
    app.leaves_deliveries();
    app.company("acme").await;
    let key = app.key("default", ALL).await;
    placed(&app, &key, "1", ANN).await;
    let order = of_step(&app, 0).await.unwrap().order;
    let payload = format!(r#"{{"order":"{order}","step":0}}"#);
    let found = looked_up(&app, "acme", payload.as_bytes()).await.unwrap();
    assert!(matches!(found, Found::Nothing("no_order")));
}

async fn only_the_newest_step_is_sent(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key("default", ALL).await;
    placed(&app, &key, "1", ANN).await;
    app.advance(24 * HOUR);
    // Due, whether or not anybody has swept.
    assert_eq!(word(&app, 0).await, "superseded", "a newer step is due");
    assert_eq!(of_step(&app, 1).await.unwrap().occasion, Occasion::Between);
    assert_eq!(word(&app, 2).await, "superseded", "it is not due yet");
    app.advance(44 * HOUR);
    assert_eq!(of_step(&app, 3).await.unwrap().occasion, Occasion::Last);
    app.advance(4 * HOUR);
    assert_eq!(word(&app, 3).await, "too_late", "the deadline is past");
}

async fn the_last_mail_is_sent_while_the_order_is_expired(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key("default", ALL).await;
    placed(&app, &key, "1", ANN).await;
    pass(&app, 72).await;
    for step in 0..4 {
        assert_eq!(word(&app, step).await, "superseded", "step {step}");
    }
    let last = of_step(&app, 4).await.unwrap();
    assert_eq!(last.occasion, Occasion::Expired);
    prove(&app, &key, ANN, "veriff", true).await;
    assert_eq!(word(&app, 4).await, "settled", "late");
}
