//! BigQuery is away, wants to be left alone, or takes some rows and not others.

use std::time::Duration;

use app::archive::ArchiveProblem;
use serde_json::json;

use super::google::Mood;
use super::{AGES, AUDIT, Stage};
use crate::harness::{TestApp, flows};
use crate::metrics::{Since, scrape};

flows!(
    a_bad_row_is_parked_and_the_others_are_taken,
    rows_that_are_turned_away_are_sent_again_alone,
    a_row_that_is_never_taken_is_parked_in_the_end,
    whatever_goes_wrong_nothing_is_lost,
    it_is_left_alone_for_as_long_as_it_wants,
    it_is_left_alone_for_longer_and_longer,
    a_request_that_is_too_large_is_sent_in_parts,
    trouble_shows_in_health_and_goes_away,
    rows_and_failures_are_counted,
    a_row_that_waits_holds_up_no_other_log,
);

async fn begun(app: &TestApp) -> Stage {
    let mut stage = Stage::set(app).await;
    stage.copy().await;
    stage
}

async fn a_bad_row_is_parked_and_the_others_are_taken(app: TestApp) {
    let mut stage = begun(&app).await;
    stage.decide(0, 5).await;
    let decisions = stage.decisions().await;
    let bad = decisions.iter().nth(2).unwrap();
    stage.google.objects(bad, &["invalid"]);
    stage.copy().await;
    assert_eq!(
        (stage.google.names(AUDIT).1, stage.google.names(AGES).1),
        (5, 4)
    );
    let parked = app::archive::parked(&stage.app.app, 10).await.unwrap();
    assert_eq!(parked.len(), 1);
    let told = (
        parked[0].kind.as_str(),
        &parked[0].name,
        parked[0].reason.as_str(),
    );
    assert_eq!(told, (AGES, bad, "invalid"));
    assert_eq!(stage.state().await.parked, 1);
    // What comes later is not held up, and what was taken is not sent again.
    stage.google.insert_ids();
    stage.decide(5, 6).await;
    stage.copy().await;
    assert_eq!(stage.google.insert_ids().len(), 2);
    // It is refused again, and then somebody has seen to it.
    let retry = || async {
        let command = stage.app.command("archive.retry");
        app::archive::retry(&stage.app.app, &command, &*stage.client)
            .await
            .unwrap()
    };
    stage.google.objects(bad, &["invalid"]);
    let retried = retry().await;
    assert_eq!((retried.taken, retried.refused, retried.gone), (0, 1, 0));
    assert_eq!(stage.state().await.parked, 1);
    let retried = retry().await;
    assert_eq!((retried.taken, retried.refused, retried.gone), (1, 0, 0));
    assert_eq!(stage.state().await.parked, 0);
    assert_eq!(stage.google.names(AGES).1, 6);
    assert_eq!(stage.app.recorded().await["archive.retry"], 2);
}

async fn rows_that_are_turned_away_are_sent_again_alone(app: TestApp) {
    let mut stage = begun(&app).await;
    stage.decide(0, 5).await;
    let decisions = stage.decisions().await;
    let unlucky = decisions.iter().nth(1).unwrap();
    stage.google.objects(unlucky, &["backendError", "stopped"]);
    let (problem, _) = stage.fail().await;
    assert_eq!(problem, ArchiveProblem::Partial);
    let sent = stage.google.insert_ids();
    assert_eq!(
        sent.len(),
        11,
        "all of them, and the one that was turned away"
    );
    assert_eq!(
        sent.iter()
            .filter(|name| name.ends_with(unlucky.as_str()))
            .count(),
        2
    );
    assert_eq!(
        (stage.google.names(AUDIT).1, stage.google.names(AGES).1),
        (5, 4)
    );
    stage.copy().await;
    let sent = stage.google.insert_ids();
    assert_eq!(sent, [format!("age_verifications/{unlucky}")]);
    assert_eq!(stage.google.names(AGES).1, 5);
}

async fn a_row_that_is_never_taken_is_parked_in_the_end(app: TestApp) {
    let mut stage = begun(&app).await;
    stage.decide(0, 2).await;
    let decisions = stage.decisions().await;
    let unlucky = decisions.first().unwrap();
    stage.google.objects(unlucky, &["backendError"; 100]);
    let mut times = 0;
    while let app::archive::Next::Again(problem, _) = stage.step().await {
        assert_eq!(problem, ArchiveProblem::Partial);
        times += 1;
        assert!(times < 100);
        stage.advance(Duration::from_secs(30));
    }
    assert!(times > 5, "it is not given up at once");
    let parked = app::archive::parked(&stage.app.app, 10).await.unwrap();
    assert_eq!(
        (&parked[0].name, parked[0].reason.as_str()),
        (unlucky, "backendError")
    );
    assert_eq!(stage.google.names(AGES).1, 1);
    stage.google.objects(unlucky, &[]);
    stage.decide(2, 3).await;
    stage.copy().await;
    assert_eq!(stage.google.names(AGES).1, 2);
}

async fn whatever_goes_wrong_nothing_is_lost(app: TestApp) {
    let mut stage = begun(&app).await;
    let moods = [
        (Mood::Status(500), ArchiveProblem::Away(None)),
        (Mood::Status(502), ArchiveProblem::Away(None)),
        (Mood::Status(503), ArchiveProblem::Away(None)),
        (Mood::Status(302), ArchiveProblem::Away(None)),
        (Mood::Status(429), ArchiveProblem::Busy(None)),
        (Mood::Status(400), ArchiveProblem::Unacceptable),
        (
            Mood::Forbids("rateLimitExceeded"),
            ArchiveProblem::Busy(None),
        ),
        (Mood::Forbids("quotaExceeded"), ArchiveProblem::Busy(None)),
        (Mood::Forbids("accessDenied"), ArchiveProblem::Forbidden),
        (Mood::Text("<html>"), ArchiveProblem::Garbled),
        (
            Mood::Text(r#"{"insertErrors":[{"index":9999}]}"#),
            ArchiveProblem::Garbled,
        ),
    ];
    let count = moods.len();
    for (number, (mood, expected)) in moods.into_iter().enumerate() {
        stage.decide(number, number + 1).await;
        stage.google.be_at_insert(mood);
        let (problem, _) = stage.fail().await;
        assert_eq!(problem, expected);
        let (trouble, _) = stage.state().await.trouble.unwrap();
        assert_eq!(trouble, expected.word());
        stage.copy().await;
        assert_eq!(stage.state().await.trouble, None);
    }
    assert_eq!(stage.google.names(AUDIT).1, count);
    assert_eq!(stage.google.names(AGES).1, count);
}

async fn it_is_left_alone_for_as_long_as_it_wants(app: TestApp) {
    let mut stage = begun(&app).await;
    stage.decide(0, 1).await;
    for status in [429, 503] {
        stage.google.be_at_insert(Mood::RetryAfter(status, 4_000));
        let (problem, pause) = stage.fail().await;
        assert_eq!(problem.wish(), Some(Duration::from_secs(4_000)));
        assert_eq!(pause, Duration::from_secs(4_000));
    }
    stage.advance(Duration::from_secs(4_000));
    stage.copy().await;
    assert_eq!(stage.google.names(AGES).1, 1);
}

async fn it_is_left_alone_for_longer_and_longer(app: TestApp) {
    let mut stage = begun(&app).await;
    stage.decide(0, 1).await;
    let mut pauses = Vec::new();
    for _ in 0..12 {
        stage.google.be_at_insert(Mood::Status(503));
        pauses.push(stage.fail().await.1);
    }
    let seconds = |pause: &Duration| pause.as_secs_f64();
    assert!((0.9..=1.1).contains(&seconds(&pauses[0])), "{pauses:?}");
    assert!(pauses[..9].is_sorted(), "{pauses:?}");
    assert!(
        pauses[9..]
            .iter()
            .all(|pause| (270.0..=330.0).contains(&seconds(pause)))
    );
    stage.copy().await;
    stage.decide(1, 2).await;
    stage.google.be_at_insert(Mood::Status(503));
    assert!(
        stage.fail().await.1 < Duration::from_secs(2),
        "it begins anew"
    );
}

async fn a_request_that_is_too_large_is_sent_in_parts(app: TestApp) {
    let mut stage = begun(&app).await;
    stage.decide(0, 8).await;
    for _ in 0..3 {
        stage.google.be_at_insert(Mood::Status(413));
    }
    stage.copy().await;
    assert_eq!(
        (stage.google.names(AUDIT).1, stage.google.names(AGES).1),
        (8, 8)
    );
    assert_eq!(stage.state().await.parked, 0);
}

async fn trouble_shows_in_health_and_goes_away(app: TestApp) {
    let mut stage = begun(&app).await;
    let health = stage.app.get("/health").expect(200).await;
    assert_eq!(health.json["status"], "healthy");
    assert_eq!(
        health.json["components"]["archive"],
        json!({"status": "healthy", "kind": "bigquery"})
    );
    stage.decide(0, 1).await;
    stage.google.be_at_insert(Mood::Status(503));
    stage.fail().await;
    let health = stage.app.get("/health").expect(200).await;
    assert_eq!(health.json["status"], "degraded");
    assert_eq!(health.json["components"]["archive"]["status"], "degraded");
    stage.app.get("/health/ready").expect(200).await;
    stage.copy().await;
    let health = stage.app.get("/health").expect(200).await;
    assert_eq!(health.json["status"], "healthy");
    // Nobody copies: it shows after a while, also to those that only answer.
    stage.decide(1, 2).await;
    let health = stage.app.get("/health").expect(200).await;
    assert_eq!(health.json["status"], "healthy");
    stage.advance(Duration::from_secs(700));
    let health = stage.app.get("/health").expect(200).await;
    assert_eq!(health.json["components"]["archive"]["status"], "degraded");
    let waited = stage.state().await.lag(stage.app.now());
    assert_eq!(waited.as_secs(), 700);
    let of_ages = stage.app.get("/health/age-verification").expect(200).await;
    assert_eq!(of_ages.json["storage"], "bigquery");
    // Without an archive nothing is said of one.
    let health = app.get("/health").expect(200).await;
    assert_eq!(health.json["components"].get("archive"), None);
}

async fn rows_and_failures_are_counted(app: TestApp) {
    const ROWS: &str = "bonafide_archive_rows_total";
    let mut stage = begun(&app).await;
    stage.decide(0, 3).await;
    let decisions = stage.decisions().await;
    let mut names = decisions.iter();
    stage.google.objects(names.next().unwrap(), &["invalid"]);
    stage.google.objects(names.next().unwrap(), &["stopped"]);
    let since = Since::now();
    stage.google.be_at_insert(Mood::Status(503));
    stage.fail().await;
    stage.copy().await;
    for (table, outcome, least) in [
        (AUDIT, "taken", 3.0),
        (AGES, "taken", 2.0),
        (AGES, "again", 1.0),
        (AGES, "refused", 1.0),
    ] {
        since.assert_rise(ROWS, &[("table", table), ("outcome", outcome)], least);
    }
    let failures = "bonafide_archive_failures_total";
    since.assert_rise(failures, &[("reason", "unreachable")], 1.0);
    stage.decide(3, 4).await;
    stage.advance(Duration::from_secs(90));
    bonafide::metrics::archive::note(&stage.state().await, stage.app.now());
    let told = scrape();
    assert_eq!(told.value("bonafide_archive_parked", &[]), 1.0);
    assert_eq!(told.value("bonafide_archive_lag_seconds", &[]), 90.0);
    assert_eq!(told.value("bonafide_archive_trouble", &[]), 0.0);
}

/// On PostgreSQL there are several logs.
async fn a_row_that_waits_holds_up_no_other_log(app: TestApp) {
    let mut stage = begun(&app).await;
    stage.decide(0, 12).await;
    let decisions = stage.decisions().await;
    let unlucky = decisions.first().unwrap();
    stage.google.objects(unlucky, &["backendError"; 3]);
    assert_eq!(stage.fail().await.0, ArchiveProblem::Partial);
    assert_eq!(
        (stage.google.names(AUDIT).1, stage.google.names(AGES).1),
        (12, 11)
    );
    stage.advance(Duration::from_secs(2));
    while let app::archive::Next::Again(problem, _) = stage.step().await {
        assert_eq!(problem, ArchiveProblem::Partial);
    }
    assert_eq!(stage.google.names(AGES).1, 12);
    assert_eq!(stage.state().await.parked, 0);
}
