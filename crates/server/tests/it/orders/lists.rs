//! Lists of orders, page by page.

use serde_json::{Value, json};

use super::{ALL, ANN, ORDERS, SECOND, decide, place, placed, prove_all};
use crate::harness::{TestApp, flows};

flows!(
    pages_follow_each_other_the_newest_first,
    a_status_is_asked_for,
    orders_that_arrive_meanwhile_move_no_page,
    queries_are_checked,
    companies_list_their_own,
);

async fn list(app: &TestApp, key: &str, query: &str) -> Value {
    let call = app.get(&format!("{ORDERS}?{query}")).key(key);
    call.expect(200).await.json
}

fn ids(page: &Value) -> Vec<&str> {
    let orders = page["orders"].as_array().unwrap().iter();
    orders
        .map(|order| order["order_id"].as_str().unwrap())
        .collect()
}

async fn every(app: &TestApp, key: &str, query: &str) -> Vec<String> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = list(app, key, &format!("{query}{cursor}")).await;
        all.extend(ids(&page).into_iter().map(str::to_owned));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

async fn pages_follow_each_other_the_newest_first(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key_with("default", ALL, "customers=off", None).await;
    assert_eq!(
        list(&app, &key, "").await,
        json!({"orders": [], "next_cursor": null})
    );
    let mut expected = Vec::new();
    for number in 0..7 {
        app.advance(SECOND);
        let answer = placed(&app, &key, &format!("order {number}"), ANN).await;
        expected.insert(0, format!("order {number}"));
        let page = list(&app, &key, "limit=1").await;
        assert_eq!(page["orders"][0], answer.json);
    }
    for limit in [1, 2, 3, 6, 7, 8, 500] {
        assert_eq!(every(&app, &key, &format!("limit={limit}")).await, expected);
    }
    // Placed before all others, whenever we heard of it.
    let old = json!({"order_id": "old", "email": ANN, "placed_at": "2024-12-31T00:00:00Z"});
    place(&app, &key, &old).expect(201).await;
    expected.push("old".to_owned());
    assert_eq!(every(&app, &key, "limit=3").await, expected);
}

async fn a_status_is_asked_for(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key_with("default", ALL, "customers=off", None).await;
    prove_all(&app, &key, "bob@example.com").await;
    for number in 0..6 {
        app.advance(SECOND);
        let email = if number % 2 == 0 {
            ANN
        } else {
            "bob@example.com"
        };
        placed(&app, &key, &number.to_string(), email).await;
    }
    decide(&app, &key, "2", "cancel").expect(200).await;
    for (status, expected) in [
        ("held", vec!["4", "0"]),
        ("released", vec!["5", "3", "1"]),
        ("cancelled", vec!["2"]),
        ("late", vec![]),
        ("expired", vec![]),
    ] {
        let query = format!("status={status}&limit=1");
        assert_eq!(every(&app, &key, &query).await, expected, "{status}");
    }
}

async fn orders_that_arrive_meanwhile_move_no_page(app: TestApp) {
    app.leaves_deliveries();
    let key = app.key_with("default", ALL, "customers=off", None).await;
    // All at one instant.
    for number in 0..5 {
        placed(&app, &key, &number.to_string(), ANN).await;
    }
    let all = every(&app, &key, "limit=500").await;
    let first = list(&app, &key, "limit=2").await;
    app.advance(SECOND);
    placed(&app, &key, "new", ANN).await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = list(&app, &key, &format!("limit=3&cursor={cursor}")).await;
    let seen = [ids(&first), ids(&second)].concat();
    assert_eq!(seen, all);
    assert_eq!(second["next_cursor"], json!(null));
}

async fn queries_are_checked(app: TestApp) {
    let key = app.key("default", ALL).await;
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=many", "limit"),
        ("status=waiting", "status"),
        ("status=", "status"),
        ("cursor=1001", "cursor"),
        ("cursor=", "cursor"),
        ("status=held&status=late", "status"),
    ] {
        let answer = app
            .get(&format!("{ORDERS}?{query}"))
            .key(&key)
            .expect(400)
            .await;
        assert_eq!(answer.fields(), [field], "{query}");
    }
    let answer = app
        .get(&format!("{ORDERS}?limit=0&status=x&cursor=y"))
        .key(&key);
    assert_eq!(
        answer.expect(400).await.fields(),
        ["status", "limit", "cursor"]
    );
}

async fn companies_list_their_own(app: TestApp) {
    app.leaves_deliveries();
    app.company("acme").await;
    let (key, acme) = (app.key("default", ALL).await, app.key("acme", ALL).await);
    placed(&app, &key, "ours", ANN).await;
    let cursor = {
        placed(&app, &key, "also ours", ANN).await;
        list(&app, &key, "limit=1").await["next_cursor"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(ids(&list(&app, &acme, "").await).is_empty());
    assert!(ids(&list(&app, &acme, &format!("cursor={cursor}")).await).is_empty());
    for (method, path, body) in [
        ("GET", format!("{ORDERS}/ours"), None),
        (
            "POST",
            format!("{ORDERS}/ours/release"),
            Some(json!({"reason": "mine"})),
        ),
        (
            "POST",
            format!("{ORDERS}/ours/cancel"),
            Some(json!({"reason": "mine"})),
        ),
    ] {
        let call = app.call(method, &path).key(&acme);
        let call = match &body {
            Some(body) => call.json(body),
            None => call,
        };
        assert_eq!(call.expect(404).await.code(), "not_found");
    }
}
