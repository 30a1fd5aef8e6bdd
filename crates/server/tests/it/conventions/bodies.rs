//! What bodies are taken, and how the others are refused.

use serde_json::{Value, json};

use crate::customers::{BOTH, CHECK, UPDATE};
use crate::harness::{TestApp, flows};

flows!(
    json_must_be_declared,
    a_body_has_to_be_json,
    a_body_has_to_be_an_object_with_each_field_once,
    an_object_within_is_no_list_either,
    a_body_may_be_64_kib_large,
    no_message_repeats_what_was_sent,
);

const QUESTION: &str = r#"{"email":"ann@example.com"}"#;

async fn json_must_be_declared(app: TestApp) {
    let key = app.key("default", BOTH).await;
    for (declared, status) in [
        ("application/json", 200),
        ("Application/JSON ; charset=UTF-8", 200),
        ("application/json;charset=\"utf-8\"", 200),
        ("application/json; charset=latin1", 415),
        ("application/x-www-form-urlencoded", 415),
        ("text/json", 415),
        ("application/jsonp", 415),
        ("", 415),
    ] {
        let call = app.post(CHECK).key(&key).body(declared, QUESTION);
        let answer = call.send().await;
        assert_eq!(answer.status, status, "{declared}");
        if status == 415 {
            assert_eq!(answer.code(), "unsupported_media_type");
        }
    }
    let undeclared = app
        .post(CHECK)
        .key(&key)
        .untyped(QUESTION)
        .expect(415)
        .await;
    insta::assert_snapshot!("undeclared", undeclared.wire());
    // Without a body there is nothing to declare; it is the fields that are missing.
    let empty = app.post(CHECK).key(&key).expect(400).await;
    assert_eq!(empty.code(), "invalid_request");
}

async fn a_body_has_to_be_json(app: TestApp) {
    let key = app.key("default", BOTH).await;
    for bad in [
        &b""[..],
        b"{",
        b"{\"email\":\"ann@example.com\"} x",
        b"{'email':'ann@example.com'}",
        b"{\"email\":\"\xff\"}",
        b"{\"email\":\"\\ud800\"}",
        b"nonsense",
        &b"[".repeat(60_000),
    ] {
        let call = app
            .post(CHECK)
            .key(&key)
            .body("application/json", bad.to_vec());
        let answer = call.expect(400).await;
        assert_eq!(answer.code(), "invalid_request");
        assert_eq!(answer.fields().len(), 1, "{}", answer.text());
    }
    let call = app
        .post(CHECK)
        .key(&key)
        .body("application/json", "{\n  \"email\": ann\n}");
    insta::assert_snapshot!("malformed", call.expect(400).await.wire());
}

async fn a_body_has_to_be_an_object_with_each_field_once(app: TestApp) {
    let key = app.key("default", BOTH).await;
    for bad in [
        "[]",
        r#"["ann@example.com"]"#,
        "null",
        "7",
        "\"email\"",
        r#"{"email":"a@b.example","email":"c@d.example"}"#,
    ] {
        let call = app.post(CHECK).key(&key).body("application/json", bad);
        let answer = call.send().await;
        assert_eq!(answer.status, 400, "{bad}");
        assert_eq!(answer.fields(), ["body"], "{bad}");
    }
}

async fn an_object_within_is_no_list_either(app: TestApp) {
    let key = app.key("default", BOTH).await;
    for bad in [json!(["192.0.2.1"]), json!("none"), json!(7)] {
        let change = json!({"email": "ann@example.com", "verification_type": "veriff",
            "status": true, "metadata": bad});
        let answer = app.post(UPDATE).key(&key).json(&change).expect(400).await;
        assert_eq!(answer.fields(), ["metadata"]);
    }
}

async fn a_body_may_be_64_kib_large(app: TestApp) {
    let key = app.key("default", BOTH).await;
    for (size, status) in [(65_536, 200), (65_537, 413), (1_000_000, 413)] {
        let padding = " ".repeat(size - QUESTION.len());
        let call = app.post(CHECK).key(&key);
        let answer = call
            .body("application/json", format!("{QUESTION}{padding}"))
            .send()
            .await;
        assert_eq!(answer.status, status, "{size}");
        if status == 413 {
            assert_eq!(answer.code(), "payload_too_large");
        }
    }
}

async fn no_message_repeats_what_was_sent(app: TestApp) {
    let key = app.key("default", BOTH).await;
    let marker = "marker-4711";
    let fields = ["email", "phone", "verification_type", "status", "metadata"];
    let mut bodies: Vec<String> = fields
        .iter()
        .map(|field| json!({*field: marker}).to_string())
        .collect();
    for field in ["ip_address", "occurred_at"] {
        bodies.push(json!({"metadata": {field: marker}}).to_string());
    }
    bodies.push(format!("{{\"{marker}"));
    bodies.push(format!("{{\"email\": {marker}}}"));
    bodies.push(Value::from(marker).to_string());
    for body in bodies {
        let call = app.post(UPDATE).key(&key).body("application/json", body);
        let answer = call.expect(400).await;
        assert!(!answer.text().contains(marker), "{}", answer.text());
    }
}
