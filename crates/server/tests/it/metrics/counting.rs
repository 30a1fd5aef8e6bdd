//! Each metric moves when the thing happens.

use std::sync::Arc;
use std::time::Duration;

use app::deliveries::{Answer, Depth};
use app::mail::Mailer as _;
use axum::Router;
use axum::routing::get;
use bonafide::mail::PrintedMail;
use bonafide::metrics;
use bonafide::metrics::deliveries::Counted;
use domain::age::Method;
use domain::delivery::Outcome;
use jiff::Timestamp;
use serde_json::json;

use super::{Since, scrape};
use crate::ages::{adult, adult_with, minor, verify};
use crate::customers::{BOTH, CHECK, UPDATE, check, prove};
use crate::harness::{Receivers, Settings, TestApp, flows, logged};
use crate::{deliveries, numbers};

flows!(
    requests_are_counted_by_action_method_and_status,
    what_nobody_knows_is_counted_together,
    time_until_the_answer_is_observed,
    callers_that_go_away_are_counted,
    limits_that_refuse_are_counted,
    refused_credentials_are_counted_by_reason,
    audit_records_and_batches_are_counted,
    audit_records_that_fail_are_counted,
    ages_are_counted_as_they_were_answered,
    connections_tell_how_long_they_are_busy,
    attempts_at_deliveries_are_counted_by_outcome,
    sessions_are_counted_when_they_end,
);

const REQUESTS: &str = "bonafide_requests_total";

fn request<'a>(action: &'a str, method: &'a str, status: &'a str) -> [(&'a str, &'a str); 3] {
    [("action", action), ("method", method), ("status", status)]
}

async fn requests_are_counted_by_action_method_and_status(app: TestApp) {
    let key = app.key("default", BOTH).await;
    let question = json!({"email": "ann@example.com"});
    let since = Since::now();
    for _ in 0..3 {
        check(&app, &key, &question).expect(200).await;
    }
    check(&app, &key, &json!({})).expect(400).await;
    prove(&app, &key, "ann@example.com", "veriff", true).await;
    app.get("/health/live").expect(200).await;
    for (labels, least) in [
        (request("customer.check", "POST", "200"), 3.0),
        (request("customer.check", "POST", "400"), 1.0),
        (request("customer.update", "POST", "200"), 1.0),
        (request("health.live", "GET", "200"), 1.0),
    ] {
        since.assert_rise(REQUESTS, &labels, least);
    }
}

async fn what_nobody_knows_is_counted_together(app: TestApp) {
    let since = Since::now();
    for path in ["/api/v1/nowhere", "/elsewhere", "/api/v1/customer/ann"] {
        app.get(path).expect(404).await;
    }
    app.call("BREW", "/coffee").expect(404).await;
    app.call("DELETE", CHECK).expect(405).await;
    since.assert_rise(REQUESTS, &request("request.unknown", "GET", "404"), 3.0);
    since.assert_rise(REQUESTS, &request("request.unknown", "other", "404"), 1.0);
    since.assert_rise(REQUESTS, &request("request.unknown", "DELETE", "405"), 1.0);
}

async fn sessions_are_counted_when_they_end(app: TestApp) {
    const ENDED: &str = "bonafide_number_sessions_total";
    let key = app.key("default", numbers::ALL).await;
    let since = Since::now();
    let ended =
        || ["verified", "failed", "expired"].map(|end| since.rise(ENDED, &[("status", end)]));
    let session = numbers::open(&app, &key, "verified").await;
    for _ in 0..2 {
        numbers::submit(&app, &session, numbers::NUMBER)
            .send()
            .await;
    }
    assert_eq!(ended(), [1.0, 0.0, 0.0]);
    let session = numbers::open(&app, &key, "failed").await;
    for _ in 0..6 {
        numbers::submit(&app, &session, numbers::OTHER).send().await;
    }
    assert_eq!(ended(), [1.0, 1.0, 0.0]);
    let late = numbers::open(&app, &key, "late").await;
    numbers::open(&app, &key, "again").await;
    numbers::open(&app, &key, "swept").await;
    app.advance(Duration::from_secs(600));
    for _ in 0..2 {
        numbers::submit(&app, &late, numbers::NUMBER)
            .expect(410)
            .await;
    }
    assert_eq!(ended(), [1.0, 1.0, 1.0], "a submission that came too late");
    numbers::open(&app, &key, "again").await;
    assert_eq!(ended(), [1.0, 1.0, 2.0], "a session that made way");
    for _ in 0..2 {
        app::numbers::sweep(&app.app).await.unwrap();
    }
    assert_eq!(ended(), [1.0, 1.0, 3.0]);
}

async fn time_until_the_answer_is_observed(app: TestApp) {
    const DURATION: &str = "bonafide_request_duration_seconds";
    let slow = {
        let app = app.clone();
        get(async move || app.advance(Duration::from_millis(30)))
    };
    let edge = app.behind_the_edge(Router::new().route("/slow", slow));
    let since = Since::now();
    edge.get("/slow").expect(200).await;
    let of = |name: &str, le: Option<&str>| {
        let mut labels = vec![("action", "request.unknown")];
        labels.extend(le.map(|le| ("le", le)));
        since.rise(&format!("{DURATION}{name}"), &labels)
    };
    assert!(of("_count", None) >= 1.0);
    assert!(of("_sum", None) >= 0.0299, "{}", of("_sum", None));
    assert!(of("_bucket", Some("0.05")) >= 1.0);
    let observed = of("_bucket", Some("0.05")) - of("_bucket", Some("0.025"));
    assert!(observed >= 1.0, "30 ms lie between 25 and 50");
    assert!(of("_bucket", Some("10")) >= of("_bucket", Some("0.05")));
    let smallest = [("action", "request.unknown"), ("le", "0.0005")];
    let buckets = scrape().samples.into_iter().filter(|sample| {
        sample.name == format!("{DURATION}_bucket") && sample.labels["action"] == smallest[0].1
    });
    assert!(buckets.count() > 10, "a histogram, not a summary");
}

async fn callers_that_go_away_are_counted(app: TestApp) {
    let endless = get(async || std::future::pending::<()>().await);
    let edge = app.behind_the_edge(Router::new().route("/endless", endless));
    let since = Since::now();
    let waiting = edge.get("/endless").send();
    let patience = Duration::from_millis(20);
    assert!(tokio::time::timeout(patience, waiting).await.is_err());
    since.assert_rise(REQUESTS, &request("request.unknown", "GET", "499"), 1.0);
}

async fn limits_that_refuse_are_counted(app: TestApp) {
    const REFUSALS: &str = "bonafide_limit_refusals_total";
    let app = app.another(Settings::default().customers("1/1m")).await;
    let key = app.key("default", "customers:read").await;
    let question = json!({"email": "ann@example.com"});
    check(&app, &key, &question).expect(200).await;
    let since = Since::now();
    for _ in 0..2 {
        check(&app, &key, &question).expect(429).await;
    }
    // Refused for want of a scope: no limit refused it.
    app.post(UPDATE).key(&key).json(&question).expect(403).await;
    since.assert_rise(REFUSALS, &[("limit", "customers")], 2.0);
    let rise = since.rise(REFUSALS, &[("limit", "submit")]);
    assert!(rise.abs() < f64::EPSILON);
}

async fn refused_credentials_are_counted_by_reason(app: TestApp) {
    const REFUSALS: &str = "bonafide_credential_refusals_total";
    const FORM: &str = "application/x-www-form-urlencoded";
    let revoked = app.key("default", "customers:read").await;
    app.revoke(&revoked).await;
    app.chores().await;
    let since = Since::now();
    let ask = || app.post(CHECK).json(&json!({}));
    ask().expect(401).await;
    ask().key("bf_aaaaaaaaaaaa_wrong").expect(401).await;
    ask().key(&revoked).expect(401).await;
    ask()
        .header("authorization", "Bearer x.y.z")
        .expect(401)
        .await;
    let two = ask().key(&revoked).header("authorization", "Bearer x.y.z");
    two.expect(401).await;
    let token = app.post("/api/v1/auth/token");
    token
        .body(FORM, "grant_type=client_credentials")
        .expect(401)
        .await;
    for (reason, least) in [
        ("no credential", 2.0),
        ("malformed credential", 2.0),
        ("revoked key", 1.0),
        ("two different credentials", 1.0),
    ] {
        since.assert_rise(REFUSALS, &[("reason", reason)], least);
    }
}

async fn audit_records_and_batches_are_counted(app: TestApp) {
    let key = app.key("default", BOTH).await;
    let before = app.records().await.len();
    let since = Since::now();
    for _ in 0..4 {
        check(&app, &key, &json!({"email": "ann@example.com"}))
            .expect(200)
            .await;
    }
    prove(&app, &key, "ann@example.com", "veriff", true).await;
    app.get("/api/v1/nowhere").expect(404).await;
    let written = (app.records().await.len() - before) as f64;
    assert!(written >= 6.0);
    since.assert_rise("bonafide_audit_records_total", &[], written);
    since.assert_rise("bonafide_audit_batch_records_sum", &[], written);
    // One after another, each in a batch of its own.
    since.assert_rise("bonafide_audit_batch_records_count", &[], written);
    let labels = [("le", "1")];
    since.assert_rise("bonafide_audit_batch_records_bucket", &labels, written);
}

async fn connections_tell_how_long_they_are_busy(app: TestApp) {
    const COUNT: &str = "bonafide_database_busy_seconds_count";
    let key = app.key("default", BOTH).await;
    let since = Since::now();
    let question = json!({"email": "ann@example.com"});
    check(&app, &key, &question).expect(200).await;
    // The look-up and its record are one batch.
    since.assert_rise(COUNT, &[("work", "writing")], 1.0);
    app.get("/health/ready").expect(200).await;
    since.assert_rise(COUNT, &[("work", "reading")], 1.0);
    let seconds = |work| since.rise("bonafide_database_busy_seconds_sum", &[("work", work)]);
    assert!(seconds("writing") > 0.0 && seconds("reading") > 0.0);
}

/// Whether what fails is the record itself, or already the key that seals it.
async fn audit_records_that_fail_are_counted(app: TestApp) {
    const HIDE: &str = "ALTER TABLE audit_records RENAME TO audit_records_hidden";
    const SHOW: &str = "ALTER TABLE audit_records_hidden RENAME TO audit_records";
    for _ in 0..2 {
        let since = Since::now();
        app.database().sql(HIDE).await;
        for _ in 0..2 {
            app.get("/api/v1/nowhere").expect(503).await;
        }
        app.database().sql(SHOW).await;
        since.assert_rise("bonafide_audit_failures_total", &[], 2.0);
        since.assert_rise(REQUESTS, &request("request.unknown", "GET", "503"), 2.0);
        app.get("/api/v1/nowhere").expect(404).await;
    }
}

async fn ages_are_counted_as_they_were_answered(app: TestApp) {
    let key = app.key("default", "ages:write").await;
    let since = Since::now();
    for (claim, status, times) in [
        (adult("ada"), 200, 3),
        (minor("bob"), 400, 3),
        (adult("bob"), 429, 2),
        (adult_with("eve", "fullName", "Eve"), 400, 1),
        (adult_with("eve", "idNumberLast4", "x"), 400, 1),
    ] {
        for _ in 0..times {
            verify(&app, &key, &claim).expect(status).await;
        }
    }
    for (method, outcome, times) in [
        ("full_verification", "passed", 1.0),
        ("cache", "passed", 2.0),
        ("age_check", "refused", 3.0),
        ("rate_limit", "refused", 2.0),
        ("input_validation", "refused", 1.0),
        ("id_validation", "refused", 1.0),
    ] {
        let labels = [("method", method), ("outcome", outcome)];
        let rise = since.rise("bonafide_age_verifications_total", &labels);
        assert!((rise - times).abs() < f64::EPSILON, "{method}: {rise}");
    }
    since.assert_rise("bonafide_age_processing_seconds_count", &[], 10.0);
}

#[test]
fn age_verifications_are_counted_by_method_and_outcome() {
    let since = Since::now();
    let took = Duration::from_millis(45);
    for method in Method::ALL {
        let passed = matches!(method, Method::FullVerification | Method::Cache);
        metrics::ages::decided(method, passed, took);
    }
    for method in Method::ALL {
        let passed = matches!(method, Method::FullVerification | Method::Cache);
        let outcome = if passed { "passed" } else { "refused" };
        let labels = [("method", method.as_str()), ("outcome", outcome)];
        since.assert_rise("bonafide_age_verifications_total", &labels, 1.0);
    }
    let labels = [("method", "cache"), ("outcome", "refused")];
    let rise = since.rise("bonafide_age_verifications_total", &labels);
    assert!(rise.abs() < f64::EPSILON, "nobody said so");
    since.assert_rise("bonafide_age_processing_seconds_count", &[], 6.0);
    since.assert_rise("bonafide_age_processing_seconds_sum", &[], 0.269);
}

async fn attempts_at_deliveries_are_counted_by_outcome(app: TestApp) {
    const ATTEMPTS: &str = "bonafide_delivery_attempts_total";
    let (_, key) = deliveries::told(&app).await;
    let receivers = Arc::new(Counted(Receivers::default()));
    let mut worker = app.dispatcher_over(receivers.clone());
    let since = Since::now();
    for (number, outcome) in [
        Outcome::Delivered { status: 204 },
        Outcome::Refused { status: 500 },
        Outcome::Timeout,
        Outcome::Unreachable,
        Outcome::Tls,
        Outcome::PrivateAddress,
        Outcome::Unsendable,
        Outcome::Gone,
    ]
    .into_iter()
    .enumerate()
    {
        receivers
            .0
            .answer(deliveries::URL, move |_| Some(Answer::of(outcome)));
        deliveries::verify(&app, &key, &format!("order-{number}")).await;
        worker.run_due().await.unwrap();
        let labels = [("channel", "webhook"), ("outcome", outcome.word())];
        since.assert_rise(ATTEMPTS, &labels, 1.0);
    }
    let labels = [("channel", "webhook")];
    since.assert_rise("bonafide_delivery_duration_seconds_count", &labels, 8.0);
    app.leaves_deliveries();
}

#[tokio::test]
async fn attempts_at_mails_are_counted_by_outcome() {
    crate::harness::capture();
    let mailer = Counted(PrintedMail::new("https://verify.example.com"));
    let since = Since::now();
    mailer.send(&crate::mail::letter("yann@example.com")).await;
    let labels = [("channel", "mail"), ("outcome", "printed")];
    since.assert_rise("bonafide_delivery_attempts_total", &labels, 1.0);
    let log = logged();
    assert!(log.contains("SMTP_URL is not set"));
    assert!(!log.contains("yann@") && !log.contains("to-ken_1"));
}

#[test]
fn how_much_waits_is_shown() {
    const WAITING: &str = "bonafide_deliveries_waiting";
    const OVERDUE: &str = "bonafide_deliveries_overdue_seconds";
    const OFF: &str = "bonafide_webhook_endpoints_off";
    let now: Timestamp = "2025-01-01T00:01:30Z".parse().unwrap();
    let gauges = || [WAITING, OVERDUE, OFF].map(|name| scrape().value(name, &[]));
    for (due, overdue) in [
        (Some("2025-01-01T00:00:00Z"), 90.0),
        // The next is due in the future: nothing is overdue.
        (Some("2025-01-01T00:02:00Z"), 0.0),
        (None, 0.0),
    ] {
        let waiting = i64::from(due.is_some()) * 7;
        let oldest_due = due.map(|due| due.parse().unwrap());
        bonafide::metrics::deliveries::note_depth(
            Depth {
                waiting,
                oldest_due,
                endpoints_off: waiting / 2,
            },
            now,
        );
        assert_eq!(gauges(), [waiting as f64, overdue, (waiting / 2) as f64]);
    }
}

#[test]
fn a_started_process_tells_its_version_and_begins_at_nothing() {
    let at = "2025-01-01T00:00:00.5Z".parse().unwrap();
    bonafide::metrics::started(at);
    bonafide::metrics::started(at);
    let counted = scrape();
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    for (name, labels, value) in [
        ("bonafide_build_info", version.as_slice(), 1.0),
        ("process_start_time_seconds", &[], 1_735_689_600.5),
    ] {
        let found = counted.value(name, labels);
        assert!((found - value).abs() < 0.001, "{name}: {found}");
    }
    for family in [
        "bonafide_limit_refusals_total",
        "bonafide_credential_refusals_total",
        "bonafide_audit_records_total",
        "bonafide_audit_failures_total",
        "bonafide_age_verifications_total",
        "bonafide_delivery_attempts_total",
    ] {
        assert!(counted.samples.iter().any(|sample| sample.name == family));
    }
}
