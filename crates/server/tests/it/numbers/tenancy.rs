//! Companies do not see each other.

use super::{ALL, NUMBER, OTHER, open, rows, status, submit, submit_as};
use crate::harness::{TestApp, flows};

flows!(
    no_company_sees_another_companys_sessions,
    the_same_names_are_different_sessions,
    another_company_neither_uses_up_nor_sees_a_sessions_limit,
);

async fn no_company_sees_another_companys_sessions(app: TestApp) {
    app.company("acme").await;
    let ours = app.key("default", ALL).await;
    let theirs = app.key("acme", &format!("admin {ALL}")).await;
    let session = open(&app, &ours, "order-81").await;
    for _ in 0..4 {
        submit_as(&app, &theirs, &session, OTHER).expect(404).await;
        status(&app, &theirs, &session.id).expect(404).await;
    }
    let untouched = status(&app, &ours, &session.id).expect(200).await;
    assert_eq!(untouched.json["status"], "pending");
    assert_eq!(rows(&app, "mismatches").await, ["0"]);
    submit(&app, &session, NUMBER).expect(200).await;
    status(&app, &theirs, &session.id).expect(404).await;
}

async fn the_same_names_are_different_sessions(app: TestApp) {
    app.company("acme").await;
    let (ours, theirs) = (app.key("default", ALL).await, app.key("acme", ALL).await);
    let mine = open(&app, &ours, "order-81").await;
    let other = open(&app, &theirs, "order-81").await;
    assert_ne!(mine.id, other.id);
    for column in ["number_index", "request_index", "token_hash", "data_key"] {
        let found = rows(&app, column).await;
        assert_eq!(found.len(), 2);
        assert_ne!(
            found[0], found[1],
            "{column} tells that two companies share something"
        );
    }
    submit(&app, &mine, NUMBER).expect(200).await;
    let waiting = status(&app, &theirs, &other.id).expect(200).await;
    assert_eq!(waiting.json["status"], "pending");
}

async fn another_company_neither_uses_up_nor_sees_a_sessions_limit(app: TestApp) {
    app.company("acme").await;
    let (ours, theirs) = (app.key("default", ALL).await, app.key("acme", ALL).await);
    let session = open(&app, &ours, "order-81").await;
    let mut unknown = session.clone();
    unknown.id = session.id.replace("nv_0", "nv_1");
    // It is in use.
    submit(&app, &session, OTHER).expect(200).await;
    for left in (0..10).rev() {
        let foreign = submit_as(&app, &theirs, &session, OTHER).expect(404).await;
        let nothing = submit_as(&app, &theirs, &unknown, OTHER).expect(404).await;
        let state = format!("\"submit\";r={left};");
        for answer in [&foreign, &nothing] {
            assert!(answer.header("ratelimit").starts_with(&state), "{state}");
        }
        // Later ones may tell of different seconds.
        if left == 9 {
            assert_eq!(foreign.header("ratelimit"), nothing.header("ratelimit"));
        }
    }
    let refused = submit_as(&app, &theirs, &session, OTHER).expect(429).await;
    assert_eq!(refused.code(), "rate_limited");
    let answer = submit(&app, &session, NUMBER).expect(200).await;
    assert_eq!(answer.json["status"], "verified");
    assert!(answer.header("ratelimit").starts_with("\"submit\";r=8;"));
}
