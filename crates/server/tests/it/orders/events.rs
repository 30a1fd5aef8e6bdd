//! What the merchant's webhook hears.

use serde_json::{Value, json};

use super::{ALL, ANN, HOUR, decide, pass, placed, prove_all};
use crate::customers::prove;
use crate::harness::{Receivers, TestApp, flows};

flows!(
    a_hold_and_its_release_are_told,
    an_expiry_and_what_comes_late_are_told_in_order,
    what_happens_at_one_instant_is_told_in_order,
    a_customer_is_verified_once,
    staff_release_is_told_and_cancelling_is_not,
    no_message_names_the_customer,
);

const URL: &str = "https://hooks.example.com/orders";

/// What was heard since the last time, as type and data.
async fn heard(app: &TestApp, receivers: &std::sync::Arc<Receivers>) -> Vec<(String, Value)> {
    // One delivery of a stream follows the other.
    for _ in 0..4 {
        app.deliver(receivers).await;
    }
    let told = receivers.take().into_iter().map(|heard| {
        let message = heard.json();
        let topic = message["type"].as_str().unwrap().to_owned();
        (topic, message)
    });
    told.collect()
}

fn topics(heard: &[(String, Value)]) -> Vec<&str> {
    let mut topics: Vec<_> = heard.iter().map(|(topic, _)| topic.as_str()).collect();
    topics.sort_unstable();
    topics
}

async fn told(app: &TestApp) -> (std::sync::Arc<Receivers>, String) {
    app.leaves_deliveries();
    app.webhook("default", URL).await;
    (Receivers::new(), app.key("default", ALL).await)
}

async fn a_hold_and_its_release_are_told(app: TestApp) {
    let (receivers, key) = told(&app).await;
    placed(&app, &key, "1001", ANN).await;
    let held = heard(&app, &receivers).await;
    assert_eq!(held.len(), 1);
    assert_eq!(
        held[0].1,
        json!({
            "type": "order.held",
            "timestamp": "2025-01-01T00:00:00Z",
            "data": {
                "order_id": "1001",
                "source": "api",
                "status": "held",
                "missing": ["veriff", "membership", "email_optin"],
                "placed_at": "2025-01-01T00:00:00Z",
                "deadline": "2025-01-04T00:00:00Z",
            },
        })
    );
    app.advance(HOUR);
    prove_all(&app, &key, ANN).await;
    let released = heard(&app, &receivers).await;
    assert_eq!(topics(&released), ["customer.verified", "order.released"]);
    let of = |wanted: &str| {
        released
            .iter()
            .find(|(topic, _)| topic == wanted)
            .unwrap()
            .1
            .clone()
    };
    assert_eq!(
        of("customer.verified"),
        json!({
            "type": "customer.verified",
            "timestamp": "2025-01-01T01:00:00Z",
            "data": {"customer_email": "a***@example.com", "orders": ["1001"]},
        })
    );
    let data = &of("order.released")["data"];
    assert_eq!(data["status"], "released");
    assert_eq!(data["missing"], json!([]));
    assert_eq!(data["deadline"], json!(null));
}

async fn an_expiry_and_what_comes_late_are_told_in_order(app: TestApp) {
    let (receivers, key) = told(&app).await;
    placed(&app, &key, "1", ANN).await;
    placed(&app, &key, "2", "bob@example.com").await;
    heard(&app, &receivers).await;
    pass(&app, 72).await;
    assert_eq!(topics(&heard(&app, &receivers).await), ["order.expired"; 2]);
    prove(&app, &key, ANN, "veriff", true).await;
    assert_eq!(topics(&heard(&app, &receivers).await), ["order.late"]);
    // Both at one instant, where nobody has swept.
    for number in 0..12 {
        let email = format!("ann{number}@example.com");
        placed(&app, &key, &format!("late-{number}"), &email).await;
    }
    heard(&app, &receivers).await;
    app.advance(73 * HOUR);
    for number in 0..12 {
        prove(
            &app,
            &key,
            &format!("ann{number}@example.com"),
            "veriff",
            true,
        )
        .await;
    }
    let told = heard(&app, &receivers).await;
    for number in 0..12 {
        let id = format!("late-{number}");
        let of_it: Vec<_> = told
            .iter()
            .filter(|(_, message)| message["data"]["order_id"] == id.as_str())
            .map(|(topic, _)| topic.as_str())
            .collect();
        assert_eq!(of_it, ["order.expired", "order.late"]);
    }
}

async fn what_happens_at_one_instant_is_told_in_order(app: TestApp) {
    let (receivers, key) = told(&app).await;
    for number in 0..20 {
        placed(&app, &key, &number.to_string(), ANN).await;
    }
    app.advance(72 * HOUR);
    app::orders::sweep(&app.app).await.unwrap();
    prove(&app, &key, ANN, "veriff", true).await;
    let told = heard(&app, &receivers).await;
    for number in 0..20 {
        let order_id = number.to_string();
        let of_it = |message: &Value| message["data"]["order_id"] == *order_id;
        let topics: Vec<_> = told
            .iter()
            .filter(|(_, message)| of_it(message))
            .map(|(topic, _)| topic.as_str())
            .collect();
        assert_eq!(topics, ["order.held", "order.expired", "order.late"]);
    }
}

async fn a_customer_is_verified_once(app: TestApp) {
    let (receivers, key) = told(&app).await;
    prove_all(&app, &key, ANN).await;
    assert_eq!(
        topics(&heard(&app, &receivers).await),
        ["customer.verified"]
    );
    prove_all(&app, &key, ANN).await;
    assert!(heard(&app, &receivers).await.is_empty(), "it was so before");
    prove(&app, &key, ANN, "veriff", false).await;
    assert!(heard(&app, &receivers).await.is_empty());
    prove(&app, &key, ANN, "veriff", true).await;
    assert_eq!(
        topics(&heard(&app, &receivers).await),
        ["customer.verified"]
    );
}

async fn staff_release_is_told_and_cancelling_is_not(app: TestApp) {
    let (receivers, key) = told(&app).await;
    placed(&app, &key, "1", ANN).await;
    heard(&app, &receivers).await;
    decide(&app, &key, "1", "release").expect(200).await;
    let released = heard(&app, &receivers).await;
    assert_eq!(topics(&released), ["order.released"]);
    assert_eq!(
        released[0].1["data"]["missing"].as_array().unwrap().len(),
        3
    );
    decide(&app, &key, "1", "cancel").expect(200).await;
    assert!(heard(&app, &receivers).await.is_empty());
}

async fn no_message_names_the_customer(app: TestApp) {
    let (receivers, key) = told(&app).await;
    let email = "margaret.longname@example.com";
    placed(&app, &key, "1", email).await;
    prove_all(&app, &key, email).await;
    for (_, message) in heard(&app, &receivers).await {
        assert!(!message.to_string().contains("margaret"), "{message}");
    }
}
