//! The figures of the overview are those of the audit log.

use std::time::Duration;

use serde_json::json;

use super::Admin;
use crate::ages;
use crate::harness::{TestApp, flows};
use crate::orders::{ALL, ANN, placed};

flows!(
    what_was_asked_is_counted_once,
    an_empty_house_teaches,
    what_waits_is_counted,
    hours_go_by_and_figures_with_them,
    another_companys_requests_are_not_counted,
);

/// The figures of the columns: answered, refused, failed.
async fn figures(admin: &Admin, reach: &str) -> [i64; 3] {
    let page = admin
        .get(&format!("/console?figures={reach}"))
        .expect(200)
        .await
        .text();
    ["Answered", "Refused", "Failed"].map(|name| {
        let begin = format!("</span>{name} <strong>");
        let Some((_, rest)) = page.split_once(&begin) else {
            return 0;
        };
        rest.split('<')
            .next()
            .unwrap()
            .replace('\u{202f}', "")
            .parse()
            .unwrap()
    })
}

async fn check(app: &TestApp, key: &str, times: usize) {
    for _ in 0..times {
        let call = app.post("/api/v1/customer/check-verification").key(key);
        call.json(&json!({"email": ANN})).expect(200).await;
    }
}

async fn what_was_asked_is_counted_once(app: TestApp) {
    let key = app.key("default", &format!("{ALL} {}", ages::ALL)).await;
    let admin = Admin::new(&app).await;
    check(&app, &key, 7).await;
    let young = json!({"customerId": "c1", "fullName": "Ann Lee", "dateOfBirth": "2020-01-01",
        "idNumberLast4": "1234", "state": "TX"});
    ages::verify(&app, &key, &young).expect(400).await;
    for _ in 0..3 {
        app::audit::count_hours(&app.app).await.unwrap();
        app.another(crate::harness::Settings::default()).await;
    }
    for reach in ["24h", "7d", "30d"] {
        assert_eq!(figures(&admin, reach).await, [7, 1, 0], "{reach}");
    }
    check(&app, &key, 2).await;
    app::audit::count_hours(&app.app).await.unwrap();
    assert_eq!(figures(&admin, "24h").await, [9, 1, 0]);
    admin.get("/console?figures=1y").expect(404).await;
}

async fn an_empty_house_teaches(app: TestApp) {
    let admin = Admin::new(&app).await;
    let page = admin.get("/console").expect(200).await.text();
    for expected in [
        "Nobody has asked anything",
        "curl -sS",
        "No order is waiting",
    ] {
        assert!(page.contains(expected), "{expected}: {page}");
    }
    assert!(!page.contains("bf_"), "no key stands in a page");
}

async fn what_waits_is_counted(app: TestApp) {
    let key = app.key("default", ALL).await;
    for id in ["a", "b"] {
        placed(&app, &key, id, ANN).await;
    }
    app.advance(Duration::from_secs(3_600));
    let admin = Admin::new(&app).await;
    let page = admin.get("/console").expect(200).await.text();
    assert!(page.contains("<p class=\"value\">2</p>"), "{page}");
    assert!(page.contains("The oldest has 2 d 23 h left"), "{page}");
    app.leaves_deliveries();
}

async fn hours_go_by_and_figures_with_them(app: TestApp) {
    let key = app.key("default", ALL).await;
    check(&app, &key, 3).await;
    app::audit::count_hours(&app.app).await.unwrap();
    app.advance(Duration::from_secs(24 * 3_600));
    let admin = Admin::new(&app).await;
    assert_eq!(figures(&admin, "24h").await, [0, 0, 0]);
    assert_eq!(figures(&admin, "7d").await, [3, 0, 0]);
    app.advance(Duration::from_secs(400 * 24 * 3_600));
    assert!(app::audit::forget_hours(&app.app).await.unwrap() > 0);
}

async fn another_companys_requests_are_not_counted(app: TestApp) {
    app.company("acme").await;
    let key = app.key("acme", ALL).await;
    check(&app, &key, 3).await;
    app::audit::count_hours(&app.app).await.unwrap();
    let admin = Admin::new(&app).await;
    assert_eq!(figures(&admin, "24h").await, [0, 0, 0]);
}
