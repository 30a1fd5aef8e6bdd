//! Companies: created, listed, shown, changed.

use serde_json::{Value, json};

use super::{COMPANIES, KEYS, Operator};
use crate::customers::CHECK;
use crate::harness::{TestApp, flows};

flows!(
    a_company_is_created_shown_and_changed,
    every_mistake_is_reported_at_once,
    secrets_are_shown_once_and_rotate,
    a_lost_answer_can_be_had_again,
    companies_are_listed_page_by_page,
    switching_off_refuses_credentials_but_never_the_callers_own,
    only_the_scope_admin_administers,
);

async fn a_company_is_created_shown_and_changed(app: TestApp) {
    let operator = Operator::of(&app).await;
    let new = json!({
        "company_id": "acme",
        "name": " Acme Ltd ",
        "webhook_url": "https://acme.example/hooks",
        "app_link": "acme://verify",
    });
    let created = operator.post(COMPANIES).json(&new).expect(201).await;
    assert!(created.headers.get("ratelimit").is_none());
    let mut expected = json!({
        "company_id": "acme",
        "name": "Acme Ltd",
        "webhook_url": "https://acme.example/hooks",
        "app_link": "acme://verify",
        "is_active": true,
        "created_at": "2025-01-01T00:00:00Z",
        "updated_at": "2025-01-01T00:00:00Z",
    });
    let mut shown = created.json.clone();
    let secret = shown.as_object_mut().unwrap().remove("webhook_secret");
    assert!(secret.unwrap().as_str().unwrap().starts_with("whsec_"));
    assert_eq!(shown, expected);
    let path = format!("{COMPANIES}/acme");
    assert_eq!(operator.get(&path).expect(200).await.json, expected);

    let again = operator.post(COMPANIES).json(&new).expect(409).await;
    assert_eq!(again.code(), "conflict");

    app.advance(std::time::Duration::from_secs(60));
    let change = json!({"webhook_url": null, "name": "Acme"});
    let changed = operator.patch(&path).json(&change).expect(200).await;
    expected["name"] = json!("Acme");
    expected["webhook_url"] = Value::Null;
    expected["updated_at"] = json!("2025-01-01T00:01:00Z");
    assert_eq!(changed.json, expected);
    assert_eq!(operator.get(&path).expect(200).await.json, expected);

    for id in ["nobody", "NOT%20AN%20ID", "%F0%9F%91%BB"] {
        let path = format!("{COMPANIES}/{id}");
        operator.get(&path).expect(404).await;
        let change = json!({"name": "x"});
        operator.patch(&path).json(&change).expect(404).await;
    }
    let recorded = app.recorded().await;
    assert_eq!(recorded["company.change"], 4);
    let alias = json!({"company": "other", "name": "Other"});
    operator.post(COMPANIES).json(&alias).expect(201).await;
}

async fn every_mistake_is_reported_at_once(app: TestApp) {
    let operator = Operator::of(&app).await;
    for (body, fields) in [
        (json!({}), vec!["company_id", "name"]),
        (
            json!({"company_id": "Acme!", "name": " ", "webhook_url": "ftp://x", "app_link": 1}),
            vec!["company_id", "name", "webhook_url", "app_link"],
        ),
        (
            json!({"company_id": "a", "company": "b", "name": "x"}),
            vec!["company"],
        ),
    ] {
        let answer = operator.post(COMPANIES).json(&body).expect(400).await;
        assert_eq!(answer.fields(), fields, "{body}");
    }
    let path = format!("{COMPANIES}/default");
    for (body, fields) in [
        (json!({}), vec!["body"]),
        (
            json!({"name": "", "webhook_url": "https://u:p@x/", "is_active": "no"}),
            vec!["name", "webhook_url", "is_active"],
        ),
        (json!({"grace": "1h"}), vec!["grace"]),
        (
            json!({"rotate_secret": true, "grace": "soon"}),
            vec!["grace"],
        ),
    ] {
        let answer = operator.patch(&path).json(&body).expect(400).await;
        assert_eq!(answer.fields(), fields, "{body}");
    }
}

async fn secrets_are_shown_once_and_rotate(app: TestApp) {
    let operator = Operator::of(&app).await;
    let new = json!({"company_id": "acme", "name": "Acme"});
    let created = operator.post(COMPANIES).json(&new).expect(201).await;
    let path = format!("{COMPANIES}/acme");
    let rotate = json!({"rotate_secret": true, "grace": "1y"});
    let rotated = operator.patch(&path).json(&rotate).expect(200).await;
    let first = created.json["webhook_secret"].as_str().unwrap();
    let second = rotated.json["webhook_secret"].as_str().unwrap();
    assert_ne!(first, second);
    for quiet in [
        operator.get(&path).expect(200).await,
        operator.get(COMPANIES).expect(200).await,
        operator
            .patch(&path)
            .json(&json!({"rotate_secret": false}))
            .expect(200)
            .await,
    ] {
        assert!(!quiet.text().contains("whsec_"));
    }
    let secrets = "SELECT expires_at FROM webhook_secrets WHERE company_id = 'acme'";
    let stored = app.database().sql(secrets).await;
    assert_eq!(stored.len(), 2);
}

async fn a_lost_answer_can_be_had_again(app: TestApp) {
    let operator = Operator::of(&app).await;
    let new = json!({"company_id": "acme", "name": "Acme"});
    let create = || {
        operator
            .post(COMPANIES)
            .header("idempotency-key", "k1")
            .json(&new)
    };
    let first = create().expect(201).await;
    let second = create().expect(201).await;
    assert_eq!(first.json, second.json);
    let other = json!({"company_id": "other", "name": "Other"});
    let reused = operator.post(COMPANIES).header("idempotency-key", "k1");
    let reused = reused.json(&other).expect(422).await;
    assert_eq!(reused.code(), "idempotency_key_reused");

    // The same key and body for another company is another request.
    operator.post(COMPANIES).json(&other).expect(201).await;
    let change = json!({"rotate_secret": true});
    let rotate = |id: &str| {
        let call = operator.patch(&format!("{COMPANIES}/{id}"));
        call.header("idempotency-key", "k2").json(&change)
    };
    let first = rotate("acme").expect(200).await;
    assert_eq!(rotate("acme").expect(200).await.json, first.json);
    rotate("other").expect(422).await;
}

async fn companies_are_listed_page_by_page(app: TestApp) {
    let operator = Operator::of(&app).await;
    for id in ["a1", "a2", "a3", "a4"] {
        app.company(id).await;
    }
    let mut seen = Vec::new();
    let mut path = format!("{COMPANIES}?limit=2");
    loop {
        let page = operator.get(&path).expect(200).await;
        for company in page.json["companies"].as_array().unwrap() {
            seen.push(company["company_id"].as_str().unwrap().to_owned());
        }
        match page.json["next_cursor"].as_str() {
            Some(cursor) => path = format!("{COMPANIES}?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, ["a1", "a2", "a3", "a4", "default"]);
    for (query, fields) in [
        ("limit=0", vec!["limit"]),
        ("limit=501", vec!["limit"]),
        ("limit=x&cursor=a&cursor=b", vec!["limit", "cursor"]),
        ("cursor=%21", vec!["cursor"]),
    ] {
        let answer = operator.get(&format!("{COMPANIES}?{query}"));
        assert_eq!(answer.expect(400).await.fields(), fields, "{query}");
    }
}

async fn switching_off_refuses_credentials_but_never_the_callers_own(app: TestApp) {
    let operator = Operator::of(&app).await;
    app.company("acme").await;
    let key = app.key("acme", "customers:read").await;
    let ask = || {
        app.post(CHECK)
            .key(&key)
            .json(&json!({"email": "a@b.example"}))
    };
    ask().expect(200).await;
    let switch = |id: &str, on: bool| {
        let call = operator.patch(&format!("{COMPANIES}/{id}"));
        call.json(&json!({"is_active": on}))
    };
    switch("acme", false).expect(200).await;
    ask().expect(401).await;
    switch("acme", true).expect(200).await;
    ask().expect(200).await;
    assert_eq!(
        switch("default", false).expect(409).await.code(),
        "conflict"
    );
    operator.get(COMPANIES).expect(200).await;
}

async fn only_the_scope_admin_administers(app: TestApp) {
    let key = app.key("default", "customers:read audit:read").await;
    for path in [COMPANIES, KEYS] {
        let refused = app.get(path).key(&key).expect(403).await;
        assert!(refused.text().contains("the scope admin"));
    }
}
