//! Orders in the console: lists, one of them, and a person's decision.

use serde_json::json;

use super::{Admin, named, record};
use crate::harness::{TestApp, flows};
use crate::orders::{ALL, ANN, place, placed, prove_all, show, status};

flows!(
    lists_are_of_one_status_and_paged,
    an_order_is_shown_with_its_timeline,
    staff_release_an_order_with_a_reason,
    staff_cancel_an_order_and_that_is_for_good,
    a_decision_needs_a_reason,
    another_companys_orders_are_not_there,
    whatever_an_order_is_called_it_is_shown_as_text,
);

async fn lists_are_of_one_status_and_paged(app: TestApp) {
    let key = app.key("default", ALL).await;
    let admin = Admin::new(&app).await;
    let empty = admin.get("/console/orders").expect(200).await;
    assert!(
        empty.text().contains("No order is waiting"),
        "{}",
        empty.text()
    );
    for number in 0..30 {
        placed(&app, &key, &format!("order-{number:02}"), ANN).await;
        app.advance(std::time::Duration::from_secs(1));
    }
    let first = admin.get("/console/orders").expect(200).await.text();
    assert!(
        first.contains("order-29") && first.contains("order-05"),
        "{first}"
    );
    assert!(!first.contains("order-04"), "{first}");
    let (_, rest) = first
        .split_once("href=\"../console/orders?status=held&amp;cursor=")
        .unwrap();
    let cursor = rest.split('"').next().unwrap();
    let next = format!("/console/orders?status=held&cursor={cursor}");
    let second = admin.get(&next).expect(200).await.text();
    assert!(
        second.contains("order-04") && second.contains("order-00"),
        "{second}"
    );
    assert!(
        !second.contains("order-05") && !second.contains("cursor="),
        "{second}"
    );
    let none = admin
        .get("/console/orders?status=released")
        .expect(200)
        .await;
    assert!(none.text().contains("None yet") && !none.text().contains("order-"));
    admin.get("/console/orders?status=lost").expect(404).await;
    app.leaves_deliveries();
}

async fn an_order_is_shown_with_its_timeline(app: TestApp) {
    let key = app.key("default", ALL).await;
    let admin = Admin::new(&app).await;
    placed(&app, &key, "1001", ANN).await;
    let page = admin.get("/console/orders/1001").expect(200).await;
    let text = page.text();
    for expected in ["Order 1001", "Held", "Placed", "3 d 0 h", "Agreement"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(!text.contains(ANN), "nobody asked who it is");
    let records = app.records_of(page.request_id()).await;
    assert_eq!(records[0].record.action, "console.order.show");
    assert!(records[0].record.subject.is_some(), "looking is recorded");
    prove_all(&app, &key, ANN).await;
    let text = admin.get("/console/orders/1001").expect(200).await.text();
    assert!(
        text.contains("Released") && !text.contains("Release it"),
        "{text}"
    );
    app.leaves_deliveries();
}

async fn staff_release_an_order_with_a_reason(app: TestApp) {
    let key = app.key("default", ALL).await;
    let office = app.key("default", "admin").await;
    let admin = Admin::with(&app, &office).await;
    placed(&app, &key, "1001", ANN).await;
    let reason = [("reason", "seen in the <store>")];
    let call = admin.send("/console/orders/1001/release", &reason);
    let answer = call.expect(303).await;
    assert_eq!(answer.header("location"), "../../../console/orders/1001");
    let records = app.records_of(answer.request_id()).await;
    let record = &records.last().unwrap().record;
    assert_eq!(record.action, "console.order.release");
    assert_eq!(*record.credential, *named(&office));
    assert_eq!(status(&app, &key, "1001").await, "released");
    let order = show(&app, &key, "1001").await;
    let told = order["timeline"].as_array().unwrap().last().unwrap();
    assert_eq!(told["detail"], "seen in the <store>");
    let page = admin.get("/console/orders/1001").expect(200).await.text();
    assert!(page.contains("seen in the &lt;store&gt;"), "{page}");
    app.leaves_deliveries();
}

async fn staff_cancel_an_order_and_that_is_for_good(app: TestApp) {
    let key = app.key("default", ALL).await;
    let admin = Admin::new(&app).await;
    placed(&app, &key, "1001", ANN).await;
    let reason = [("reason", "not to be sold")];
    admin
        .send("/console/orders/1001/cancel", &reason)
        .expect(303)
        .await;
    assert_eq!(status(&app, &key, "1001").await, "cancelled");
    let page = admin.get("/console/orders/1001").expect(200).await.text();
    assert!(
        !page.contains("Release it") && !page.contains("Cancel it"),
        "{page}"
    );
    let call = admin.send("/console/orders/1001/release", &reason);
    let answer = call.expect(409).await;
    assert!(
        answer.text().contains("cannot be released"),
        "{}",
        answer.text()
    );
    app.leaves_deliveries();
}

async fn a_decision_needs_a_reason(app: TestApp) {
    let key = app.key("default", ALL).await;
    let admin = Admin::new(&app).await;
    placed(&app, &key, "1001", ANN).await;
    let long = "x".repeat(1_025);
    for reason in ["", "  ", &long] {
        let call = admin.send("/console/orders/1001/release", &[("reason", reason)]);
        let answer = call.expect(400).await;
        assert!(answer.text().contains("aria-invalid"), "{}", answer.text());
        let told = record(&app, &answer).await;
        assert_eq!(told.1, "invalid_request");
    }
    assert_eq!(status(&app, &key, "1001").await, "held");
    app.leaves_deliveries();
}

async fn another_companys_orders_are_not_there(app: TestApp) {
    app.company("acme").await;
    let key = app.key("acme", ALL).await;
    placed(&app, &key, "1001", ANN).await;
    let admin = Admin::new(&app).await;
    let reason = [("reason", "x")];
    for id in ["1001", "%00", "a%0Ab"] {
        let page = format!("/console/orders/{id}");
        admin.get(&page).expect(404).await;
        for decision in ["release", "cancel"] {
            let decide = format!("{page}/{decision}");
            admin.send(&decide, &reason).expect(404).await;
        }
    }
    let list = admin.get("/console/orders?status=all").expect(200).await;
    assert!(!list.text().contains("1001"));
    app.leaves_deliveries();
}

async fn whatever_an_order_is_called_it_is_shown_as_text(app: TestApp) {
    let key = app.key("default", ALL).await;
    let admin = Admin::new(&app).await;
    let order = json!({"order_id": "<b>a/b ü?", "source": "\"><script>", "email": ANN});
    place(&app, &key, &order).expect(201).await;
    let list = admin.get("/console/orders").expect(200).await.text();
    assert!(list.contains("&lt;b&gt;a&#x2f;b ü?"), "{list}");
    assert!(
        !list.contains("<b>") && !list.contains("\"><script>"),
        "{list}"
    );
    assert!(
        list.contains("href=\"../console/orders/%3Cb%3Ea%2Fb%20%C3%BC%3F\""),
        "{list}"
    );
    let path = "/console/orders/%3Cb%3Ea%2Fb%20%C3%BC%3F";
    admin.get(path).expect(200).await;
    let reason = [("reason", "x")];
    let answer = admin
        .send(&format!("{path}/release"), &reason)
        .expect(303)
        .await;
    assert_eq!(answer.header("location"), format!("../../..{path}"));
    app.leaves_deliveries();
}
