//! Keys in the console: shown once, replaced, revoked.

use serde_json::json;

use super::{Admin, named, record};
use crate::customers::check;
use crate::harness::{Answer, TestApp, flows, key_id};

flows!(
    a_key_is_made_and_shown_once,
    a_key_needs_a_name_and_a_scope,
    a_key_is_replaced,
    a_key_is_revoked_and_so_may_be_ones_own,
    another_companys_keys_are_not_there,
);

/// The key that a page shows.
fn shown(page: &Answer) -> String {
    let text = page.text();
    let (_, rest) = text
        .split_once("<code>bf_")
        .unwrap_or_else(|| panic!("{text}"));
    format!("bf_{}", rest.split('<').next().unwrap())
}

fn question() -> serde_json::Value {
    json!({"email": "ann@example.com"})
}

async fn a_key_is_made_and_shown_once(app: TestApp) {
    let office = app.key("default", "admin").await;
    let admin = Admin::with(&app, &office).await;
    let fields = [
        ("name", "checkout <1>"),
        ("scope customers:read", "on"),
        ("ends", "90d"),
    ];
    let page = admin.send("/console/keys", &fields).expect(200).await;
    let key = shown(&page);
    check(&app, &key, &question()).expect(200).await;
    let told = record(&app, &page).await;
    assert_eq!(
        told,
        ("console.key.create".into(), "ok".into(), named(&office))
    );
    let list = admin.get("/console/keys").expect(200).await.text();
    assert!(
        list.contains("checkout &lt;1&gt;") && list.contains(key_id(&key)),
        "{list}"
    );
    assert!(!list.contains(&key), "never again");
    assert_eq!(page.header("cache-control"), "no-store");
}

async fn a_key_needs_a_name_and_a_scope(app: TestApp) {
    let admin = Admin::new(&app).await;
    let long = "x".repeat(201);
    for fields in [
        vec![("name", ""), ("scope customers:read", "on")],
        vec![("name", &long), ("scope customers:read", "on")],
        vec![("name", "shop")],
        vec![("name", "shop"), ("scope everything", "on")],
        vec![
            ("name", "shop"),
            ("scope customers:read", "on"),
            ("ends", "soon"),
        ],
    ] {
        let answer = admin.send("/console/keys", &fields).expect(400).await;
        assert!(
            answer.text().contains("role=\"alert\""),
            "{}",
            answer.text()
        );
    }
    let list = admin.get("/console/keys").expect(200).await.text();
    assert_eq!(list.matches("/revoke\"").count(), 1, "{list}");
}

async fn a_key_is_replaced(app: TestApp) {
    let admin = Admin::new(&app).await;
    let old = app.key("default", "customers:read").await;
    let path = format!("/console/keys/{}/rotate", key_id(&old));
    let new = shown(&admin.send(&path, &[]).expect(200).await);
    for key in [&old, &new] {
        check(&app, key, &question()).expect(200).await;
    }
    admin.send(&path, &[]).expect(409).await;
    app.advance(std::time::Duration::from_secs(24 * 3_600));
    check(&app, &old, &question()).expect(401).await;
    check(&app, &new, &question()).expect(200).await;
}

async fn a_key_is_revoked_and_so_may_be_ones_own(app: TestApp) {
    let office = app.key("default", "admin").await;
    let admin = Admin::with(&app, &office).await;
    let key = app.key("default", "customers:read").await;
    let path = |key: &str| format!("/console/keys/{}/revoke", key_id(key));
    let answer = admin.send(&path(&key), &[]).expect(303).await;
    assert_eq!(record(&app, &answer).await.0, "console.key.revoke");
    check(&app, &key, &question()).expect(401).await;
    admin
        .send("/console/keys/none/revoke", &[])
        .expect(404)
        .await;
    admin.send(&path(&office), &[]).expect(303).await;
    admin.get("/console").expect(401).await;
}

async fn another_companys_keys_are_not_there(app: TestApp) {
    app.company("acme").await;
    let theirs = app.key("acme", "customers:read").await;
    let admin = Admin::new(&app).await;
    let list = admin.get("/console/keys").expect(200).await.text();
    assert!(!list.contains(key_id(&theirs)), "{list}");
    for form in ["rotate", "revoke"] {
        let path = format!("/console/keys/{}/{form}", key_id(&theirs));
        admin.send(&path, &[]).expect(404).await;
    }
    check(&app, &theirs, &question()).expect(200).await;
}
