//! Requests that cannot be read, and the envelope of every refusal.

use serde_json::json;

use super::{
    ALL, INITIATE, NUMBER, OTHER, Opened, STATUS, SUBMIT, initiate, open, rows, status, submission,
    submit, submit_as,
};
use crate::harness::{Answer, TestApp, flows};

flows!(
    missing_fields_are_reported_together,
    wrong_types_are_named,
    what_is_no_mobile_number_has_a_word_of_its_own,
    the_word_of_the_number_is_for_the_number_alone,
    requests_and_users_have_names_of_1_to_200_characters,
    unreadable_bodies_have_the_envelope,
    refusals_have_the_envelope,
    unknown_paths_and_methods_have_the_envelope,
    a_path_names_any_text,
    no_answer_to_a_submission_tells_the_number,
);

/// Fails unless the answer is a failure in the surface's shape.
fn assert_envelope(answer: &Answer, code: &str) {
    assert_eq!(answer.code(), code, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/json");
    let outer = answer.json.as_object().unwrap();
    assert_eq!(outer.len(), 1, "{}", answer.text());
    let mut names: Vec<_> = outer["error"].as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["code", "details", "message", "requestId"]);
    let error = &outer["error"];
    assert_eq!(error["requestId"], answer.request_id());
    assert!(error["message"].as_str().unwrap().len() > 10);
    assert!(error["details"].is_array());
}

async fn missing_fields_are_reported_together(app: TestApp) {
    let key = app.key("default", ALL).await;
    for (path, fields) in [
        (INITIATE, ["mobileNumber", "requestId"]),
        (SUBMIT, ["verificationId", "mobileNumber"]),
    ] {
        for nothing in [json!({}), json!({fields[0]: null, fields[1]: null})] {
            let answer = app.post(path).bearer(&key).json(&nothing).expect(400).await;
            assert_envelope(&answer, "invalid_request");
            assert_eq!(answer.fields(), fields);
        }
    }
    for blank in ["", " ", "\t\u{3000}"] {
        let answer = initiate(&app, &key, NUMBER, blank).expect(400).await;
        assert_envelope(&answer, "invalid_request");
        assert_eq!(answer.fields(), ["requestId"]);
    }
}

async fn wrong_types_are_named(app: TestApp) {
    let key = app.key("default", ALL).await;
    let session = open(&app, &key, "order-81").await;
    let opening = json!({"mobileNumber": NUMBER, "requestId": "order-82"});
    let naming = submission(&session, NUMBER);
    for wrong in [json!(1_415), json!(true), json!(["+1"]), json!({"a": "b"})] {
        for (path, body) in [(INITIATE, &opening), (SUBMIT, &naming)] {
            for field in body.as_object().unwrap().keys() {
                let mut body = body.clone();
                body[field] = wrong.clone();
                let answer = app.post(path).bearer(&key).json(&body).expect(400).await;
                assert_envelope(&answer, "invalid_request");
                assert_eq!(answer.fields(), [field], "{body}");
            }
        }
    }
    assert_eq!(rows(&app, "status").await, ["pending"]);
    assert_eq!(rows(&app, "mismatches").await, ["0"]);
}

/// Texts that are no mobile numbers: unreadable, impossible, national, of a fixed line or a service.
const NO_MOBILES: [&str; 20] = [
    "",
    " ",
    "+",
    "number",
    "4155550123",
    "0014155550123",
    "015123456789",
    "+1415555",
    "+1415555012345678",
    "+99912345678",
    "+1 415 555 CALL",
    "+14155550123 ext. 5",
    "tel:+14155550123",
    "+442079460018",
    "+493012345678",
    "+33123456789",
    "+18005550123",
    "+448081570000",
    "+80012345678",
    "+19005550123",
];

async fn what_is_no_mobile_number_has_a_word_of_its_own(app: TestApp) {
    let key = app.key_with("default", ALL, "submit=off", None).await;
    let session = open(&app, &key, "order-81").await;
    for number in NO_MOBILES.into_iter().chain([&*"+1".repeat(500)]) {
        for call in [
            initiate(&app, &key, number, "order-82"),
            submit_as(&app, &key, &session, number),
        ] {
            let answer = call.expect(400).await;
            assert_envelope(&answer, "invalid_number");
            assert_eq!(answer.fields(), ["mobileNumber"], "{number}");
            let digits: String = number.chars().filter(char::is_ascii_digit).collect();
            assert!(digits.len() < 4 || !answer.text().contains(&digits));
        }
    }
    assert_eq!(rows(&app, "mismatches").await, ["0"], "no attempt was used");
}

async fn the_word_of_the_number_is_for_the_number_alone(app: TestApp) {
    let key = app.key("default", ALL).await;
    let answer = initiate(&app, &key, "+442079460018", "").expect(400).await;
    assert_envelope(&answer, "invalid_request");
    assert_eq!(answer.fields(), ["mobileNumber", "requestId"]);
}

/// Texts of so many characters, in several scripts.
fn names(length: usize) -> [String; 4] {
    ["a", "ß", "漢", "\u{1f9d1}"].map(|sign| sign.repeat(length))
}

async fn requests_and_users_have_names_of_1_to_200_characters(app: TestApp) {
    let key = app.key("default", ALL).await;
    let odd = ["a/b", "Zoë & 漢字", "\"'<>\\", " x ", "a\u{0}b\n"].map(str::to_owned);
    for name in names(1).into_iter().chain(names(200)).chain(odd) {
        let answer = initiate(&app, &key, NUMBER, &name).expect(201).await;
        assert_eq!(answer.json["requestId"], name);
        let session = Opened::of(&answer);
        let mut named = submission(&session, NUMBER);
        named["appUserId"] = json!(name);
        app.post(SUBMIT).json(&named).expect(200).await;
        let found = status(&app, &key, &session.id).expect(200).await;
        assert_eq!(
            (&found.json["requestId"], &found.json["appUserId"]),
            (&json!(name), &json!(name))
        );
    }
    let session = open(&app, &key, "order-81").await;
    for name in names(201).into_iter().chain(names(1025)) {
        let answer = initiate(&app, &key, NUMBER, &name).expect(400).await;
        assert_eq!(answer.fields(), ["requestId"]);
        let mut named = submission(&session, NUMBER);
        named["appUserId"] = json!(name);
        let answer = app.post(SUBMIT).json(&named).expect(400).await;
        assert_eq!(answer.fields(), ["appUserId"]);
        assert_eq!(
            answer.json["error"]["details"][0]["message"],
            "must have 1 to 200 characters"
        );
    }
    assert_eq!(
        submit(&app, &session, NUMBER).expect(200).await.json["status"],
        "verified"
    );
}

async fn unreadable_bodies_have_the_envelope(app: TestApp) {
    let key = app.key("default", ALL).await;
    for path in [INITIATE, SUBMIT] {
        let call = || app.post(path).bearer(&key);
        let json = "application/json";
        for (call, status, code) in [
            (call(), 400, "invalid_request"),
            (call().body(json, "{"), 400, "invalid_request"),
            (call().body(json, "[]"), 400, "invalid_request"),
            (call().body(json, "null"), 400, "invalid_request"),
            (
                call().body(json, b"{\"a\":\"\xff\"}".to_vec()),
                400,
                "invalid_request",
            ),
            (
                call().body(json, r#"{"mobileNumber":"a","mobileNumber":"b"}"#),
                400,
                "invalid_request",
            ),
            (call().untyped("{}"), 415, "unsupported_media_type"),
            (
                call().body("text/plain", "{}"),
                415,
                "unsupported_media_type",
            ),
            (
                call().body(json, "{".repeat(65_537)),
                413,
                "payload_too_large",
            ),
        ] {
            let answer = call.expect(status).await;
            assert_envelope(&answer, code);
        }
    }
    // A token stands in the body, so a body that cannot be one is refused as such.
    let stranger = app.post(SUBMIT).body("text/plain", "{}").expect(415).await;
    assert_envelope(&stranger, "unsupported_media_type");
    let stranger = app.post(INITIATE).body("text/plain", "{").expect(401).await;
    assert_envelope(&stranger, "unauthenticated");
}

async fn refusals_have_the_envelope(app: TestApp) {
    let key = app.key_with("default", ALL, "initiate=2/1h", None).await;
    let reader = app.key("default", "numbers:read").await;
    let session = open(&app, &key, "order-81").await;
    for (call, status, code) in [
        (app.post(SUBMIT).json(&json!({})), 401, "unauthenticated"),
        (
            initiate(&app, "bf_bad", NUMBER, "x"),
            401,
            "unauthenticated",
        ),
        (initiate(&app, &reader, NUMBER, "x"), 403, "forbidden"),
        (status(&app, &key, "nv_unknown"), 404, "not_found"),
        (initiate(&app, &key, OTHER, "order-81"), 409, "conflict"),
        (initiate(&app, &key, NUMBER, "x"), 429, "rate_limited"),
    ] {
        assert_envelope(&call.expect(status).await, code);
    }
    submit(&app, &session, NUMBER).expect(200).await;
    let closed = submit(&app, &session, NUMBER).expect(409).await;
    assert_envelope(&closed, "session_closed");
    let second = open(&app, &app.key("default", ALL).await, "order-82").await;
    app.advance(std::time::Duration::from_secs(600));
    let expired = submit(&app, &second, NUMBER).expect(410).await;
    assert_envelope(&expired, "session_expired");
}

async fn unknown_paths_and_methods_have_the_envelope(app: TestApp) {
    for path in [
        "",
        "/",
        "/nowhere",
        "/initiate/",
        "/status",
        "/status/",
        "/status/a/b",
    ] {
        let answer = app
            .get(&format!("/api/v1/verification{path}"))
            .expect(404)
            .await;
        assert_envelope(&answer, "not_found");
    }
    for (method, path, allowed) in [
        ("GET", INITIATE.to_owned(), "POST"),
        ("PUT", SUBMIT.to_owned(), "POST"),
        ("POST", format!("{STATUS}/nv_1"), "GET"),
    ] {
        let answer = app.call(method, &path).expect(405).await;
        assert_envelope(&answer, "method_not_allowed");
        assert!(answer.header("allow").contains(allowed));
    }
}

async fn a_path_names_any_text(app: TestApp) {
    let key = app.key("default", ALL).await;
    let session = open(&app, &key, "order-81").await;
    let upper = session.id.to_uppercase();
    for id in [
        "nv_1",
        "..",
        "%2E%2E",
        "a%2Fb",
        "%20",
        "%00",
        "%F0%9F%A7%91",
        &upper,
    ] {
        let answer = status(&app, &key, id).expect(404).await;
        assert_envelope(&answer, "not_found");
    }
    let answer = status(&app, &key, "%FF").expect(400).await;
    assert_envelope(&answer, "invalid_request");
    let encoded = session.id.replace("nv_", "%6Ev%5F");
    let found = status(&app, &key, &encoded).expect(200).await;
    assert_eq!(found.json["verificationId"], session.id);
}

async fn no_answer_to_a_submission_tells_the_number(app: TestApp) {
    let key = app.key_with("default", ALL, "submit=off", None).await;
    let session = open(&app, &key, "order-81").await;
    let mut answers = Vec::new();
    for number in [
        "no number",
        OTHER,
        "+442079460018",
        OTHER,
        "+4915123456789",
        NUMBER,
    ] {
        answers.push(submit_as(&app, &key, &session, number).send().await);
    }
    let verified = open(&app, &key, "order-82").await;
    for number in [NUMBER, OTHER, NUMBER] {
        answers.push(submit(&app, &verified, number).send().await);
    }
    let mut dead = verified.clone();
    dead.token.push('x');
    answers.push(submit(&app, &dead, OTHER).send().await);
    let mut statuses: Vec<_> = answers
        .iter()
        .map(|answer| answer.status.as_u16())
        .collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 200, 200, 400, 400, 401, 409, 409, 409]);
    for answer in answers {
        let wire = answer.wire();
        // Nor the part that may be shown to the company: the holder of a link may be anybody.
        for part in [&NUMBER[1..], &NUMBER[8..], &OTHER[8..], "*"] {
            assert!(!wire.contains(part), "{wire}");
        }
    }
}
