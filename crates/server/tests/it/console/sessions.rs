//! How long a session lasts, what ends it, and where somebody is signed in.

use std::time::Duration;

use app::companies::CompanyChange;
use serde_json::json;

use super::{Admin, field, named, record};
use crate::harness::{JWT_SECRET, TestApp, flows};
use crate::tokens::{claims, signing};

flows!(
    who_does_nothing_is_signed_out,
    everybody_is_signed_out_in_the_end,
    a_session_dies_with_its_key,
    a_session_dies_with_its_token,
    a_session_dies_with_its_company,
    signing_out_ends_this_session_alone,
    signing_out_everywhere_ends_all_of_ones_own,
    one_sees_ones_own_sessions_and_can_end_each,
    a_session_holds_on_every_instance,
);

const MINUTE: Duration = Duration::from_secs(60);

async fn is_signed_in(admin: &Admin) -> bool {
    let answer = admin.get("/console/sessions").send().await;
    match answer.status.as_u16() {
        200 => true,
        401 => false,
        status => panic!("{status}: {}", answer.text()),
    }
}

async fn who_does_nothing_is_signed_out(app: TestApp) {
    let admin = Admin::new(&app).await;
    app.advance(29 * MINUTE);
    assert!(is_signed_in(&admin).await);
    app.advance(29 * MINUTE);
    assert!(is_signed_in(&admin).await);
    app.advance(30 * MINUTE);
    let answer = admin.get("/console").expect(401).await;
    assert!(
        answer.text().contains("You are signed out"),
        "{}",
        answer.text()
    );
    app::console::clear(&app.app).await.unwrap();
    let rows = app.database().sql("SELECT id FROM console_sessions").await;
    assert!(rows.is_empty());
}

async fn everybody_is_signed_out_in_the_end(app: TestApp) {
    let admin = Admin::new(&app).await;
    for _ in 0..(12 * 3 - 1) {
        app.advance(20 * MINUTE);
        assert!(is_signed_in(&admin).await);
    }
    app.advance(20 * MINUTE);
    assert!(!is_signed_in(&admin).await);
}

async fn a_session_dies_with_its_key(app: TestApp) {
    let key = app.key("default", "admin").await;
    let admin = Admin::with(&app, &key).await;
    app.revoke(&key).await;
    assert!(!is_signed_in(&admin).await);
    let end = app.now() + MINUTE;
    let key = app.key_with("default", "admin", "", Some(end)).await;
    let admin = Admin::with(&app, &key).await;
    assert!(is_signed_in(&admin).await);
    app.advance(MINUTE);
    assert!(!is_signed_in(&admin).await);
}

async fn a_session_dies_with_its_token(app: TestApp) {
    let mut said = claims(&app);
    said["role"] = json!("admin");
    said["exp"] = json!(app.now().as_second() + 600);
    let admin = Admin::with(&app, &signing::hs256(JWT_SECRET, &said)).await;
    assert!(is_signed_in(&admin).await);
    app.advance(10 * MINUTE);
    assert!(!is_signed_in(&admin).await);
}

async fn a_session_dies_with_its_company(app: TestApp) {
    app.company("acme").await;
    let key = app.key("acme", "admin").await;
    let admin = Admin::with(&app, &key).await;
    let change = CompanyChange {
        is_active: Some(false),
        ..CompanyChange::default()
    };
    app.change_company("acme", change).await;
    assert!(!is_signed_in(&admin).await);
}

async fn signing_out_ends_this_session_alone(app: TestApp) {
    let key = app.key("default", "admin").await;
    let (one, other) = (Admin::with(&app, &key).await, Admin::with(&app, &key).await);
    let answer = one.send("/console/sign-out", &[]).expect(303).await;
    assert!(answer.header("set-cookie").contains("Max-Age=0"));
    let told = record(&app, &answer).await;
    assert_eq!(told, ("console.sign_out".into(), "ok".into(), named(&key)));
    assert!(!is_signed_in(&one).await);
    assert!(is_signed_in(&other).await);
}

async fn signing_out_everywhere_ends_all_of_ones_own(app: TestApp) {
    let key = app.key("default", "admin").await;
    let (one, other) = (Admin::with(&app, &key).await, Admin::with(&app, &key).await);
    let somebody_else = Admin::new(&app).await;
    one.send("/console/sign-out-everywhere", &[])
        .expect(303)
        .await;
    assert!(!is_signed_in(&one).await);
    assert!(!is_signed_in(&other).await);
    assert!(is_signed_in(&somebody_else).await);
}

async fn one_sees_ones_own_sessions_and_can_end_each(app: TestApp) {
    let key = app.key("default", "admin").await;
    let one = Admin::with(&app, &key).await;
    app.advance(MINUTE);
    let other = Admin::with(&app.reached_from("198.51.100.9:1", false), &key).await;
    let stranger = Admin::new(&app).await;
    let page = one.get("/console/sessions").expect(200).await;
    let text = page.text();
    assert!(
        text.contains("203.0.113.7") && text.contains("198.51.100.9"),
        "{text}"
    );
    assert_eq!(text.matches("/end\"").count(), 2);
    let ends: Vec<_> = text
        .split("action=\"../console/sessions/")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect();
    // The newest is the first.
    let path = format!("/console/sessions/{}", ends[0]);
    stranger.send(&path, &[]).expect(404).await;
    assert!(is_signed_in(&other).await);
    one.send(&path, &[]).expect(303).await;
    assert!(!is_signed_in(&other).await);
    assert!(is_signed_in(&one).await);
    one.send(&path, &[]).expect(404).await;
    one.send("/console/sessions/none/end", &[])
        .expect(404)
        .await;
    assert!(!field(&page, "mark").is_empty());
}

async fn a_session_holds_on_every_instance(app: TestApp) {
    let mut admin = Admin::new(&app).await;
    admin.app = app.another(crate::harness::Settings::default()).await;
    assert!(is_signed_in(&admin).await);
    admin.send("/console/sign-out", &[]).expect(303).await;
    assert!(!is_signed_in(&admin).await);
}
