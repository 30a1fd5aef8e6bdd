//! Who is let in.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::json;

use crate::customers::{BOTH, BULK, CHECK, UPDATE, check, standing};
use crate::harness::{Settings, TestApp, flows, key_id};

flows!(
    without_a_credential_the_answer_is_401,
    bad_credentials_are_all_alike,
    both_headers_are_taken,
    credentials_come_before_the_body,
    a_missing_scope_is_named,
    admin_may_do_everything,
    an_expired_key_is_refused,
    a_rotated_key_is_good_until_its_grace_ends,
    a_revoked_key_is_refused_at_once,
    a_new_key_is_good_everywhere_at_once,
    other_instances_learn_of_changes,
);

const PATHS: [&str; 3] = [CHECK, UPDATE, BULK];

async fn without_a_credential_the_answer_is_401(app: TestApp) {
    for path in PATHS {
        let answer = app.post(path).json(&json!({})).expect(401).await;
        assert_eq!(
            answer.header("www-authenticate"),
            "Bearer realm=\"bonafide\""
        );
        assert_eq!(answer.code(), "unauthenticated");
    }
    let answer = app.post(CHECK).json(&json!({})).expect(401).await;
    insta::assert_snapshot!("missing", answer.wire());
}

async fn bad_credentials_are_all_alike(app: TestApp) {
    let key = app.key("default", BOTH).await;
    let last = if key.ends_with('a') { "b" } else { "a" };
    let wrong_secret = format!("{}{last}", &key[..key.len() - 1]);
    let unknown = format!("bf_{}_{}", "0".repeat(12), key.split('_').nth(2).unwrap());
    let mut answers = Vec::new();
    for bad in [
        wrong_secret.as_str(),
        &unknown,
        "",
        "nonsense",
        "bf__",
        key_id(&key),
        &key.repeat(9),
    ] {
        let question = json!({"email": "ann@example.com"});
        let answer = check(&app, bad, &question).expect(401).await;
        assert!(
            answer
                .header("www-authenticate")
                .contains("error=\"invalid_token\"")
        );
        answers.push(answer.wire());
        let bearer = app
            .post(CHECK)
            .header("authorization", &format!("Bearer {bad}"));
        bearer.json(&question).expect(401).await;
    }
    answers.dedup();
    assert_eq!(
        answers.len(),
        1,
        "an answer tells one bad credential from another"
    );
    for scheme in ["Basic", "Bearer", "Digest x", &format!("Basic {key}")] {
        app.post(CHECK)
            .header("authorization", scheme)
            .expect(401)
            .await;
    }
}

async fn both_headers_are_taken(app: TestApp) {
    let key = app.key("default", BOTH).await;
    let question = json!({"email": "ann@example.com"});
    for (name, value) in [
        ("x-api-key", key.clone()),
        ("authorization", format!("Bearer {key}")),
        ("authorization", format!("bearer  {key} ")),
    ] {
        app.post(CHECK)
            .header(name, &value)
            .json(&question)
            .expect(200)
            .await;
    }
}

async fn credentials_come_before_the_body(app: TestApp) {
    let reader = app.key("default", "customers:read").await;
    for (key, status) in [("bf_wrong", 401), (&reader, 403)] {
        app.post(UPDATE)
            .key(key)
            .body("text/plain", "{")
            .expect(status)
            .await;
        app.post(UPDATE)
            .key(key)
            .untyped("{".repeat(70_000))
            .expect(status)
            .await;
    }
}

async fn a_missing_scope_is_named(app: TestApp) {
    let reader = app.key("default", "customers:read").await;
    let writer = app.key("default", "customers:write").await;
    let other = app
        .key(
            "default",
            "orders:read numbers:write ages:write statistics:read",
        )
        .await;
    let refused = [
        (&writer, CHECK, "customers:read"),
        (&reader, UPDATE, "customers:write"),
        (&writer, BULK, "customers:read"),
        (&other, CHECK, "customers:read"),
    ];
    for (key, path, scope) in refused {
        let answer = app.post(path).key(key).json(&json!({})).expect(403).await;
        assert_eq!(answer.code(), "forbidden");
        assert!(
            answer.json["error"]["message"]
                .as_str()
                .unwrap()
                .contains(scope)
        );
        assert!(
            answer
                .header("www-authenticate")
                .contains(&format!("scope=\"{scope}\""))
        );
    }
    let answer = app
        .post(UPDATE)
        .key(&reader)
        .json(&json!({}))
        .expect(403)
        .await;
    insta::assert_snapshot!("scope", answer.wire());
}

async fn admin_may_do_everything(app: TestApp) {
    let key = app.key("default", "admin").await;
    for path in PATHS {
        app.post(path).key(&key).json(&json!({})).expect(400).await;
    }
}

async fn an_expired_key_is_refused(app: TestApp) {
    let end = app.now() + SignedDuration::from_secs(60);
    let key = app.key_with("default", BOTH, "", Some(end)).await;
    let question = json!({"email": "ann@example.com"});
    app.advance(Duration::from_millis(59_999));
    check(&app, &key, &question).expect(200).await;
    app.advance(Duration::from_millis(1));
    check(&app, &key, &question).expect(401).await;
}

async fn a_rotated_key_is_good_until_its_grace_ends(app: TestApp) {
    let old = app.key_with("default", BOTH, "customers=7/1m", None).await;
    let new = app.rotate(&old, Duration::from_secs(3600)).await;
    assert_ne!(old, new);
    let question = json!({"email": "ann@example.com"});
    check(&app, &old, &question).expect(200).await;
    let answer = check(&app, &new, &question).expect(200).await;
    assert!(
        answer.header("ratelimit-policy").contains("q=7;"),
        "its limits go along"
    );
    app.advance(Duration::from_secs(3600));
    check(&app, &old, &question).expect(401).await;
    check(&app, &new, &question).expect(200).await;
    let at_once = app.rotate(&new, Duration::ZERO).await;
    check(&app, &new, &question).expect(401).await;
    check(&app, &at_once, &question).expect(200).await;
}

async fn a_revoked_key_is_refused_at_once(app: TestApp) {
    let (key, other) = (
        app.key("default", BOTH).await,
        app.key("default", BOTH).await,
    );
    app.revoke(&key).await;
    let question = json!({"email": "ann@example.com"});
    let answer = check(&app, &key, &question).expect(401).await;
    check(&app, &other, &question).expect(200).await;
    let record = &app.records_of(answer.request_id()).await[0].record;
    assert_eq!(record.detail.as_deref(), Some("revoked key"));
}

async fn a_new_key_is_good_everywhere_at_once(app: TestApp) {
    let other = app.another(Settings::default()).await;
    let question = json!({"email": "ann@example.com"});
    for _ in 0..3 {
        // Looking for a key that there is not must not hide the next from who made it.
        let made_up = format!("bf_{}_{}", "0".repeat(12), "a".repeat(52));
        let invented = app.key("default", BOTH).await;
        let (id, secret) = invented.rsplit_once('_').unwrap();
        let wrong_secret = format!("{id}_{}", secret.chars().rev().collect::<String>());
        for wrong in [&made_up, &wrong_secret] {
            check(&other, wrong, &question).expect(401).await;
        }
        let key = app.key("default", BOTH).await;
        standing(&other, &key, "ann@example.com").await;
        let key = app.key("default", BOTH).await;
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={key}",
            key_id(&key)
        );
        let asked = other.post("/api/v1/auth/token");
        asked
            .body("application/x-www-form-urlencoded", form)
            .expect(200)
            .await;
    }
}

async fn other_instances_learn_of_changes(app: TestApp) {
    let other = app.another(Settings::default()).await;
    let key = app.key("default", BOTH).await;
    let question = json!({"email": "ann@example.com"});
    standing(&other, &key, "ann@example.com").await;
    other.revoke(&key).await;
    app.chores().await;
    check(&app, &key, &question).expect(401).await;
}
