//! What a mail is to say, asked at the moment of sending.

use app::mail::{Found, Letters as _, Notice, Occasion};
use app::orders::OrderLetters;

use domain::standing::Proof;

use super::{ALL, ANN, HOUR, decide, pass, placed, prove_all};
use crate::customers::prove;
use crate::harness::{Settings, TestApp, flows, schedule};

flows!(
    a_reminder_says_what_is_true_now,
    nothing_is_sent_when_there_is_nothing_to_remind_of,
    no_company_writes_about_anothers_order,
    only_the_newest_step_is_sent,
    a_reminder_is_sent_whatever_becomes_of_the_schedule,
    the_last_mail_is_sent_while_the_order_is_expired,
);

/// What is found for a payload of a company.
async fn looked_up(app: &TestApp, company: &str, payload: &[u8]) -> app::Result<Found> {
    let letters = OrderLetters::new(app.app.clone());
    letters.look_up(company, "order.reminder", payload).await
}

/// The mail about the reminder at this hour of the only order, or why there is none.
async fn of_reminder(app: &TestApp, hour: u32) -> Result<Notice, &'static str> {
    let beginning = 1_735_689_600_000_000_u64;
    let at = beginning + u64::from(hour) * 3_600_000_000;
    of_mail(app, &at.to_string()).await
}

/// The mail about the end of the only order, or why there is none.
async fn of_the_end(app: &TestApp) -> Result<Notice, &'static str> {
    of_mail(app, "null").await
}

async fn of_mail(app: &TestApp, reminded_at: &str) -> Result<Notice, &'static str> {
    let id = match app.engine() {
        crate::harness::Engine::Sqlite => "SELECT lower(hex(id)) FROM orders",
        crate::harness::Engine::Postgres => "SELECT id FROM orders",
    };
    let id = app.database().sql(id).await.remove(0).remove(0);
    let payload = format!(r#"{{"order":"{id}","reminded_at":{reminded_at}}}"#);
    match looked_up(app, "default", payload.as_bytes()).await.unwrap() {
        Found::Notice(notice) => Ok(*notice),
        Found::Nothing(word) => Err(word),
    }
}

async fn word(app: &TestApp, hour: u32) -> &'static str {
    of_reminder(app, hour).await.unwrap_err()
}

async fn a_reminder_says_what_is_true_now(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key("default", ALL).await;
    placed(&app, &key, "1001", ANN).await;
    app.advance(HOUR);
    prove(&app, &key, ANN, "membership", true).await;
    let letter = of_reminder(&app, 0).await.unwrap();
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
    let unknown = br#"{"order":"00000000-0000-0000-0000-000000000000","reminded_at":0}"#;
    let found = looked_up(&app, "default", unknown).await.unwrap();
    assert!(matches!(found, Found::Nothing("no_order")));
    assert!(looked_up(&app, "default", b"{}").await.is_err());
}

async fn no_company_writes_about_anothers_order(app: TestApp) {
    app.leaves_deliveries();
    app.company("acme").await;
    let key = app.key("default", ALL).await;
    placed(&app, &key, "1", ANN).await;
    let order = of_reminder(&app, 0).await.unwrap().order;
    let payload = format!(r#"{{"order":"{order}","reminded_at":0}}"#);
    let found = looked_up(&app, "acme", payload.as_bytes()).await.unwrap();
    assert!(matches!(found, Found::Nothing("no_order")));
}

async fn only_the_newest_step_is_sent(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key("default", ALL).await;
    placed(&app, &key, "1", ANN).await;
    app.advance(24 * HOUR);
    // Due, whether or not anybody has swept.
    assert_eq!(word(&app, 0).await, "superseded", "a newer one is due");
    app::orders::sweep(&app.app).await.unwrap();
    let second = of_reminder(&app, 24).await.unwrap();
    assert_eq!(second.occasion, Occasion::Between);
    assert_eq!(word(&app, 0).await, "superseded", "a newer one was sent");
    assert_eq!(word(&app, 48).await, "superseded", "it is not due yet");
    pass(&app, 44).await;
    let last = of_reminder(&app, 68).await.unwrap();
    assert_eq!(last.occasion, Occasion::Last);
    assert!(of_the_end(&app).await.is_err(), "not yet");
    app.advance(4 * HOUR);
    assert_eq!(word(&app, 68).await, "too_late", "the deadline is past");
}

async fn a_reminder_is_sent_whatever_becomes_of_the_schedule(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key("default", ALL).await;
    placed(&app, &key, "1", ANN).await;
    pass(&app, 48).await;
    // Enqueued under one schedule, sent under another.
    for (hours, occasion) in [
        (vec![0, 48], Occasion::Last),
        (vec![0, 30, 60], Occasion::Between),
        (vec![30, 60], Occasion::First),
        (vec![60], Occasion::First),
        (vec![], Occasion::First),
    ] {
        let mut settings = Settings::default();
        settings.orders.schedule = schedule(72, &hours);
        let app = app.another(settings).await;
        let letter = of_reminder(&app, 48).await.unwrap();
        assert_eq!(letter.occasion, occasion, "{hours:?}");
        assert_eq!(word(&app, 24).await, "superseded");
    }
}

async fn the_last_mail_is_sent_while_the_order_is_expired(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key("default", ALL).await;
    placed(&app, &key, "1", ANN).await;
    pass(&app, 72).await;
    for hour in [0, 24, 48, 68] {
        assert_eq!(word(&app, hour).await, "superseded", "at {hour} hours");
    }
    let last = of_the_end(&app).await.unwrap();
    assert_eq!(last.occasion, Occasion::Expired);
    prove(&app, &key, ANN, "veriff", true).await;
    assert_eq!(of_the_end(&app).await.unwrap_err(), "settled", "late");
}
