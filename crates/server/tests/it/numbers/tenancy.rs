//! Companies do not see each other.

use super::{ALL, NUMBER, OTHER, open, rows, status, submit, submit_as};
use crate::harness::{TestApp, flows};

flows!(
    no_company_sees_another_companys_sessions,
    the_same_names_are_different_sessions
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
