//! Who may open, submit and look up.

use app::companies::CompanyChange;
use serde_json::{Value, json};

use super::{
    ALL, INITIATE, NUMBER, OTHER, Opened, STATUS, SUBMIT, initiate, open, status, submission,
    submit, submit_as,
};
use crate::harness::{Answer, Call, JWT_SECRET, TestApp, flows};
use crate::tokens::signing::hs256;

flows!(
    a_credential_is_taken_in_each_of_three_ways,
    each_path_needs_its_scope,
    a_token_without_scopes_is_for_ages_only,
    without_token_and_credential_the_answer_is_401,
    wrong_tokens_and_unknown_sessions_are_all_alike,
    a_stranger_is_not_told_what_else_is_wrong,
    a_credential_finds_only_sessions_of_its_company,
    a_credential_needs_no_token,
    a_bad_credential_is_refused_beside_a_good_token,
    an_inactive_company_has_neither_credentials_nor_links,
);

const SECOND_COMPANY: &str = "acme";

fn token(app: &TestApp, more: &Value) -> String {
    let mut claims = json!({"sub": "shop", "exp": app.now().as_second() + 600});
    let more = more.as_object().unwrap().clone();
    claims.as_object_mut().unwrap().extend(more);
    hs256(JWT_SECRET, &claims)
}

/// One request to each path, and the scope it needs.
fn calls(app: &TestApp, session: &Opened) -> [(Call, u16, &'static str); 3] {
    let mut named = submission(session, OTHER);
    named["token"] = Value::Null;
    let opening = json!({"mobileNumber": NUMBER, "requestId": app.nonce()});
    [
        (app.post(INITIATE).json(&opening), 201, "numbers:write"),
        (app.post(SUBMIT).json(&named), 200, "numbers:write"),
        (
            app.get(&format!("{STATUS}/{}", session.id)),
            200,
            "numbers:read",
        ),
    ]
}

async fn a_credential_is_taken_in_each_of_three_ways(app: TestApp) {
    let key = app.key("default", ALL).await;
    let session = open(&app, &key, "order-81").await;
    let jwt = token(&app, &json!({"scope": ALL}));
    for (name, value) in [
        ("x-api-key", key.clone()),
        ("authorization", format!("Bearer {key}")),
        ("authorization", format!("Bearer {jwt}")),
    ] {
        for (call, status, _) in calls(&app, &session) {
            call.header(name, &value).expect(status).await;
        }
    }
}

async fn each_path_needs_its_scope(app: TestApp) {
    let opener = app.key("default", "numbers:write").await;
    for allowed in ["numbers:write", "numbers:read", "customers:write"] {
        let session = open(&app, &opener, allowed).await;
        let credentials = [
            app.key("default", allowed).await,
            token(&app, &json!({"scope": allowed})),
        ];
        for bearer in credentials {
            for (call, status, needed) in calls(&app, &session) {
                let call = call.bearer(&bearer);
                if needed == allowed {
                    call.expect(status).await;
                    continue;
                }
                let answer = call.expect(403).await;
                assert_eq!(answer.code(), "forbidden");
                assert!(answer.text().contains(&format!("the scope {needed}.")));
                let challenge = answer.header("www-authenticate");
                assert!(challenge.contains(&format!("scope=\"{needed}\"")));
            }
        }
    }
}

async fn a_token_without_scopes_is_for_ages_only(app: TestApp) {
    let session = open(&app, &app.key("default", ALL).await, "order-81").await;
    for claims in [json!({}), json!({"scope": ""}), json!({"role": "guest"})] {
        let bearer = token(&app, &claims);
        for (call, ..) in calls(&app, &session) {
            call.bearer(&bearer).expect(403).await;
        }
    }
    let admin = token(&app, &json!({"role": "admin"}));
    for (call, expected, _) in calls(&app, &session) {
        call.bearer(&admin).expect(expected).await;
    }
}

async fn without_token_and_credential_the_answer_is_401(app: TestApp) {
    let session = open(&app, &app.key("default", ALL).await, "order-81").await;
    let mut empty = submission(&session, NUMBER);
    let mut number = empty.clone();
    empty["token"] = json!("");
    number["token"] = json!(7);
    for call in [
        app.post(SUBMIT),
        app.post(SUBMIT).json(&json!({})),
        app.post(SUBMIT).json(&json!([session.token])),
        app.post(SUBMIT).json(&empty),
        app.post(SUBMIT).json(&number),
        app.post(SUBMIT).body("application/json", "{\"token\":"),
        app.post(INITIATE).json(&json!({})),
        app.get(&format!("{STATUS}/{}", session.id)),
    ] {
        let answer = call.expect(401).await;
        assert_eq!(answer.code(), "unauthenticated");
        let challenge = answer.header("www-authenticate");
        assert_eq!(challenge, "Bearer realm=\"bonafide\"");
        assert!(answer.fields().is_empty(), "{}", answer.text());
        assert!(!answer.headers.contains_key("ratelimit"));
    }
    submit(&app, &session, NUMBER).expect(200).await;
}

/// Everything of an answer that a caller can tell it by.
fn seen(answer: &Answer) -> (u16, String) {
    let wire = answer.wire();
    assert!(wire.contains("<request id>"));
    (answer.status.as_u16(), wire)
}

async fn wrong_tokens_and_unknown_sessions_are_all_alike(app: TestApp) {
    let key = app.key("default", ALL).await;
    let other = open(&app, &key, "other").await;
    let mut dead = open(&app, &key, "dead").await;
    Opened::of(&initiate(&app, &key, NUMBER, "dead").expect(200).await);
    let (mut wrong, mut long) = (
        open(&app, &key, "wrong").await,
        open(&app, &key, "long").await,
    );
    wrong.token = wrong.token.chars().rev().collect();
    long.token = long.token.repeat(99);
    let mut foreign = open(&app, &key, "foreign").await;
    foreign.token.clone_from(&other.token);
    let mut unknown = other.clone();
    unknown.id.replace_range(20..24, "vvvv");
    let mut answers = Vec::new();
    for session in [&wrong, &dead, &long, &foreign, &unknown] {
        let answer = submit(&app, session, NUMBER).expect(401).await;
        assert_eq!(
            answer.header("www-authenticate"),
            "Bearer realm=\"bonafide\", error=\"invalid_token\""
        );
        answers.push(seen(&answer));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:#?}");
    // An id that cannot be one counts nowhere; the answer is the same.
    let body = &answers[0].1.split_once("\n\n").unwrap().1;
    for id in ["", " ", "nv_", "order-81", &"x".repeat(201)] {
        unknown.id = id.to_owned();
        let answer = submit(&app, &unknown, NUMBER).expect(401).await;
        assert_eq!(&seen(&answer).1.split_once("\n\n").unwrap().1, body);
    }
    // None of that was an attempt.
    let rows = app
        .database()
        .sql("SELECT DISTINCT mismatches, status FROM verification_sessions")
        .await;
    assert_eq!(rows, [["0", "pending"]]);
    dead.token = Opened::of(&initiate(&app, &key, NUMBER, "dead").expect(200).await).token;
    submit(&app, &dead, NUMBER).expect(200).await;
}

async fn a_stranger_is_not_told_what_else_is_wrong(app: TestApp) {
    let key = app.key("default", ALL).await;
    let session = open(&app, &key, "order-81").await;
    let mut wrong = submission(&session, "no number");
    wrong["appUserId"] = json!(7);
    wrong["token"] = json!("nobody's");
    let answer = app.post(SUBMIT).json(&wrong).expect(401).await;
    assert!(answer.fields().is_empty());
    wrong["token"] = json!(session.token);
    let answer = app.post(SUBMIT).json(&wrong).expect(400).await;
    assert_eq!(answer.fields(), ["mobileNumber", "appUserId"]);
}

async fn a_credential_finds_only_sessions_of_its_company(app: TestApp) {
    app.company(SECOND_COMPANY).await;
    let theirs = app.key(SECOND_COMPANY, ALL).await;
    let ours = app.key("default", ALL).await;
    let session = open(&app, &ours, "order-81").await;
    let unknown = session.id.replace("nv_0", "nv_1");
    let mut answers = Vec::new();
    for id in [session.id.as_str(), &unknown] {
        let named = Opened {
            id: id.to_owned(),
            ..session.clone()
        };
        for answer in [
            submit_as(&app, &theirs, &named, NUMBER).expect(404).await,
            status(&app, &theirs, id).expect(404).await,
        ] {
            assert_eq!(answer.code(), "not_found");
            answers.push(answer.json["error"]["message"].clone());
        }
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    // Not even beside the right token: who presents a credential acts for its company.
    let both = app.post(SUBMIT).bearer(&theirs);
    both.json(&submission(&session, NUMBER)).expect(404).await;
    let left = status(&app, &ours, &session.id).expect(200).await;
    assert_eq!(left.json["status"], "pending");
}

async fn a_credential_needs_no_token(app: TestApp) {
    let key = app.key("default", ALL).await;
    let session = open(&app, &key, "order-81").await;
    let answer = submit_as(&app, &key, &session, OTHER).expect(200).await;
    assert_eq!(answer.json["attemptsLeft"], 2);
    let mut wrong = submission(&session, NUMBER);
    wrong["token"] = json!("nobody's");
    let answer = app.post(SUBMIT).bearer(&key).json(&wrong).expect(200).await;
    assert_eq!(answer.json["status"], "verified");
}

async fn a_bad_credential_is_refused_beside_a_good_token(app: TestApp) {
    let session = open(&app, &app.key("default", ALL).await, "order-81").await;
    let reader = app.key("default", "numbers:read").await;
    let good = submission(&session, NUMBER);
    for (name, value, expected) in [
        ("x-api-key", "bf_bad".to_owned(), 401),
        ("authorization", "Bearer x.y.z".to_owned(), 401),
        ("authorization", "Basic YTpi".to_owned(), 401),
        ("x-api-key", reader, 403),
    ] {
        let call = app.post(SUBMIT).header(name, &value).json(&good);
        call.expect(expected).await;
    }
    app.post(SUBMIT).json(&good).expect(200).await;
}

async fn an_inactive_company_has_neither_credentials_nor_links(app: TestApp) {
    app.company(SECOND_COMPANY).await;
    let key = app.key(SECOND_COMPANY, ALL).await;
    let session = open(&app, &key, "order-81").await;
    let mut unknown = session.clone();
    unknown.id.replace_range(20..24, "vvvv");
    let active = |is_active| CompanyChange {
        is_active: Some(is_active),
        ..CompanyChange::default()
    };
    app.change_company(SECOND_COMPANY, active(false)).await;
    for call in [
        initiate(&app, &key, NUMBER, "order-82"),
        status(&app, &key, &session.id),
        submit_as(&app, &key, &session, NUMBER),
    ] {
        call.expect(401).await;
    }
    let followed = submit(&app, &session, NUMBER).expect(401).await;
    let stranger = submit(&app, &unknown, NUMBER).expect(401).await;
    assert_eq!(
        followed.json["error"]["message"],
        stranger.json["error"]["message"]
    );
    app.change_company(SECOND_COMPANY, active(true)).await;
    submit(&app, &session, NUMBER).expect(200).await;
}
