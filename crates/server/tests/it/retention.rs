//! What has been kept for long enough is gone, and nothing before.

use std::time::Duration;

use app::retention::{TakenAway, take_away};

use crate::ages;
use crate::harness::{Receivers, TestApp, flows};
use crate::numbers::{self, NUMBER, OTHER};

flows!(
    sessions_and_messages_go_after_ninety_days,
    decisions_about_ages_go_after_seven_years,
);

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn count(app: &TestApp, table: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM {table}");
    app.database().sql(&sql).await[0][0].parse().unwrap()
}

async fn sessions_and_messages_go_after_ninety_days(app: TestApp) {
    let key = app.key("default", numbers::ALL).await;
    app.webhook("default", "https://shop.example/hook").await;
    let receivers = Receivers::new();
    let keys = count(&app, "data_keys WHERE purpose = 'person'").await;
    let first = numbers::open(&app, &key, "request-1").await;
    numbers::submit(&app, &first, NUMBER).expect(200).await;
    app.deliver(&receivers).await;
    app.advance(10 * DAY);
    let second = numbers::open(&app, &key, "request-2").await;
    numbers::submit(&app, &second, OTHER).expect(200).await;
    app.advance(80 * DAY);
    assert_eq!(
        take_away(&app.app).await.unwrap(),
        TakenAway::default(),
        "not a day early"
    );
    app.advance(DAY);
    let taken = take_away(&app.app).await.unwrap();
    assert_eq!((taken.sessions, taken.deliveries), (1, 1));
    assert_eq!(count(&app, "verification_sessions").await, 1);
    assert_eq!(count(&app, "delivery_attempts").await, 0);
    assert_eq!(
        count(&app, "data_keys WHERE purpose = 'person'").await,
        keys + 1
    );
    numbers::status(&app, &key, &first.id).expect(404).await;
    // The other one still waits for its answer in the rows: it is not over before it is swept.
    numbers::status(&app, &key, &second.id).expect(200).await;
    app::numbers::sweep(&app.app).await.unwrap();
    app.deliver(&receivers).await;
    app.advance(100 * DAY);
    assert_eq!(take_away(&app.app).await.unwrap().sessions, 1);
    assert_eq!(
        count(&app, "data_keys WHERE purpose = 'person'").await,
        keys
    );
}

async fn decisions_about_ages_go_after_seven_years(app: TestApp) {
    let key = app.key("default", ages::ALL).await;
    ages::pass(&app, &key, "gone").await;
    ages::pass(&app, &key, "stays").await;
    app.advance(400 * DAY);
    ages::pass(&app, &key, "stays").await;
    app.advance(2157 * DAY);
    assert_eq!(
        take_away(&app.app).await.unwrap().ages,
        0,
        "kept for 2557 days"
    );
    app.advance(DAY);
    assert_eq!(take_away(&app.app).await.unwrap().ages, 2);
    assert_eq!(count(&app, "age_decisions").await, 1);
    assert_eq!(count(&app, "age_customers").await, 1);
    let recount = app::ages::recount(&app.app, false, |_, _| {}).await;
    assert!(recount.unwrap().differences.is_empty());
    let answer = ages::status(&app, &key, "gone").expect(404).await;
    assert!(!answer.text().is_empty());
    ages::status(&app, &key, "stays").expect(200).await;
}
