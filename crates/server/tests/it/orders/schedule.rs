//! Reminders and deadlines, as time passes.

use app::orders::sweep;
use serde_json::{Value, json};

use super::{ALL, ANN, HOUR, SECOND, enqueued, pass, place, placed, prove_all, show, timeline};
use crate::harness::{Settings, TestApp, flows, schedule};
use crate::metrics::Since;

flows!(
    each_step_is_enqueued_once_at_its_time,
    after_downtime_only_the_newest_step_goes_out,
    an_order_of_the_past_gets_only_the_newest_mail,
    an_order_from_before_its_deadline_is_expired_at_once,
    two_instances_share_what_is_due,
    more_than_one_batch_is_swept,
    a_schedule_of_ones_own,
    an_erased_customers_order_expires_untold,
    an_order_that_cannot_be_read_keeps_no_other_from_its_turn,
    one_transaction_sweeps_no_more_than_a_batch,
);

async fn mails(app: &TestApp) -> Vec<String> {
    enqueued(app, "mail").await
}

async fn each_step_is_enqueued_once_at_its_time(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key("default", ALL).await;
    placed(&app, &key, "1", ANN).await;
    for (hours, sent) in [(0, 1), (24, 2), (24, 3), (20, 4)] {
        if hours > 0 {
            app.advance(hours * HOUR - SECOND);
            sweep(&app.app).await.unwrap();
            assert_eq!(mails(&app).await.len(), sent - 1, "too early");
            app.advance(SECOND);
            assert_eq!(sweep(&app.app).await.unwrap(), 1);
        }
        assert_eq!(
            sweep(&app.app).await.unwrap(),
            0,
            "there is nothing more to do"
        );
        assert_eq!(mails(&app).await, vec!["order.reminder"; sent]);
    }
    app.advance(4 * HOUR - SECOND);
    assert_eq!(sweep(&app.app).await.unwrap(), 0);
    app.advance(SECOND);
    assert_eq!(sweep(&app.app).await.unwrap(), 1);
    assert_eq!(mails(&app).await[4..], ["order.expired"]);
    pass(&app, 100).await;
    assert_eq!(mails(&app).await.len(), 5);
    let receivers = "SELECT DISTINCT receiver FROM deliveries";
    assert_eq!(app.database().sql(receivers).await, [["mail:default"]]);
    assert_eq!(show(&app, &key, "1").await["status"], "expired");
    assert_eq!(app.recorded().await["order.expire"], 1);
}

async fn after_downtime_only_the_newest_step_goes_out(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key("default", ALL).await;
    placed(&app, &key, "1", ANN).await;
    app.advance(50 * HOUR);
    sweep(&app.app).await.unwrap();
    assert_eq!(mails(&app).await.len(), 2);
    let order = show(&app, &key, "1").await;
    let reminders: Vec<&Value> = order["timeline"].as_array().unwrap()[2..].iter().collect();
    assert_eq!(reminders[0]["detail"], "1 of 4");
    assert_eq!(reminders[1]["detail"], "3 of 4");
}

async fn an_order_of_the_past_gets_only_the_newest_mail(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key("default", ALL).await;
    let order = json!({"order_id": "1", "email": ANN, "placed_at": "2024-12-30T22:00:00Z"});
    let answer = place(&app, &key, &order).expect(201).await;
    assert_eq!(answer.json["status"], "held");
    assert_eq!(answer.json["deadline"], "2025-01-02T22:00:00Z");
    assert_eq!(mails(&app).await, ["order.reminder"]);
    pass(&app, 21).await;
    assert_eq!(mails(&app).await.len(), 1);
    pass(&app, 1).await;
    assert_eq!(mails(&app).await.len(), 2, "the step at 48 hours");
}

async fn an_order_from_before_its_deadline_is_expired_at_once(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key("default", ALL).await;
    for (id, placed_at, expected) in [
        ("1", "2024-12-29T00:00:00Z", "expired"),
        ("2", "2024-12-29T00:00:01Z", "held"),
        ("3", "0001-01-01T00:00:00Z", "expired"),
    ] {
        let order = json!({"order_id": id, "email": ANN, "placed_at": placed_at});
        let answer = place(&app, &key, &order).expect(201).await;
        assert_eq!(answer.json["status"], expected);
    }
    assert_eq!(timeline(&app, &key, "1").await, ["placed", "expired"]);
    let sent = mails(&app).await;
    assert_eq!(
        sent.iter()
            .filter(|topic| *topic == "order.expired")
            .count(),
        2
    );
    assert_eq!(sent.len(), 3);
    prove_all(&app, &key, "bob@example.com").await;
    let proven =
        json!({"order_id": "4", "email": "bob@example.com", "placed_at": "2024-12-01T00:00:00Z"});
    let answer = place(&app, &key, &proven).expect(201).await;
    assert_eq!(
        answer.json["status"], "released",
        "nothing was ever missing"
    );
}

async fn two_instances_share_what_is_due(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key_with("default", ALL, "customers=off", None).await;
    for number in 0..40 {
        placed(
            &app,
            &key,
            &number.to_string(),
            &format!("ann{number}@example.com"),
        )
        .await;
    }
    let other = app.another(Settings::default()).await;
    app.advance(24 * HOUR);
    let both = tokio::join!(sweep(&app.app), sweep(&other.app));
    let swept = both.0.unwrap() + both.1.unwrap();
    assert_eq!(swept, 40);
    assert_eq!(
        mails(&app).await.len(),
        80,
        "each was reminded of once more"
    );
    app.advance(48 * HOUR);
    let (one, other) = tokio::join!(sweep(&app.app), sweep(&other.app));
    assert_eq!(one.unwrap() + other.unwrap(), 40);
    assert_eq!(mails(&app).await.len(), 120);
}

async fn more_than_one_batch_is_swept(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key_with("default", ALL, "customers=off", None).await;
    let orders = (0..230).map(|number| placed_now(&app, &key, number));
    futures_util::future::join_all(orders).await;
    app.advance(72 * HOUR);
    assert_eq!(sweep(&app.app).await.unwrap(), 230);
    let expired = "SELECT COUNT(*) FROM orders WHERE status = 'expired' AND next_at IS NULL";
    assert_eq!(app.database().sql(expired).await, [["230"]]);
    assert_eq!(app::orders::held(&app.app).await.unwrap(), 0);
}

async fn placed_now(app: &TestApp, key: &str, number: usize) {
    placed(
        app,
        key,
        &number.to_string(),
        &format!("ann{number}@example.com"),
    )
    .await;
}

async fn a_schedule_of_ones_own(app: TestApp) {
    app.leaves_deliveries();
    let mut settings = Settings::default();
    settings.orders.schedule = schedule(2, &[1]);
    let app = app.another(settings).await;
    let key = app.key("default", ALL).await;
    let answer = placed(&app, &key, "1", ANN).await;
    assert_eq!(answer.json["deadline"], "2025-01-01T02:00:00Z");
    assert!(mails(&app).await.is_empty());
    pass(&app, 3).await;
    assert_eq!(mails(&app).await, ["order.reminder", "order.expired"]);
}

async fn an_erased_customers_order_expires_untold(app: TestApp) {
    app.webhook("default", "https://hooks.example.com/orders")
        .await;
    app.leaves_deliveries();
    let key = app.key("default", ALL).await;
    placed(&app, &key, "1", ANN).await;
    let before = enqueued(&app, "webhook").await.len();
    app.database()
        .sql("DELETE FROM data_keys WHERE purpose = 'person'")
        .await;
    pass(&app, 72).await;
    assert_eq!(show(&app, &key, "1").await["status"], "expired");
    assert_eq!(enqueued(&app, "webhook").await.len(), before);
    assert_eq!(mails(&app).await.len(), 1);
}

async fn an_order_that_cannot_be_read_keeps_no_other_from_its_turn(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key("default", ALL).await;
    for id in ["1", "2", "3"] {
        placed(&app, &key, id, ANN).await;
    }
    let spoil = "UPDATE orders SET missing = 'nonsense' WHERE order_id = '2'";
    app.database().sql(spoil).await;
    let since = Since::now();
    pass(&app, 72).await;
    since.assert_rise("bonafide_spoilt_rows_total", &[("table", "orders")], 1.0);
    for id in ["1", "3"] {
        assert_eq!(show(&app, &key, id).await["status"], "expired");
    }
    assert!(crate::harness::logged().contains("table=\"orders\" id="));
    // It is looked at again once it has been mended.
    let mend = "UPDATE orders SET missing = 'veriff' WHERE order_id = '2'";
    app.database().sql(mend).await;
    pass(&app, 1).await;
    assert_eq!(show(&app, &key, "2").await["status"], "expired");
}

async fn one_transaction_sweeps_no_more_than_a_batch(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key_with("default", ALL, "customers=off", None).await;
    for number in 0..50 {
        placed_now(&app, &key, number).await;
    }
    app.advance(72 * HOUR);
    sweep(&app.app).await.unwrap();
    // What one transaction did stands in one batch of the audit log.
    let mut batches = std::collections::BTreeMap::new();
    for located in app.records().await {
        if located.record.action == "order.expire" {
            *batches.entry((located.log, located.batch)).or_insert(0) += 1;
        }
    }
    let sizes: Vec<i32> = batches.into_values().collect();
    assert_eq!(sizes.iter().sum::<i32>(), 50);
    assert!(sizes.iter().all(|size| *size <= 20), "{sizes:?}");
}
