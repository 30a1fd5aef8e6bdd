//! `/metrics` on the API: who may read it, what is in it, and what never is.

use app::quota::QuotaHealth;
use serde_json::json;

use super::exposition::Exposition;
use crate::customers::{BOTH, check, update};
use crate::harness::{TestApp, flows, key_id};

flows!(
    administrators_read_the_metrics,
    strangers_do_not_and_leave_a_record,
    the_state_of_limits_is_shown,
    nothing_that_was_sent_is_shown,
    an_outage_can_be_watched,
);

const PATH: &str = "/metrics";

async fn administrators_read_the_metrics(app: TestApp) {
    let key = app.key("default", "admin").await;
    let before = app.records().await.len();
    let answer = app.get(PATH).key(&key).expect(200).await;
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(app.records().await.len(), before, "scrapes are no events");
    let text = app.get(PATH).key(&key).expect(200).await.text();
    let labels = [
        ("action", "metrics.show"),
        ("method", "GET"),
        ("status", "200"),
    ];
    assert!(Exposition::parse(&text).value("bonafide_requests_total", &labels) >= 1.0);
}

async fn strangers_do_not_and_leave_a_record(app: TestApp) {
    let shop = app.key("default", BOTH).await;
    for (call, status, code) in [
        (app.get(PATH), 401, "unauthenticated"),
        (app.get(PATH).key("bf_bad"), 401, "unauthenticated"),
        (app.get(PATH).key(&shop), 403, "forbidden"),
    ] {
        let answer = call.expect(status).await;
        assert_eq!(answer.code(), code);
        assert!(!answer.text().contains("bonafide_requests_total"));
        let records = app.records_of(answer.request_id()).await;
        assert_eq!(records.len(), 1);
        assert_eq!(records[0].record.action, "metrics.show");
    }
}

async fn the_state_of_limits_is_shown(app: TestApp) {
    let key = app.key("default", "admin").await;
    let text = app.get(PATH).key(&key).expect(200).await.text();
    let shown = Exposition::parse(&text);
    let stands = |name: &str| shown.samples.iter().find(|sample| sample.name == name);
    assert!(stands("bonafide_limits_shared").is_some());
    assert!(stands("bonafide_limits_degraded").unwrap().value < 0.5);
    let shared = shown.value("bonafide_limits_shared", &[]) > 0.5;
    assert_eq!(shared, app.quota_health() == QuotaHealth::Shared);
}

/// Everything that a request can carry is sent once; none of it may come back.
async fn nothing_that_was_sent_is_shown(app: TestApp) {
    let id = format!("request-{}", app.nonce());
    let company = format!("company-{}", app.nonce());
    app.company(&company).await;
    let key = app.key(&company, BOTH).await;
    let admin = app.key("default", "admin").await;
    let app = app.reached_from("198.51.100.77:1234", false);
    let email = "mallory.sent@example.com";
    let agent = "agent-that-was-sent/1";
    let sent = |call: crate::harness::Call| {
        call.header("x-request-id", &id)
            .header("user-agent", agent)
            .header("x-forwarded-for", "198.51.100.78")
            .send()
    };
    let change = json!({"email": email, "verification_type": "veriff", "status": true});
    sent(check(
        &app,
        &key,
        &json!({"email": email, "phone": "+14155550123"}),
    ))
    .await;
    sent(update(&app, &key, &change)).await;
    sent(check(&app, "bf_sentkeysentk_sentsecret", &json!({}))).await;
    sent(app.get("/path-that-was-sent?query=sent-too")).await;
    sent(app.get("/docs/page-that-was-sent")).await;
    sent(app.call("SENTMETHOD", "/api/v1/sent-path")).await;
    sent(app.get("/api/v1/admin/companies/sent-company").key(&admin)).await;
    let text = app.get(PATH).key(&admin).expect(200).await.text();
    Exposition::parse(&text);
    for secret in [
        id.as_str(),
        company.as_str(),
        email,
        "4155550123",
        "198.51.100",
        key_id(&key),
        key_id(&admin),
    ] {
        assert!(!text.contains(secret), "{secret} is shown");
    }
    assert!(!text.to_lowercase().contains("sent"), "{text}");
}

async fn an_outage_can_be_watched(app: TestApp) {
    const HIDE: &str = "ALTER TABLE audit_records RENAME TO audit_records_hidden";
    const SHOW: &str = "ALTER TABLE audit_records_hidden RENAME TO audit_records";
    let key = app.key("default", "admin").await;
    app.database().sql(HIDE).await;
    app.get(PATH).key(&key).expect(200).await;
    app.database().sql(SHOW).await;
}
