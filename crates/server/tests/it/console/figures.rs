//! Numbers and ages in the console.

use serde_json::json;

use super::Admin;
use crate::ages;
use crate::harness::{TestApp, flows};
use crate::numbers::{self, NUMBER};

flows!(
    sessions_about_numbers_are_listed_masked,
    sessions_are_paged,
    ages_are_told_by_day_reason_and_state,
    another_companys_figures_are_not_there,
);

async fn sessions_about_numbers_are_listed_masked(app: TestApp) {
    let admin = Admin::new(&app).await;
    let empty = admin.get("/console/numbers").expect(200).await.text();
    assert!(empty.contains("No number was verified yet"), "{empty}");
    let key = app.key("default", numbers::ALL).await;
    let verified = numbers::open(&app, &key, "order-81").await;
    numbers::submit(&app, &verified, NUMBER).expect(200).await;
    numbers::open(&app, &key, "order-82").await;
    let page = admin.get("/console/numbers").expect(200).await.text();
    for expected in ["order-81", "order-82", "Verified", "Pending", "10 min"] {
        assert!(page.contains(expected), "{expected}: {page}");
    }
    assert!(!page.contains(NUMBER), "{page}");
    admin.get("/console/numbers?cursor=x").expect(400).await;
}

async fn sessions_are_paged(app: TestApp) {
    let admin = Admin::new(&app).await;
    let key = app.key("default", numbers::ALL).await;
    for number in 0..27 {
        numbers::open(&app, &key, &format!("order-{number:02}")).await;
        app.advance(std::time::Duration::from_secs(1));
    }
    let first = admin.get("/console/numbers").expect(200).await.text();
    assert!(
        first.contains("order-26") && first.contains("order-02"),
        "{first}"
    );
    assert!(!first.contains("order-01"), "{first}");
    let (_, rest) = first.split_once("console/numbers?cursor=").unwrap();
    let cursor = rest.split('"').next().unwrap();
    let next = format!("/console/numbers?cursor={cursor}");
    let second = admin.get(&next).expect(200).await.text();
    assert!(
        second.contains("order-01") && second.contains("order-00"),
        "{second}"
    );
    assert!(
        !second.contains("order-02") && !second.contains("cursor="),
        "{second}"
    );
}

fn claim(id: &str, born: &str, state: &str) -> serde_json::Value {
    json!({"customerId": id, "fullName": "Ann Lee", "dateOfBirth": born,
        "idNumberLast4": "1234", "state": state})
}

async fn ages_are_told_by_day_reason_and_state(app: TestApp) {
    let admin = Admin::new(&app).await;
    let empty = admin.get("/console/ages").expect(200).await.text();
    assert!(empty.contains("No age was checked"), "{empty}");
    let key = app.key("default", ages::ALL).await;
    for (id, born, state, status) in [
        ("a", "1990-01-01", "TX", 200),
        ("b", "1991-01-01", "TX", 200),
        ("c", "1992-01-01", "CA", 200),
        ("d", "2020-01-01", "CA", 400),
    ] {
        let call = ages::verify(&app, &key, &claim(id, born, state));
        call.expect(status).await;
    }
    for days in ["30", "90", "365"] {
        let page = admin
            .get(&format!("/console/ages?days={days}"))
            .expect(200)
            .await
            .text();
        for expected in [
            "</span>Passed <strong>3</strong>",
            "</span>Refused <strong>1</strong>",
            "Not old enough",
            "All checks passed",
            "<th scope=\"row\">TX</th><td class=\"number\">2</td><td class=\"number\">100.0 %</td>",
            "<th scope=\"row\">CA</th><td class=\"number\">2</td><td class=\"number\">50.0 %</td>",
        ] {
            assert!(page.contains(expected), "{expected}: {page}");
        }
    }
    admin.get("/console/ages?days=31").expect(404).await;
}

async fn another_companys_figures_are_not_there(app: TestApp) {
    app.company("acme").await;
    let key = app
        .key("acme", &format!("{} {}", ages::ALL, numbers::ALL))
        .await;
    ages::verify(&app, &key, &claim("a", "1990-01-01", "TX"))
        .expect(200)
        .await;
    numbers::open(&app, &key, "order-81").await;
    let admin = Admin::new(&app).await;
    let page = admin.get("/console/ages").expect(200).await.text();
    assert!(page.contains("No age was checked"), "{page}");
    let page = admin.get("/console/numbers").expect(200).await.text();
    assert!(page.contains("No number was verified yet"), "{page}");
}
