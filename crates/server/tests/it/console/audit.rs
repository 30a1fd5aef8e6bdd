//! The audit log in the console: searched, one record with its proof, and the whole checked.

use std::time::Duration;

use serde_json::json;

use super::{Admin, record};
use crate::customers::{BOTH, check};
use crate::harness::{TestApp, flows};

flows!(
    records_are_found_by_what_was_asked,
    lists_are_paged_and_keep_the_search,
    a_record_is_shown_and_proven,
    strangers_have_a_list_of_their_own,
    another_companys_records_are_not_there,
    the_whole_log_is_checked,
    a_log_that_is_not_whole_is_found_out,
);

const ANN: &str = "ann@example.com";

async fn asked(app: &TestApp, company: &str, times: usize) -> String {
    let key = app.key(company, BOTH).await;
    let mut id = String::new();
    for _ in 0..times {
        let answer = check(app, &key, &json!({"email": ANN})).expect(200).await;
        answer.request_id().clone_into(&mut id);
        app.advance(Duration::from_millis(10));
    }
    id
}

async fn records_are_found_by_what_was_asked(app: TestApp) {
    let admin = Admin::new(&app).await;
    let request = asked(&app, "default", 2).await;
    let count = |text: &str| text.matches(">customer.check</a>").count();
    for (query, found) in [
        ("", 2),
        ("?action=customer.check", 2),
        ("?action=customer.check&outcome=ok", 2),
        ("?action=customer.check&outcome=forbidden", 0),
        ("?action=customer.update", 0),
        ("?from=2025-01-01&to=2025-01-01", 2),
        ("?to=2024-12-31", 0),
        (&format!("?request_id={request}"), 1),
        ("?whose=strangers", 0),
    ] {
        let page = admin
            .get(&format!("/console/audit{query}"))
            .expect(200)
            .await;
        assert_eq!(count(&page.text()), found, "{query}");
    }
    let nothing = admin.get("/console/audit?action=nothing").expect(200).await;
    assert!(
        nothing.text().contains("Nothing fits"),
        "{}",
        nothing.text()
    );
    for query in [
        "cursor=x",
        "from=x",
        "subject=x",
        "whose=x",
        "action=a&action=b",
        "action=%00",
        "outcome=%00x",
        "request_id=x%00",
    ] {
        admin
            .get(&format!("/console/audit?{query}"))
            .expect(400)
            .await;
    }
}

async fn lists_are_paged_and_keep_the_search(app: TestApp) {
    let admin = Admin::new(&app).await;
    asked(&app, "default", 53).await;
    let count = |text: &str| text.matches(">customer.check</a>").count();
    let first = admin
        .get("/console/audit?action=customer.check")
        .expect(200)
        .await
        .text();
    assert_eq!(count(&first), 50);
    let (_, rest) = first
        .split_once("href=\"../console/audit?action=customer.check&amp;cursor=")
        .unwrap();
    let cursor = rest.split('"').next().unwrap();
    let next = format!("/console/audit?action=customer.check&cursor={cursor}");
    let second = admin.get(&next).expect(200).await.text();
    assert_eq!(count(&second), 3, "{second}");
    assert!(!second.contains("cursor="), "{second}");
}

/// Where the newest record of an action is.
async fn newest(admin: &Admin, action: &str) -> String {
    let page = admin
        .get(&format!("/console/audit?action={action}"))
        .expect(200)
        .await
        .text();
    let (_, rest) = page.split_once("href=\"../console/audit/records/").unwrap();
    format!("/console/audit/records/{}", rest.split('"').next().unwrap())
}

async fn a_record_is_shown_and_proven(app: TestApp) {
    let admin = Admin::new(&app).await;
    let request = asked(&app, "default", 1).await;
    let path = newest(&admin, "customer.check").await;
    let text = admin.get(&path).expect(200).await.text();
    for expected in [
        "customer.check",
        &request,
        "203.0.113.7",
        "Whom it was about",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(!text.contains(ANN));
    let answer = admin.send(&format!("{path}/proof"), &[]).expect(200).await;
    assert!(
        answer
            .header("content-disposition")
            .starts_with("attachment; filename=\"proof-")
    );
    assert_eq!(answer.json["record"]["request_id"], request);
    let document: bonafide::http::audit::ProofDocument =
        serde_json::from_slice(&answer.bytes).unwrap();
    assert!(document.proof().is_some());
    assert_eq!(record(&app, &answer).await.0, "console.audit.prove");
    admin
        .get("/console/audit/records/1.1.999999")
        .expect(404)
        .await;
    admin.get("/console/audit/records/x").expect(404).await;
}

async fn strangers_have_a_list_of_their_own(app: TestApp) {
    let admin = Admin::new(&app).await;
    check(&app, "bf_aaaaaaaaaaaa_wrong", &json!({"email": ANN}))
        .expect(401)
        .await;
    let page = admin
        .get("/console/audit?whose=strangers")
        .expect(200)
        .await
        .text();
    assert!(
        page.contains(">customer.check</a>") && page.contains("unauthenticated"),
        "{page}"
    );
    let path = page
        .split_once("href=\"../console/audit/records/")
        .unwrap()
        .1;
    let path = format!("/console/audit/records/{}", path.split('"').next().unwrap());
    admin.get(&path).expect(200).await;
}

async fn another_companys_records_are_not_there(app: TestApp) {
    app.company("acme").await;
    asked(&app, "acme", 1).await;
    let key = app.key("acme", "admin").await;
    let there = Admin::with(&app, &key).await;
    let path = newest(&there, "customer.check").await;
    let here = Admin::new(&app).await;
    let page = here
        .get("/console/audit?action=customer.check")
        .expect(200)
        .await;
    assert!(page.text().contains("Nothing fits"));
    here.get(&path).expect(404).await;
    here.send(&format!("{path}/proof"), &[]).expect(404).await;
    there.get(&path).expect(200).await;
}

/// Has the log checked, and waits for what comes of it.
async fn checked(admin: &Admin) -> String {
    admin.send("/console/audit/check", &[]).expect(303).await;
    loop {
        let page = admin.get("/console/audit/check").expect(200).await.text();
        if !page.contains("http-equiv=\"refresh\"") {
            return page;
        }
        tokio::task::yield_now().await;
    }
}

async fn the_whole_log_is_checked(app: TestApp) {
    let admin = Admin::new(&app).await;
    asked(&app, "default", 5).await;
    let before = admin.get("/console/audit/check").expect(200).await.text();
    assert!(before.contains("Not checked yet"), "{before}");
    app.app.checkpoints.make().await.unwrap();
    let page = checked(&admin).await;
    assert!(page.contains("It is whole"), "{page}");
    assert!(page.contains("Check it again"), "{page}");
}

async fn a_log_that_is_not_whole_is_found_out(app: TestApp) {
    let admin = Admin::new(&app).await;
    asked(&app, "default", 1).await;
    let change = "UPDATE audit_records SET outcome = 'fine' WHERE action = 'customer.check'";
    app.database().sql(change).await;
    let page = checked(&admin).await;
    assert!(
        page.contains("It is not whole") && page.contains("was changed"),
        "{page}"
    );
    let back = "UPDATE audit_records SET outcome = 'ok' WHERE action = 'customer.check'";
    app.database().sql(back).await;
    let page = checked(&admin).await;
    assert!(page.contains("It is whole"), "{page}");
}
