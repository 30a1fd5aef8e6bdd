//! statistics, and the recount behind them.

use std::time::Duration;

use app::ages::recount;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{
    ALL, DAY, adult, adult_with, closed, minor, pass, refuse, resubmit, statistics, use_up, verify,
    wire,
};
use crate::harness::{TestApp, flows};

flows!(
    nothing_decided_is_a_rate_of_zero,
    only_decisions_count,
    periods_are_1_to_2557_days,
    days_are_those_of_utc,
    companies_are_counted_apart,
    a_recount_finds_what_was_tampered_with,
    a_recount_finds_days_without_decisions,
    a_recount_beside_decisions_counts_each_once,
);

/// Attempts, successes, failures and the rate.
async fn counts(app: &TestApp, key: &str, query: &str) -> (i64, i64, i64, String) {
    let answer = statistics(app, key, query).expect(200).await.json;
    let counts = &answer["statistics"];
    let number = |name: &str| counts[name].as_i64().unwrap();
    (
        number("totalAttempts"),
        number("successfulVerifications"),
        number("failedVerifications"),
        counts["successRate"].as_str().unwrap().to_owned(),
    )
}

/// How many counts a recount finds wrong.
async fn wrong(app: &TestApp, correct: bool) -> usize {
    let found = recount(&app.app, correct, |_, _| {}).await.unwrap();
    found.differences.len()
}

async fn nothing_decided_is_a_rate_of_zero(app: TestApp) {
    let key = app.key("default", "statistics:read").await;
    let answer = statistics(&app, &key, "").expect(200).await;
    insta::assert_snapshot!("nothing", wire(&answer));
    assert_eq!(wrong(&app, false).await, 0);
}

async fn only_decisions_count(app: TestApp) {
    let key = app.key("default", ALL).await;
    for customer in ["a", "b"] {
        pass(&app, &key, customer).await;
        pass(&app, &key, customer).await;
    }
    resubmit(&app, &key, &adult("a")).expect(200).await;
    use_up(&app, &key, "c").await;
    closed(&app, &key, &minor("c")).await;
    verify(&app, &key, &adult_with("d", "state", "Atlantis"))
        .expect(400)
        .await;
    verify(&app, &key, &json!({"customerId": "e"}))
        .expect(400)
        .await;
    let answer = statistics(&app, &key, "?days=7").expect(200).await;
    insta::assert_snapshot!("counted", wire(&answer));
    assert_eq!(wrong(&app, false).await, 0);
    let reasons = "SELECT method, reason, state, SUM(decided) FROM age_daily_reasons \
                   GROUP BY method, reason, state ORDER BY method";
    let rows = app.database().sql(reasons).await;
    assert_eq!(
        rows,
        [
            ["age_check", "under_minimum_age", "TX", "3"],
            ["full_verification", "passed", "TX", "3"],
            ["input_validation", "state_unknown", "unknown", "1"],
        ]
    );
}

async fn periods_are_1_to_2557_days(app: TestApp) {
    let key = app.key("default", "statistics:read").await;
    for (query, period) in [
        ("", "30 days"),
        ("?days=1", "1 days"),
        ("?days=2557", "2557 days"),
        ("?other=1", "30 days"),
    ] {
        let answer = statistics(&app, &key, query).expect(200).await;
        assert_eq!(answer.json["statistics"]["period"], period);
    }
    for wrong in [
        "0",
        "2558",
        "-1",
        "",
        "abc",
        "1.5",
        "1e3",
        "99999999999999999999",
        " 1",
        "1&days=1",
    ] {
        let query = format!("?days={}", wrong.replace(' ', "%20"));
        let answer = statistics(&app, &key, &query).expect(400).await;
        assert_eq!(answer.code(), "invalid_request");
        assert!(
            answer.fields().iter().all(|field| *field == "days"),
            "{wrong}"
        );
        assert!(answer.json.get("missing").is_none());
    }
}

async fn days_are_those_of_utc(app: TestApp) {
    let key = app.key("default", ALL).await;
    // A new day begins with the very instant.
    app.advance(DAY - Duration::from_micros(1));
    refuse(&app, &key, "a").await;
    app.advance(Duration::from_micros(1));
    pass(&app, &key, "b").await;
    assert_eq!(
        counts(&app, &key, "?days=1").await,
        (1, 1, 0, "100.00".into())
    );
    assert_eq!(
        counts(&app, &key, "?days=2").await,
        (2, 1, 1, "50.00".into())
    );
    app.advance(28 * DAY);
    assert_eq!(
        counts(&app, &key, "").await.0,
        2,
        "both days are among the last thirty"
    );
    app.advance(DAY - Duration::from_micros(1));
    assert_eq!(counts(&app, &key, "").await.0, 2);
    app.advance(Duration::from_micros(1));
    assert_eq!(counts(&app, &key, "").await, (1, 1, 0, "100.00".into()));
    assert_eq!(wrong(&app, false).await, 0);
}

async fn companies_are_counted_apart(app: TestApp) {
    app.company("acme").await;
    let (ours, theirs) = (app.key("default", ALL).await, app.key("acme", ALL).await);
    pass(&app, &ours, "a").await;
    pass(&app, &ours, "b").await;
    refuse(&app, &theirs, "a").await;
    assert_eq!(counts(&app, &ours, "").await, (2, 2, 0, "100.00".into()));
    assert_eq!(counts(&app, &theirs, "").await, (1, 0, 1, "0.00".into()));
    assert_eq!(wrong(&app, false).await, 0);
}

async fn some_days(app: &TestApp, key: &str) -> Value {
    for customer in ["a", "b", "c"] {
        pass(app, key, customer).await;
        refuse(app, key, &format!("young {customer}")).await;
        app.advance(DAY);
    }
    statistics(app, key, "").expect(200).await.json
}

async fn a_recount_finds_what_was_tampered_with(app: TestApp) {
    let key = app.key("default", ALL).await;
    let before = some_days(&app, &key).await;
    for tampering in [
        "UPDATE age_daily_totals SET passed = passed + 7",
        "DELETE FROM age_daily_totals WHERE refused > 0",
        "UPDATE age_daily_reasons SET state = 'NY' WHERE reason = 'passed'",
        "DELETE FROM age_daily_reasons",
        "UPDATE age_daily_totals SET company_id = 'acme'",
        "INSERT INTO age_daily_totals (company_id, day, log, passed, refused) VALUES ('default', 20089, 77, 1, 0)",
    ] {
        app.database().sql(tampering).await;
        let found = wrong(&app, false).await;
        assert!(found > 0, "{tampering}");
        assert_eq!(wrong(&app, true).await, found, "{tampering}");
        assert_eq!(wrong(&app, false).await, 0, "{tampering}");
        let after = statistics(&app, &key, "").expect(200).await.json;
        assert_eq!(after, before, "{tampering}");
    }
    // What is decided afterwards is counted on.
    pass(&app, &key, "d").await;
    assert_eq!(counts(&app, &key, "").await.0, 7);
    assert_eq!(wrong(&app, false).await, 0);
}

async fn a_recount_finds_days_without_decisions(app: TestApp) {
    let key = app.key("default", ALL).await;
    let invent = async |day: i64| {
        let insert = format!(
            "INSERT INTO age_daily_totals (company_id, day, log, passed, refused) \
             VALUES ('default', {day}, 1, 5, 0)"
        );
        app.database().sql(&insert).await;
    };
    // Nothing is decided at all; before the first day, tomorrow, and when no clock ever stands.
    for day in [20_089, 20_080, 20_200, i64::MAX, -1, i64::MIN] {
        invent(day).await;
        assert_eq!(wrong(&app, false).await, 1, "{day}");
        assert_eq!(wrong(&app, true).await, 1);
        assert_eq!(wrong(&app, false).await, 0);
        refuse(&app, &key, &day.to_string()).await;
    }
    assert_eq!(counts(&app, &key, "").await.0, 6);
}

async fn a_recount_beside_decisions_counts_each_once(app: TestApp) {
    let key = &app.key("default", ALL).await;
    let app = &app;
    for round in 0..8 {
        // Tampered with each time, so that each recount has something to write.
        let tampering = "UPDATE age_daily_totals SET passed = passed + 1";
        app.database().sql(tampering).await;
        let calls = (0..40).map(async |number| {
            if number % 10 == 5 {
                recount(&app.app, true, |_, _| {}).await.unwrap();
            }
            pass(app, key, &format!("customer-{round}-{number}")).await;
        });
        join_all(calls).await;
        recount(&app.app, round == 0, |_, _| {}).await.unwrap();
        assert_eq!(wrong(app, false).await, 0, "in round {round}");
    }
    assert_eq!(counts(app, key, "").await.0, 320);
}
