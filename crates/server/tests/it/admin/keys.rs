//! Keys: made, listed, shown, changed, rotated, revoked.

use serde_json::{Value, json};

use super::{COMPANIES, KEYS, Operator};
use crate::customers::CHECK;
use crate::harness::{Engine, Settings, TestApp, flows, key_id, logged};

flows!(
    a_key_is_made_and_never_shown_again,
    a_key_that_cannot_be_read_concerns_no_other,
    words_of_a_newer_version_take_nothing_away,
    a_committed_change_is_answered_whatever_follows,
    every_mistake_is_reported_at_once,
    a_key_changes_while_it_lives,
    a_key_is_rotated_with_grace,
    a_revoked_key_is_dead,
    a_lost_key_can_be_had_again,
    what_was_answered_is_not_judged_by_a_later_hour,
    keys_are_listed_page_by_page,
    the_log_tells_whose_key_it_was,
    what_is_committed_is_answered_as_done,
);

fn shop() -> Value {
    json!({
        "company": "default",
        "name": "web shop",
        "scopes": ["customers:write", "customers:read"],
        "limits": {"customers": "2/1m", "initiate": "off"},
        "expires_at": "2026-01-01T00:00:00Z",
    })
}

/// Asks about somebody with a key.
async fn ask(app: &TestApp, key: &str) -> u16 {
    let call = app.post(CHECK).key(key);
    let answer = call.json(&json!({"email": "a@b.example"})).send().await;
    answer.status.as_u16()
}

async fn a_key_is_made_and_never_shown_again(app: TestApp) {
    let operator = Operator::of(&app).await;
    let created = operator.post(KEYS).json(&shop()).expect(201).await;
    let mut shown = created.json.clone();
    let key = shown.as_object_mut().unwrap().remove("key").unwrap();
    let key = key.as_str().unwrap();
    let id = shown["id"].as_str().unwrap().to_owned();
    assert!(key.starts_with(&format!("bf_{id}_")));
    let expected = json!({
        "id": id,
        "company": "default",
        "name": "web shop",
        "scopes": ["customers:read", "customers:write"],
        "limits": {"customers": "2/1m", "initiate": "off"},
        "created_at": "2025-01-01T00:00:00Z",
        "expires_at": "2026-01-01T00:00:00Z",
        "revoked_at": null,
        "replaced_by": null,
    });
    assert_eq!(shown, expected);
    let path = format!("{KEYS}/{id}");
    assert_eq!(operator.get(&path).expect(200).await.json, expected);
    let listed = operator.get(KEYS).expect(200).await;
    assert!(!listed.text().contains(key) && !listed.text().contains("hash"));
    assert_eq!(
        (
            ask(&app, key).await,
            ask(&app, key).await,
            ask(&app, key).await
        ),
        (200, 200, 429)
    );
    for id in ["aaaaaaaaaaaa", "x", "%00"] {
        operator.get(&format!("{KEYS}/{id}")).expect(404).await;
    }
    let mut nobodys = shop();
    nobodys["company"] = json!("nobody");
    operator.post(KEYS).json(&nobodys).expect(404).await;
}

async fn every_mistake_is_reported_at_once(app: TestApp) {
    let operator = Operator::of(&app).await;
    for (body, fields) in [
        (json!({}), vec!["company", "name", "scopes"]),
        (
            json!({
                "company": "No!", "name": 7, "scopes": ["admin", "all", null],
                "limits": {"customers": "many", "cats": "1/1m", "status": 3},
                "expires_at": "2024-12-31T23:59:59Z",
            }),
            vec![
                "company",
                "name",
                "scopes[1]",
                "scopes[2]",
                "limits",
                "limits.customers",
                "limits.status",
                "expires_at",
            ],
        ),
        (
            json!({"company": "default", "name": "x", "scopes": []}),
            vec!["scopes"],
        ),
        (
            json!({"company": "default", "name": "x", "scopes": "admin", "limits": []}),
            vec!["scopes", "limits"],
        ),
    ] {
        let answer = operator.post(KEYS).json(&body).expect(400).await;
        assert_eq!(answer.fields(), fields, "{body}");
    }
    let twice = r#"{"company": "default", "name": "x", "scopes": ["admin"],
        "limits": {"customers": "2/1m", "status": "off", "customers": "off"}}"#;
    let answer = operator
        .post(KEYS)
        .body("application/json", twice)
        .expect(400)
        .await;
    assert_eq!(answer.fields(), ["limits.customers"]);
}

async fn a_key_changes_while_it_lives(app: TestApp) {
    let operator = Operator::of(&app).await;
    let created = operator.post(KEYS).json(&shop()).expect(201).await;
    let key = created.json["key"].as_str().unwrap();
    let path = format!("{KEYS}/{}", created.json["id"].as_str().unwrap());
    let change = json!({"name": "till", "limits": {"customers": "off"}, "expires_at": null});
    let changed = operator.patch(&path).json(&change).expect(200).await;
    assert_eq!(changed.json["name"], "till");
    assert_eq!(changed.json["limits"], json!({"customers": "off"}));
    assert_eq!(changed.json["expires_at"], Value::Null);
    assert_eq!(changed.json["scopes"], created.json["scopes"]);
    for _ in 0..5 {
        assert_eq!(ask(&app, key).await, 200);
    }
    let change = json!({"limits": {}, "expires_at": "2025-01-01T00:01:00Z"});
    let changed = operator.patch(&path).json(&change).expect(200).await;
    assert_eq!(changed.json["limits"], json!({}));
    for (body, fields) in [
        (json!({}), vec!["body"]),
        (
            json!({"name": "", "limits": {"x": "1/1m"}, "expires_at": "then"}),
            vec!["name", "limits", "expires_at"],
        ),
    ] {
        let answer = operator.patch(&path).json(&body).expect(400).await;
        assert_eq!(answer.fields(), fields, "{body}");
    }
    app.advance(std::time::Duration::from_secs(60));
    assert_eq!(ask(&app, key).await, 401);
    let late = operator.patch(&path).json(&json!({"name": "x"}));
    assert_eq!(late.expect(409).await.code(), "conflict");
    let unknown = operator.patch(&format!("{KEYS}/aaaaaaaaaaaa"));
    unknown.json(&json!({"name": "x"})).expect(404).await;
}

async fn a_key_is_rotated_with_grace(app: TestApp) {
    let operator = Operator::of(&app).await;
    let created = operator.post(KEYS).json(&shop()).expect(201).await;
    let old = created.json["key"].as_str().unwrap();
    let path = format!("{KEYS}/{}", created.json["id"].as_str().unwrap());
    let rotate = || operator.post(&format!("{path}/rotate"));
    let wrong = rotate().json(&json!({"grace": "soon"})).expect(400).await;
    assert_eq!(wrong.fields(), ["grace"]);
    let rotated = rotate().json(&json!({"grace": "10s"})).expect(201).await;
    let new = rotated.json["key"].as_str().unwrap();
    assert_eq!(rotated.json["limits"], created.json["limits"]);
    assert_eq!((ask(&app, old).await, ask(&app, new).await), (200, 200));
    let shown = operator.get(&path).expect(200).await;
    assert_eq!(shown.json["replaced_by"], rotated.json["id"]);
    assert_eq!(shown.json["expires_at"], "2025-01-01T00:00:10Z");
    assert_eq!(rotate().expect(409).await.code(), "conflict");
    app.advance(std::time::Duration::from_secs(10));
    assert_eq!((ask(&app, old).await, ask(&app, new).await), (401, 200));

    // Without a body the old one is good for a day.
    let path = format!("{KEYS}/{}", rotated.json["id"].as_str().unwrap());
    operator.post(&format!("{path}/rotate")).expect(201).await;
    let shown = operator.get(&path).expect(200).await;
    assert_eq!(shown.json["expires_at"], "2025-01-02T00:00:10Z");
}

async fn a_revoked_key_is_dead(app: TestApp) {
    let operator = Operator::of(&app).await;
    let created = operator.post(KEYS).json(&shop()).expect(201).await;
    let key = created.json["key"].as_str().unwrap();
    let path = format!("{KEYS}/{}/revoke", created.json["id"].as_str().unwrap());
    let revoked = operator.post(&path).expect(200).await;
    assert_eq!(revoked.json["revoked_at"], "2025-01-01T00:00:00Z");
    assert_eq!(ask(&app, key).await, 401);
    app.advance(std::time::Duration::from_secs(5));
    let again = operator.post(&path).expect(200).await;
    assert_eq!(again.json, revoked.json);
    let unknown = operator.post(&format!("{KEYS}/aaaaaaaaaaaa/revoke"));
    unknown.expect(404).await;
}

async fn a_lost_key_can_be_had_again(app: TestApp) {
    let operator = Operator::of(&app).await;
    let create = || operator.post(KEYS).header("idempotency-key", "\"k\"");
    let first = create().json(&shop()).expect(201).await;
    let second = create().json(&shop()).expect(201).await;
    assert_eq!(first.json, second.json);
    let key = first.json["key"].as_str().unwrap();
    assert_eq!(ask(&app, key).await, 200);
    let dump = app.database().dump().await;
    let clear = dump.windows(key.len()).any(|part| part == key.as_bytes());
    assert!(!clear, "the stored answer is sealed");
}

async fn what_was_answered_is_not_judged_by_a_later_hour(app: TestApp) {
    let operator = Operator::of(&app).await;
    let shop = json!({
        "company": "default", "name": "till", "scopes": ["customers:read"],
        "expires_at": "2025-01-01T00:00:10Z",
    });
    let create = || operator.post(KEYS).header("idempotency-key", "made");
    let made = create().json(&shop).expect(201).await;
    let path = format!("{KEYS}/{}", made.json["id"].as_str().unwrap());
    let change = || operator.patch(&path).header("idempotency-key", "changed");
    let later = json!({"expires_at": "2025-01-01T00:00:20Z"});
    let changed = change().json(&later).expect(200).await;
    app.advance(std::time::Duration::from_secs(30));
    assert_eq!(create().json(&shop).expect(201).await.bytes, made.bytes);
    assert_eq!(change().json(&later).expect(200).await.bytes, changed.bytes);
    // One that was never answered is judged by its own.
    for call in [
        operator.post(KEYS),
        operator.post(KEYS).header("idempotency-key", "other"),
    ] {
        assert_eq!(call.json(&shop).expect(400).await.fields(), ["expires_at"]);
    }
    let late = operator.patch(&path).json(&later).expect(400).await;
    assert_eq!(late.fields(), ["expires_at"]);
}

async fn keys_are_listed_page_by_page(app: TestApp) {
    let operator = Operator::of(&app).await;
    app.company("acme").await;
    let mut made = Vec::new();
    for at in 0..5 {
        if at % 2 == 0 {
            app.advance(std::time::Duration::from_secs(1));
        }
        let key = app.key("acme", "customers:read").await;
        made.push(crate::harness::key_id(&key).to_owned());
    }
    let mut seen = Vec::new();
    let mut path = format!("{KEYS}?company=acme&limit=2");
    loop {
        let page = operator.get(&path).expect(200).await;
        for key in page.json["keys"].as_array().unwrap() {
            assert_eq!(key["company"], "acme");
            seen.push(key["id"].as_str().unwrap().to_owned());
        }
        match page.json["next_cursor"].as_str() {
            Some(cursor) => path = format!("{KEYS}?company=acme&limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 5);
    made.sort();
    seen.sort();
    assert_eq!(seen, made);
    let everybody = operator.get(KEYS).expect(200).await;
    assert_eq!(everybody.json["keys"].as_array().unwrap().len(), 6);
    let nobody = operator.get(&format!("{KEYS}?company=nobody")).expect(200);
    assert_eq!(nobody.await.json, json!({"keys": [], "next_cursor": null}));
    for (query, fields) in [
        ("company=No!&limit=0", vec!["limit", "company"]),
        ("cursor=aaaaaaaaaaaa", vec!["cursor"]),
        ("cursor=%00", vec!["cursor"]),
    ] {
        let answer = operator.get(&format!("{KEYS}?{query}"));
        assert_eq!(answer.expect(400).await.fields(), fields, "{query}");
    }
}

async fn the_log_tells_whose_key_it_was(app: TestApp) {
    app.company("acme").await;
    let operator = Operator::of(&app).await;
    let mut acmes = shop();
    acmes["company"] = json!("acme");
    let created = operator.post(KEYS).json(&acmes).expect(201).await;
    let id = created.json["id"].as_str().unwrap();
    let path = format!("{KEYS}/{id}");
    let change = operator.patch(&path).json(&json!({"name": "till"}));
    let changed = change.expect(200).await;
    let rotation = operator.post(&format!("{path}/rotate")).json(&json!({}));
    let rotated = rotation.expect(201).await;
    let revoked = operator.post(&format!("{path}/revoke")).expect(200).await;
    let successor = rotated.json["id"].as_str().unwrap();
    let whose = format!("company=acme key={id}");
    for (answer, detail) in [
        (&created, whose.clone()),
        (&changed, whose.clone()),
        (&rotated, format!("{whose} replaced_by={successor}")),
        (&revoked, whose.clone()),
    ] {
        let records = app.records_of(answer.request_id()).await;
        assert_eq!(records.len(), 1);
        assert_eq!(&*records[0].record.company, "default");
        assert_eq!(records[0].record.detail, Some(detail));
    }
}

/// Changes a stored key behind everybody's back, as a later change of the same row.
async fn spoil(app: &TestApp, key: &str, change: &str) {
    let id = key_id(key);
    for sql in [
        "UPDATE change_counter SET revision = revision + 1".to_owned(),
        format!(
            "UPDATE api_keys SET {change}, revision = (SELECT revision FROM change_counter) \
             WHERE id = '{id}'"
        ),
    ] {
        app.database().sql(&sql).await;
    }
}

async fn a_key_that_cannot_be_read_concerns_no_other(app: TestApp) {
    let operator = Operator::of(&app).await;
    let sound = app.key("default", "customers:read").await;
    let bytes = match app.engine() {
        Engine::Sqlite => "hash = X'00'",
        Engine::Postgres => "hash = '\\x00'",
    };
    for change in [
        "limits = 'cats=1/1m'",
        "company_id = company_id, limits = '?'",
        bytes,
    ] {
        let spoilt = app.key("default", "customers:read").await;
        assert_eq!(ask(&app, &spoilt).await, 200);
        spoil(&app, &spoilt, change).await;
        app.chores().await;
        assert_eq!(ask(&app, &spoilt).await, 401, "{change}");
        assert_eq!(ask(&app, &sound).await, 200);
        let later = app.key("default", "customers:read").await;
        assert_eq!(ask(&app, &later).await, 200);
        let beside = app.another(Settings::default()).await;
        assert_eq!(
            ask(&beside, &sound).await,
            200,
            "a server starts all the same"
        );
        // It is still shown, and can be revoked.
        let id = key_id(&spoilt);
        assert!(app::keys::list(&app.app, None).await.is_ok());
        let listed = operator.get(KEYS).expect(200).await;
        assert!(listed.text().contains(id));
        app.revoke(&spoilt).await;
    }
    assert!(logged().contains("a stored API key cannot be read"));
}

async fn words_of_a_newer_version_take_nothing_away(app: TestApp) {
    let key = app.key("default", "customers:read").await;
    spoil(&app, &key, "scopes = 'wonders:work customers:read'").await;
    app.chores().await;
    assert_eq!(ask(&app, &key).await, 200);
}

async fn a_committed_change_is_answered_whatever_follows(app: TestApp) {
    let operator = Operator::of(&app).await;
    app.company("acme").await;
    // No instance can take in a company that was made beyond the end of time.
    let spoil = "UPDATE companies SET created_at = 9223372036854775807, revision = 1000000 \
         WHERE company_id = 'acme'";
    app.database().sql(spoil).await;
    let created = operator.post(KEYS).json(&shop()).expect(201).await;
    assert!(created.json["key"].is_string());
    let company = json!({"company": "other", "name": "Other"});
    let created = operator.post(COMPANIES).json(&company).expect(201).await;
    assert!(created.text().contains("whsec_"));
}

/// The instance that made a change takes it in at once; when it cannot, the change is made still.
async fn what_is_committed_is_answered_as_done(app: TestApp) {
    let operator = Operator::of(&app).await;
    let created = operator.post(KEYS).json(&shop()).expect(201).await;
    let key = created.json["key"].as_str().unwrap();
    let path = format!("{KEYS}/{}/revoke", created.json["id"].as_str().unwrap());
    app.database()
        .sql("ALTER TABLE companies RENAME TO companies_hidden")
        .await;
    assert!(app.app.directory.refresh().await.is_ok(), "nothing changed");
    operator.post(&path).expect(200).await;
    assert!(app.app.directory.refresh().await.is_err());
    app.database()
        .sql("ALTER TABLE companies_hidden RENAME TO companies")
        .await;
    app.chores().await;
    assert_eq!(ask(&app, key).await, 401);
}
