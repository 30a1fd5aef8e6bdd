//! `POST /api/v1/auth/token`: keys in, short-lived tokens out.

use std::time::Duration;

use app::companies::CompanyChange;
use data_encoding::BASE64;
use http::StatusCode;

use super::{ask, expect, refusal};
use crate::harness::{Answer, Call, TestApp, flows, key_id};

flows!(
    a_key_is_exchanged_by_form_or_by_basic,
    a_token_may_do_less_than_its_key_but_not_more,
    refusals_have_the_shape_of_the_standard,
    clients_that_are_not_accepted,
    malformed_forms,
    a_token_dies_with_its_key,
    a_token_ends_after_a_quarter_of_an_hour,
    a_token_ends_before_its_key,
    a_token_counts_against_its_key,
    each_exchange_is_recorded,
);

const PATH: &str = "/api/v1/auth/token";
const FORM: &str = "application/x-www-form-urlencoded";
const GRANT: &str = "grant_type=client_credentials";

fn post(app: &TestApp, form: &str) -> Call {
    app.post(PATH).body(FORM, form.to_owned())
}

fn by_form(app: &TestApp, key: &str, more: &str) -> Call {
    let id = key_id(key);
    post(
        app,
        &format!("{GRANT}&client_id={id}&client_secret={key}{more}"),
    )
}

fn basic(id: &str, secret: &str) -> String {
    format!(
        "Basic {}",
        BASE64.encode(format!("{id}:{secret}").as_bytes())
    )
}

fn by_basic(app: &TestApp, key: &str, form: &str) -> Call {
    post(app, form).header("authorization", &basic(key_id(key), key))
}

async fn exchange(app: &TestApp, key: &str) -> String {
    token_of(&by_form(app, key, "").expect(200).await)
}

fn token_of(answer: &Answer) -> String {
    answer.json["access_token"].as_str().unwrap().to_owned()
}

/// Checks that an answer is a refusal as in RFC 6749 §5.2.
fn assert_refused(answer: &Answer, status: u16, error: &str) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text());
    assert_eq!(answer.json["error"], error, "{}", answer.text());
    let members = answer.json.as_object().unwrap();
    assert_eq!(members.len(), 2);
    let description = answer.json["error_description"].as_str().unwrap();
    let allowed = |sign: char| (' '..='~').contains(&sign) && sign != '"' && sign != '\\';
    assert!(!description.is_empty() && description.chars().all(allowed));
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("pragma"), "no-cache");
    let challenged = answer.headers.contains_key("www-authenticate");
    assert_eq!(challenged, answer.status == StatusCode::UNAUTHORIZED);
}

async fn a_key_is_exchanged_by_form_or_by_basic(app: TestApp) {
    let key = app.key("default", "customers:write customers:read").await;
    let id = key_id(&key);
    for call in [
        by_form(&app, &key, ""),
        by_form(&app, &key, "&scope=&unknown=1"),
        by_basic(&app, &key, GRANT),
        by_basic(&app, &key, &format!("{GRANT}&client_id={id}")),
        by_basic(&app, &key, &format!("{GRANT}&client_secret=")),
        // Form-encoded before they were joined: `_` may be written as `%5F`.
        post(&app, GRANT).header("authorization", &basic(id, &key.replace('_', "%5F"))),
        post(&app, GRANT).header("authorization", &basic(id, &key).replace("Basic", "bASIC")),
        app.post(PATH).body(
            "Application/X-WWW-Form-Urlencoded; charset=UTF-8",
            format!(
                "client_secret={key}&scope=customers%3Aread+customers:write&client_id={id}&{GRANT}"
            ),
        ),
    ] {
        let answer = call.expect(200).await;
        assert_eq!(answer.json["token_type"], "Bearer");
        assert_eq!(answer.json["expires_in"], 900);
        assert_eq!(answer.json["scope"], "customers:read customers:write");
        assert_eq!(answer.json.as_object().unwrap().len(), 4);
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("pragma"), "no-cache");
        expect(&app, &token_of(&answer), 200).await;
    }
}

async fn a_token_may_do_less_than_its_key_but_not_more(app: TestApp) {
    let key = app.key("default", "customers:read orders:read").await;
    let less = by_form(&app, &key, "&scope=orders:read").expect(200).await;
    assert_eq!(less.json["scope"], "orders:read");
    expect(&app, &token_of(&less), 403).await;
    for scope in [
        "customers:write",
        "orders:read+customers:write",
        "admin",
        "customers",
        "orders:read,admin",
    ] {
        let answer = by_form(&app, &key, &format!("&scope={scope}")).send().await;
        assert_refused(&answer, 400, "invalid_scope");
    }
    let admin = app.key("default", "admin").await;
    let all = by_form(&app, &admin, "").expect(200).await;
    assert_eq!(all.json["scope"], "admin");
    expect(&app, &token_of(&all), 200).await;
    let reader = by_form(&app, &admin, "&scope=customers:read")
        .expect(200)
        .await;
    assert_eq!(reader.json["scope"], "customers:read");
    expect(&app, &token_of(&reader), 200).await;
    let writer = by_form(&app, &admin, "&scope=customers:write")
        .expect(200)
        .await;
    expect(&app, &token_of(&writer), 403).await;
}

async fn refusals_have_the_shape_of_the_standard(app: TestApp) {
    let key = app.key("default", "customers:read").await;
    let (id, as_basic) = (key_id(&key), |form: &str| by_basic(&app, &key, form));
    let client = format!("client_id={id}&client_secret={key}");
    let cases = [
        (post(&app, &client), "invalid_request"),
        (
            post(&app, &format!("{client}&grant_type=")),
            "invalid_request",
        ),
        (as_basic(""), "invalid_request"),
        (
            post(&app, &format!("{client}&grant_type=password")),
            "unsupported_grant_type",
        ),
        (
            as_basic("grant_type=Client_Credentials"),
            "unsupported_grant_type",
        ),
        (as_basic(&format!("{GRANT}&{client}")), "invalid_request"),
        (
            as_basic(&format!("{GRANT}&client_id=abcdefghij23")),
            "invalid_request",
        ),
        (as_basic(&format!("{GRANT}&{GRANT}")), "invalid_request"),
        (
            as_basic(&format!("{GRANT}&scope=customers:read&scope=")),
            "invalid_request",
        ),
    ];
    for (call, error) in cases {
        assert_refused(&call.send().await, 400, error);
    }
    assert_refused(&app.get(PATH).send().await, 405, "invalid_request");
    let large = format!("{GRANT}&{client}&padding={}", "a".repeat(64 * 1024));
    assert_refused(&post(&app, &large).send().await, 413, "invalid_request");
    let json = app.post(PATH).body("application/json", "{}");
    assert_refused(&json.send().await, 415, "invalid_request");
    let untyped = app.post(PATH).untyped(format!("{GRANT}&{client}"));
    assert_refused(&untyped.send().await, 415, "invalid_request");
    assert_refused(&app.post(PATH).send().await, 415, "invalid_request");
}

async fn clients_that_are_not_accepted(app: TestApp) {
    let key = app.key("default", "customers:read").await;
    let other = app.key("default", "customers:read").await;
    let id = key_id(&key);
    let token = exchange(&app, &key).await;
    let mut wrong = key.clone();
    let last = if wrong.pop() == Some('0') { '1' } else { '0' };
    wrong.push(last);
    let headed = |value: &str| post(&app, GRANT).header("authorization", value);
    let cases = [
        (post(&app, GRANT), "no credential"),
        (
            post(&app, &format!("{GRANT}&client_id={id}")),
            "no credential",
        ),
        (
            post(&app, &format!("{GRANT}&client_secret={key}")),
            "no credential",
        ),
        (post(&app, GRANT).key(&key), "no credential"),
        (by_form(&app, &wrong, ""), "unknown key"),
        (by_basic(&app, &wrong, GRANT), "unknown key"),
        (headed(&basic(key_id(&other), &key)), "unknown key"),
        (headed(&basic("", "")), "unknown key"),
        (headed(&basic(id, &token)), "unknown key"),
        (headed("Basic"), "malformed credential"),
        (headed("Basic ???"), "malformed credential"),
        (
            headed(&format!("Basic {}", BASE64.encode(b"no colon"))),
            "malformed credential",
        ),
        (
            headed(&format!("Basic {}", BASE64.encode(b"\xff:\xff"))),
            "malformed credential",
        ),
        (headed(&format!("Bearer {key}")), "malformed credential"),
        (headed(&format!("Bearer {token}")), "malformed credential"),
        (
            by_basic(&app, &key, GRANT).header("authorization", "Basic x"),
            "malformed credential",
        ),
    ];
    for (call, reason) in cases {
        let answer = call.send().await;
        assert_refused(&answer, 401, "invalid_client");
        assert_eq!(
            answer.header("www-authenticate"),
            "Basic realm=\"bonafide\""
        );
        assert!(!answer.text().contains(&key[4..]));
        let records = app.records_of(answer.request_id()).await;
        assert_eq!(records.len(), 1);
        assert_eq!(records[0].record.detail.as_deref(), Some(reason));
        assert_eq!(records[0].record.action, "token.issue");
    }
    // A bad header is refused before the body is looked at.
    let json = app
        .post(PATH)
        .header("authorization", "Basic x")
        .body("application/json", "{");
    assert_refused(&json.send().await, 401, "invalid_client");
}

async fn malformed_forms(app: TestApp) {
    let key = app.key("default", "customers:read").await;
    for form in [
        b"grant_type=%zz".as_slice(),
        b"grant_type=%+f",
        b"grant_type=client_credentials&x=%4",
        b"grant_type=client_credentials&x=%ff",
        b"grant_type=client_credentials&\xff=1",
        b"\x00\x80",
    ] {
        let call = app
            .post(PATH)
            .header("authorization", &basic(key_id(&key), &key));
        let answer = call.body(FORM, form.to_vec()).send().await;
        assert_refused(&answer, 400, "invalid_request");
    }
}

async fn a_token_dies_with_its_key(app: TestApp) {
    let key = app.key("default", "customers:read").await;
    let token = exchange(&app, &key).await;
    expect(&app, &token, 200).await;
    app.revoke(&key).await;
    assert_eq!(refusal(&app, &token).await, "revoked key");
    assert_refused(&by_form(&app, &key, "").send().await, 401, "invalid_client");

    let key = app.key("default", "customers:read").await;
    let token = exchange(&app, &key).await;
    app.rotate(&key, Duration::from_secs(60)).await;
    expect(&app, &token, 200).await;
    app.advance(Duration::from_secs(60));
    assert_eq!(refusal(&app, &token).await, "expired key");

    app.company("acme").await;
    let key = app.key("acme", "customers:read").await;
    let token = exchange(&app, &key).await;
    expect(&app, &token, 200).await;
    let off = CompanyChange {
        is_active: Some(false),
        ..CompanyChange::default()
    };
    app.change_company("acme", off).await;
    assert_eq!(refusal(&app, &token).await, "inactive company");
}

async fn a_token_ends_after_a_quarter_of_an_hour(app: TestApp) {
    let key = app.key("default", "customers:read").await;
    let token = exchange(&app, &key).await;
    app.advance(Duration::from_secs(15 * 60 + 59));
    expect(&app, &token, 200).await;
    app.advance(Duration::from_secs(1));
    assert_eq!(refusal(&app, &token).await, "expired token");
    expect(&app, &key, 200).await;
}

async fn a_token_ends_before_its_key(app: TestApp) {
    let end = app.now() + Duration::from_millis(300_500);
    let key = app
        .key_with("default", "customers:read", "", Some(end))
        .await;
    let answer = by_form(&app, &key, "").expect(200).await;
    assert_eq!(answer.json["expires_in"], 300);
    app.advance(Duration::from_millis(300_499));
    expect(&app, &token_of(&answer), 200).await;
    // The leeway is for clocks, not for keys.
    app.advance(Duration::from_millis(1));
    assert_eq!(refusal(&app, &token_of(&answer)).await, "expired key");
}

async fn a_token_counts_against_its_key(app: TestApp) {
    let key = app
        .key_with("default", "customers:read", "customers=2/1h", None)
        .await;
    let token = exchange(&app, &key).await;
    expect(&app, &token, 200).await;
    expect(&app, &key, 200).await;
    let refused = ask(&app, &token).await;
    assert_eq!(refused.status, 429);
    assert_eq!(ask(&app, &exchange(&app, &key).await).await.status, 429);
}

async fn each_exchange_is_recorded(app: TestApp) {
    let key = app.key("default", "customers:read").await;
    let answer = by_basic(&app, &key, GRANT).expect(200).await;
    let records = app.records_of(answer.request_id()).await;
    assert_eq!(records.len(), 1);
    let record = &records[0].record;
    assert_eq!(record.action, "token.issue");
    assert_eq!(*record.credential, *format!("key:{}", key_id(&key)));
    assert_eq!(&*record.company, "default");
    assert_eq!(record.outcome.status, 200);
    assert_eq!(
        record.detail.as_deref(),
        Some("scopes=customers:read expires_at=2025-01-01T00:15:00Z")
    );
    let used = expect(&app, &token_of(&answer), 200).await;
    let records = app.records_of(used.request_id()).await;
    let credential = &records[0].record.credential;
    assert!(
        credential.starts_with("token:") && credential.ends_with(&format!(" key:{}", key_id(&key)))
    );
}
