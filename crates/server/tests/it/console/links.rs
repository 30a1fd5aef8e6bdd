//! Links that sign somebody in once.

use std::time::Duration;

use domain::access::KeyId;

use super::{Admin, named, record, send};
use crate::harness::{TestApp, flows, key_id, logged};

flows!(
    a_link_signs_in_once,
    looking_at_a_link_does_not_use_it_up,
    a_link_is_good_for_an_hour,
    a_link_is_worth_no_more_than_its_key,
);

async fn link(app: &TestApp, key: &str) -> String {
    let id = KeyId::parse(key_id(key)).unwrap();
    let command = app.command("console.link.create");
    let token = app::console::make_link(&app.app, &command, "default", id);
    format!("/console/enter/{}", token.await.unwrap().expose())
}

async fn a_link_signs_in_once(app: TestApp) {
    let key = app.key("default", "admin").await;
    let link = link(&app, &key).await;
    let answer = send(&app, &link, &[]).expect(303).await;
    assert_eq!(answer.header("location"), "../../console");
    let told = record(&app, &answer).await;
    assert_eq!(told, ("console.enter".into(), "ok".into(), named(&key)));
    Admin::of(&app, &answer).await;
    let answer = send(&app, &link, &[]).expect(401).await;
    assert!(
        answer.text().contains("This link was used"),
        "{}",
        answer.text()
    );
    assert!(answer.headers.get("set-cookie").is_none());
    let token = link.rsplit('/').next().unwrap();
    let database = app.database().dump().await;
    assert!(
        !database
            .windows(token.len())
            .any(|part| part == token.as_bytes())
    );
    assert!(!logged().contains(token));
}

async fn looking_at_a_link_does_not_use_it_up(app: TestApp) {
    let key = app.key("default", "admin").await;
    let link = link(&app, &key).await;
    for _ in 0..3 {
        let page = app.get(&link).expect(200).await;
        assert!(page.headers.get("set-cookie").is_none());
        let other = app.get("/console/enter/other").expect(200).await;
        assert_eq!(page.text(), other.text(), "it tells nothing");
    }
    let call = send(&app, &link, &[]).header("sec-fetch-site", "cross-site");
    call.expect(403).await;
    send(&app, &link, &[]).expect(303).await;
}

async fn a_link_is_good_for_an_hour(app: TestApp) {
    let key = app.key("default", "admin").await;
    let (one, other) = (link(&app, &key).await, link(&app, &key).await);
    app.advance(Duration::from_secs(3_599));
    send(&app, &one, &[]).expect(303).await;
    app.advance(Duration::from_secs(1));
    send(&app, &other, &[]).expect(401).await;
}

async fn a_link_is_worth_no_more_than_its_key(app: TestApp) {
    let key = app.key("default", "admin").await;
    let revoked = link(&app, &key).await;
    app.revoke(&key).await;
    send(&app, &revoked, &[]).expect(401).await;
    let reader = app.key("default", "customers:read").await;
    let lesser = link(&app, &reader).await;
    send(&app, &lesser, &[]).expect(403).await;
}
