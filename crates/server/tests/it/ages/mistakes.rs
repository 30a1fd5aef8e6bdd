//! Requests that cannot be read: nothing is checked, no attempt counts.

use serde_json::{Value, json};

use super::{RESUBMIT, STATUS, VERIFY, adult, closed, pass, refuse, use_up, verify, wire};
use crate::harness::{TestApp, flows};

flows!(
    missing_fields_are_named_in_order,
    absent_null_empty_and_blank_are_missing,
    missing_fields_come_before_everything_else,
    wrong_types_are_named,
    no_mistake_counts_as_an_attempt,
    customers_have_names_of_1_to_200_characters,
    names_in_paths_are_percent_encoded,
    a_malformed_address_is_refused,
    unreadable_bodies_have_the_envelope,
    unknown_paths_and_methods_have_the_envelope,
);

const FIELDS: [&str; 5] = [
    "customerId",
    "fullName",
    "dateOfBirth",
    "idNumberLast4",
    "state",
];

async fn missing_fields_are_named_in_order(app: TestApp) {
    let key = app.key("default", "ages:write").await;
    let some = json!({"state": "", "idNumberLast4": "1234", "customerId": "c", "fullName": "Ada"});
    let answer = verify(&app, &key, &some).expect(400).await;
    assert_eq!(
        answer.json["error"],
        "Missing required fields: dateOfBirth, state"
    );
    assert_eq!(answer.json["missing"], json!(["dateOfBirth", "state"]));
    insta::assert_snapshot!("missing", wire(&answer));
    for path in [VERIFY, RESUBMIT] {
        let answer = app.post(path).key(&key).json(&json!({})).expect(400).await;
        assert_eq!(answer.json["missing"], json!(FIELDS));
        let error = format!("Missing required fields: {}", FIELDS.join(", "));
        assert_eq!(answer.json["error"], error);
    }
}

async fn absent_null_empty_and_blank_are_missing(app: TestApp) {
    let key = app.key("default", "ages:write").await;
    for field in FIELDS {
        for nothing in [
            None,
            Some(Value::Null),
            Some(json!("")),
            Some(json!(" \t\u{3000}")),
        ] {
            let mut claim = adult("customer-81");
            let claim_fields = claim.as_object_mut().unwrap();
            match nothing {
                None => claim_fields.remove(field),
                Some(value) => claim_fields.insert(field.into(), value),
            };
            let answer = verify(&app, &key, &claim).expect(400).await;
            assert_eq!(answer.json["missing"], json!([field]), "{claim}");
            assert_eq!(answer.code(), "invalid_request");
        }
    }
}

async fn missing_fields_come_before_everything_else(app: TestApp) {
    let key = app.key("default", "ages:write").await;
    let mut partial = adult("customer-81");
    partial["state"] = Value::Null;
    pass(&app, &key, "customer-81").await;
    verify(&app, &key, &partial).expect(400).await;
    use_up(&app, &key, "customer-82").await;
    partial["customerId"] = "customer-82".into();
    let answer = verify(&app, &key, &partial).expect(400).await;
    assert_eq!(answer.json["missing"], json!(["state"]));
}

async fn wrong_types_are_named(app: TestApp) {
    let key = app.key("default", "ages:write").await;
    for wrong in [json!(1234), json!(true), json!(["1234"]), json!({"a": "b"})] {
        for field in FIELDS.into_iter().chain(["email"]) {
            let mut claim = adult("customer-81");
            claim[field] = wrong.clone();
            let answer = verify(&app, &key, &claim).expect(400).await;
            assert_eq!(answer.fields(), [field], "{claim}");
            assert_eq!(answer.json["error"], "Invalid request");
            assert!(
                answer.json.get("missing").is_none(),
                "it is there, but wrong"
            );
        }
    }
    let mixed = json!({"customerId": 7, "fullName": "Ada Lovelace", "email": "ada"});
    let answer = verify(&app, &key, &mixed).expect(400).await;
    insta::assert_snapshot!("mixed", wire(&answer));
}

async fn no_mistake_counts_as_an_attempt(app: TestApp) {
    let key = app.key("default", "ages:write").await;
    let (mut partial, mut wrong) = (adult("customer-81"), adult("customer-81"));
    partial["fullName"] = json!("");
    wrong["email"] = json!("nobody");
    for _ in 0..5 {
        verify(&app, &key, &partial).expect(400).await;
        verify(&app, &key, &wrong).expect(400).await;
    }
    pass(&app, &key, "customer-81").await;
    let decided = app
        .database()
        .sql("SELECT COUNT(*) FROM age_decisions")
        .await;
    assert_eq!(decided, [["1"]]);
}

/// Texts of so many characters, in several scripts.
fn names(length: usize) -> [String; 4] {
    ["a", "ß", "漢", "\u{1f9d1}"].map(|sign| sign.repeat(length))
}

async fn customers_have_names_of_1_to_200_characters(app: TestApp) {
    let key = app.key("default", "ages:write ages:read").await;
    for name in names(1).into_iter().chain(names(200)) {
        pass(&app, &key, &name).await;
        let found = app.get(&format!("{STATUS}/{}", encoded(&name))).key(&key);
        found.expect(200).await;
    }
    for name in names(201).into_iter().chain(names(1025)) {
        let answer = verify(&app, &key, &adult(&name)).expect(400).await;
        assert_eq!(answer.fields(), ["customerId"]);
        let message = answer.json["details"][0]["message"].as_str().unwrap();
        assert_eq!(message, "must have 1 to 200 characters");
        let found = app.get(&format!("{STATUS}/{}", encoded(&name))).key(&key);
        assert_eq!(found.expect(400).await.fields(), ["customerId"]);
    }
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

async fn names_in_paths_are_percent_encoded(app: TestApp) {
    let key = app.key("default", "ages:write ages:read").await;
    for name in [
        "a/b",
        "../x",
        "a%2Fb",
        "?x=1#y",
        "a b+c",
        "Zoë & 漢字",
        "verify",
        "\"'<>\\",
        ".",
    ] {
        let passed = pass(&app, &key, name).await;
        let found = app.get(&format!("{STATUS}/{}", encoded(name))).key(&key);
        let found = found.expect(200).await.json;
        assert_eq!(
            found["verificationId"], passed.json["verificationId"],
            "{name}"
        );
    }
    let unknown = app.get(&format!("{STATUS}/{}", encoded("né/à"))).key(&key);
    assert_eq!(unknown.expect(404).await.json["customerId"], "né/à");
    let blank = app
        .get(&format!("{STATUS}/%20"))
        .key(&key)
        .expect(400)
        .await;
    assert_eq!(blank.fields(), ["customerId"]);
    let no_utf8 = app
        .get(&format!("{STATUS}/%FF"))
        .key(&key)
        .expect(400)
        .await;
    assert_eq!(no_utf8.code(), "invalid_request");
    for path in ["", "/", "/a/b"] {
        let answer = app
            .get(&format!("{STATUS}{path}"))
            .key(&key)
            .expect(404)
            .await;
        assert_eq!(answer.code(), "not_found");
        assert!(
            answer.json.get("verified").is_none(),
            "no such path, rather than no verification"
        );
    }
}

async fn a_malformed_address_is_refused(app: TestApp) {
    let key = app.key("default", "ages:write").await;
    let long = format!("{}@example.com", "a".repeat(250));
    for email in ["ada", "ada@", "@example.com", "a b@example.com", &long] {
        let mut claim = adult("customer-81");
        claim["email"] = email.into();
        let answer = verify(&app, &key, &claim).expect(400).await;
        assert_eq!(answer.fields(), ["email"], "{email}");
        assert!(answer.json.get("missing").is_none(), "it is not required");
    }
    refuse(&app, &key, "customer-81").await;
    for (number, nothing) in [Value::Null, json!(""), json!(" ")].into_iter().enumerate() {
        let mut claim = adult(&format!("customer-{number}"));
        claim["email"] = nothing;
        verify(&app, &key, &claim).expect(200).await;
    }
    let customers = "SELECT COUNT(*) FROM customer_verification";
    assert_eq!(app.database().sql(customers).await, [["0"]]);
}

async fn unreadable_bodies_have_the_envelope(app: TestApp) {
    let key = app.key("default", "ages:write").await;
    use_up(&app, &key, "customer-81").await;
    closed(&app, &key, &adult("customer-81")).await;
    let call = || app.post(VERIFY).key(&key);
    for (call, status, code) in [
        (call().body("application/json", "{"), 400, "invalid_request"),
        (
            call().body("application/json", "[]"),
            400,
            "invalid_request",
        ),
        (call(), 400, "invalid_request"),
        (call().untyped("{}"), 415, "unsupported_media_type"),
        (
            call().body("text/plain", "{}"),
            415,
            "unsupported_media_type",
        ),
        (
            call().body("application/json", "{".repeat(65_537)),
            413,
            "payload_too_large",
        ),
    ] {
        let answer = call.expect(status).await;
        assert_eq!(answer.code(), code);
        assert_eq!(answer.json["success"], false);
        assert_eq!(answer.json["requestId"], answer.request_id());
        assert!(answer.json["error"].is_string() && answer.json["message"].is_string());
    }
}

async fn unknown_paths_and_methods_have_the_envelope(app: TestApp) {
    let answer = app.get("/api/age-verification/nowhere").expect(404).await;
    insta::assert_snapshot!("unknown_path", wire(&answer));
    let answer = app.get(VERIFY).expect(405).await;
    insta::assert_snapshot!("wrong_method", wire(&answer));
}
