//! bulk-check.

use serde_json::{Value, json};

use super::{BOTH, BULK, bulk, prove};
use crate::harness::{Settings, TestApp, flows};

flows!(
    results_come_in_the_order_of_the_request,
    one_malformed_address_is_named_by_its_index,
    one_to_five_hundred_addresses,
    it_counts_as_one_request,
    bodies_may_be_larger_than_elsewhere,
);

async fn results_come_in_the_order_of_the_request(app: TestApp) {
    let key = app.key("default", BOTH).await;
    for proof in ["veriff", "membership", "email_optin"] {
        prove(&app, &key, "full@example.com", proof, true).await;
    }
    prove(&app, &key, "some@example.com", "veriff", true).await;
    prove(&app, &key, "none@example.com", "veriff", false).await;
    let emails = json!([
        "some@example.com",
        "unknown@example.com",
        "Full@example.com",
        "none@example.com",
        "full@example.com",
    ]);
    let answer = bulk(&app, &key, &emails).expect(200).await;
    insta::assert_json_snapshot!("in_order", answer.json);
}

async fn one_malformed_address_is_named_by_its_index(app: TestApp) {
    let key = app.key("default", BOTH).await;
    let answer = bulk(
        &app,
        &key,
        &json!(["ann@example.com", "bob", "eve@example.com", 7, null]),
    );
    let answer = answer.expect(400).await;
    assert_eq!(answer.fields(), ["emails[1]", "emails[3]", "emails[4]"]);
}

async fn one_to_five_hundred_addresses(app: TestApp) {
    let key = app.key("default", BOTH).await;
    let many =
        |count: usize| -> Value { (0..count).map(|at| format!("a{at}@example.com")).collect() };
    for (count, status) in [(0, 400), (1, 200), (500, 200), (501, 400)] {
        let answer = bulk(&app, &key, &many(count)).expect(status).await;
        if status == 400 {
            assert_eq!(answer.fields(), ["emails"]);
        } else {
            assert_eq!(answer.json["total_checked"], count);
            assert_eq!(answer.json["results"].as_array().unwrap().len(), count);
            assert_eq!(answer.json["unverified_count"], count);
        }
    }
    for body in [
        json!({}),
        json!({"emails": null}),
        json!({"emails": "ann@example.com"}),
    ] {
        let answer = app.post(BULK).key(&key).json(&body).expect(400).await;
        assert_eq!(answer.fields(), ["emails"]);
    }
}

async fn it_counts_as_one_request(app: TestApp) {
    let app = app.another(Settings::default().customers("2/1m")).await;
    let key = app.key("default", BOTH).await;
    let emails = json!(["ann@example.com", "bob@example.com", "eve@example.com"]);
    let answer = bulk(&app, &key, &emails).expect(200).await;
    assert!(answer.header("ratelimit").contains("r=1;"));
    let records = app.records_of(answer.request_id()).await;
    assert_eq!(records.len(), 1);
}

async fn bodies_may_be_larger_than_elsewhere(app: TestApp) {
    let key = app.key("default", BOTH).await;
    let padded = |size: usize| {
        let body = json!({"emails": ["ann@example.com"], "padding": ""}).to_string();
        body.replace("\"\"", &format!("\"{}\"", "x".repeat(size - body.len())))
    };
    for (size, status) in [(256 * 1024, 200), (256 * 1024 + 1, 413)] {
        let call = app
            .post(BULK)
            .key(&key)
            .body("application/json", padded(size));
        let answer = call.expect(status).await;
        if status == 413 {
            assert_eq!(answer.code(), "payload_too_large");
        }
    }
}
