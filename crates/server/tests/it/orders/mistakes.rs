//! Requests that are not acceptable.

use serde_json::json;

use super::{ALL, ANN, ORDERS, decide, place, placed};
use crate::customers::{check, prove};
use crate::harness::{TestApp, flows};

flows!(
    every_field_is_checked,
    all_mistakes_are_told_together,
    what_cannot_be_an_order_is_none,
    a_reason_is_required,
    scopes_are_told_apart,
    the_limit_is_shared_with_customers,
);

async fn every_field_is_checked(app: TestApp) {
    let key = app.key_with("default", ALL, "customers=off", None).await;
    let long = "x".repeat(201);
    for (field, value) in [
        ("order_id", json!("")),
        ("order_id", json!("  ")),
        ("order_id", json!(7)),
        ("order_id", json!(null)),
        ("order_id", json!(long)),
        ("order_id", json!("a\u{0}b")),
        ("order_id", json!("a\nb")),
        ("source", json!("")),
        ("source", json!(long)),
        ("source", json!("a\u{0}b")),
        ("email", json!("ann")),
        ("email", json!(null)),
        ("phone", json!("0123")),
        ("placed_at", json!("yesterday")),
        ("placed_at", json!("2025-01-01T00:05:01Z")),
        ("placed_at", json!(1_735_689_600)),
    ] {
        let mut order = json!({"order_id": "1", "email": ANN});
        order[field] = value.clone();
        let answer = place(&app, &key, &order).expect(400).await;
        assert_eq!(answer.code(), "invalid_request");
        assert_eq!(answer.fields(), [field], "{value}");
    }
    assert_eq!(
        app.database().sql("SELECT COUNT(*) FROM orders").await,
        [["0"]]
    );
}

async fn all_mistakes_are_told_together(app: TestApp) {
    let key = app.key("default", ALL).await;
    let order = json!({"source": 1, "phone": "x", "placed_at": "x"});
    let answer = place(&app, &key, &order).expect(400).await;
    assert_eq!(
        answer.fields(),
        ["order_id", "source", "email", "phone", "placed_at"]
    );
}

async fn what_cannot_be_an_order_is_none(app: TestApp) {
    let key = app.key_with("default", ALL, "customers=off", None).await;
    for id in ["none", "%00", "a%0Ab", "%20", &"x".repeat(201)] {
        let answer = app
            .get(&format!("{ORDERS}/{id}"))
            .key(&key)
            .expect(404)
            .await;
        assert_eq!(answer.code(), "not_found", "{id}");
        decide(&app, &key, id, "release").expect(404).await;
        decide(&app, &key, id, "cancel").expect(404).await;
    }
}

async fn a_reason_is_required(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key_with("default", ALL, "customers=off", None).await;
    placed(&app, &key, "1", ANN).await;
    for body in [
        json!({}),
        json!({"reason": ""}),
        json!({"reason": "  "}),
        json!({"reason": 7}),
        json!({"reason": "x".repeat(1_025)}),
    ] {
        for decision in ["release", "cancel"] {
            let call = app
                .post(&format!("{ORDERS}/1/{decision}"))
                .key(&key)
                .json(&body);
            assert_eq!(call.expect(400).await.fields(), ["reason"], "{body}");
        }
    }
}

async fn scopes_are_told_apart(app: TestApp) {
    app.leaves_deliveries();
    let reader = app.key("default", "orders:read customers:write").await;
    let writer = app.key("default", "orders:write").await;
    let order = json!({"order_id": "1", "email": ANN});
    assert_eq!(
        place(&app, &reader, &order).expect(403).await.code(),
        "forbidden"
    );
    place(&app, &writer, &order).expect(201).await;
    decide(&app, &reader, "1", "release").expect(403).await;
    for path in [ORDERS.to_owned(), format!("{ORDERS}/1")] {
        app.get(&path).key(&writer).expect(403).await;
        app.get(&path).key(&reader).expect(200).await;
    }
}

async fn the_limit_is_shared_with_customers(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key_with("default", ALL, "customers=4/1m", None).await;
    placed(&app, &key, "1", ANN).await;
    check(&app, &key, &json!({"email": ANN})).expect(200).await;
    prove(&app, &key, ANN, "veriff", true).await;
    app.get(ORDERS).key(&key).expect(200).await;
    for call in [
        app.get(ORDERS).key(&key),
        app.get(&format!("{ORDERS}/1")).key(&key),
        decide(&app, &key, "1", "cancel"),
        place(&app, &key, &json!({"order_id": "2", "email": ANN})),
        check(&app, &key, &json!({"email": ANN})),
    ] {
        assert_eq!(call.expect(429).await.code(), "rate_limited");
    }
}
