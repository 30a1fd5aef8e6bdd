//! Decisions of which no hook told.

use std::time::Duration;

use app::veriff::{Polled, VeriffApi as _, VeriffProblem, poll_due, sync};
use serde_json::json;

use super::office::Mood;
use super::{ANN, Stage, client, decision};
use crate::harness::{TestApp, flows, logged};
use crate::metrics::Since;

flows!(
    a_missed_decision_is_fetched_when_it_is_due,
    one_decision_by_two_ways_is_one,
    a_run_asks_about_every_session_once,
    a_veriff_that_is_away_cuts_a_run_off,
    what_veriff_has_not_signed_is_not_believed,
    the_secret_before_is_believed_while_it_is_changed,
    after_eight_days_nobody_asks_any_more,
    a_session_that_cannot_be_read_keeps_no_other_from_its_turn,
);

const AT: &str = "2024-12-31T23:00:00.000Z";
const HOUR: Duration = Duration::from_secs(3_600);

async fn poll(stage: &Stage) -> Polled {
    poll_due(&stage.app.app, &stage.veriff).await.unwrap()
}

async fn run(stage: &Stage) -> Polled {
    let command = stage.app.command("veriff.sync");
    sync(&stage.app.app, &command, &stage.veriff).await.unwrap()
}

async fn a_missed_decision_is_fetched_when_it_is_due(app: TestApp) {
    let stage = Stage::set(&app).await;
    let (session, reference) = stage.started(ANN).await;
    assert_eq!(poll(&stage).await, Polled::default(), "it is too early");
    stage.app.advance(HOUR / 4);
    let polled = poll(&stage).await;
    assert_eq!((polled.asked, polled.decided), (1, 0));
    stage
        .office
        .decide(&session, decision(&session, &reference, "approved", AT));
    stage.app.advance(HOUR);
    let polled = poll(&stage).await;
    assert_eq!((polled.asked, polled.decided, polled.filed), (1, 1, 1));
    stage.work().await;
    assert!(stage.is_approved(ANN).await);
    stage.app.advance(24 * HOUR);
    assert_eq!(poll(&stage).await.asked, 0, "it is decided");
}

async fn one_decision_by_two_ways_is_one(app: TestApp) {
    let stage = Stage::set(&app).await;
    let (session, reference) = stage.started(ANN).await;
    let approved = decision(&session, &reference, "approved", AT);
    stage.office.decide(&session, approved.clone());
    assert_eq!(run(&stage).await.filed, 1);
    stage.hear(&approved).await;
    assert_eq!(stage.events().await.len(), 1);
    assert!(stage.is_approved(ANN).await);
}

async fn a_run_asks_about_every_session_once(app: TestApp) {
    let stage = Stage::set(&app).await;
    for number in 0..45 {
        stage.started(&format!("c{number}@example.com")).await;
    }
    stage.office.asked();
    stage.app.advance(HOUR);
    let polled = run(&stage).await;
    assert_eq!((polled.asked, polled.problem), (45, None));
    let mut paths: Vec<_> = stage
        .office
        .asked()
        .into_iter()
        .map(|asked| asked.1)
        .collect();
    paths.sort();
    paths.dedup();
    assert_eq!(paths.len(), 45);
    assert_eq!(stage.app.recorded().await["veriff.sync"], 1);
}

async fn a_veriff_that_is_away_cuts_a_run_off(app: TestApp) {
    let stage = Stage::set(&app).await;
    let (session, reference) = stage.started(ANN).await;
    stage
        .office
        .decide(&session, decision(&session, &reference, "approved", AT));
    stage.office.be(Mood::Status(503));
    assert_eq!(run(&stage).await.problem, Some(VeriffProblem::Silent));
    stage.app.advance(HOUR);
    assert_eq!(run(&stage).await.filed, 1);
    stage.work().await;
    let url = stage.office.url();
    drop(stage.office);
    let alone = client(&stage.app, &url);
    assert_eq!(
        alone.decision(&session).await,
        Err(VeriffProblem::Unreachable)
    );
}

async fn what_veriff_has_not_signed_is_not_believed(app: TestApp) {
    let stage = Stage::set(&app).await;
    let (session, reference) = stage.started(ANN).await;
    stage
        .office
        .decide(&session, decision(&session, &reference, "approved", AT));
    stage.office.be(Mood::Forged);
    assert_eq!(run(&stage).await.problem, Some(VeriffProblem::Unsigned));
    let another = decision("of-somebody", &reference, "approved", AT);
    for text in ["", "[]", "{}", &another.to_string()] {
        stage.office.be(Mood::Text(text.to_owned()));
        let answer = stage.veriff.api.decision(&session).await;
        assert!(answer.is_err(), "{text}");
    }
    stage
        .office
        .be(Mood::Text(json!({"verification": null}).to_string()));
    assert_eq!(stage.veriff.api.decision(&session).await, Ok(None));
    assert_eq!(stage.events().await.len(), 0);
    for elsewhere in ["", "..", "a/b"] {
        let answer = stage.veriff.api.decision(elsewhere).await;
        assert_eq!(answer, Err(VeriffProblem::Unacceptable));
    }
}

async fn the_secret_before_is_believed_while_it_is_changed(app: TestApp) {
    let stage = Stage::set(&app).await;
    let (session, reference) = stage.started(ANN).await;
    let approved = decision(&session, &reference, "approved", AT);
    stage.office.decide(&session, approved);
    stage.office.be(Mood::Earlier);
    assert_eq!(run(&stage).await.filed, 1);
    stage.work().await;
    assert!(stage.is_approved(ANN).await);
}

async fn after_eight_days_nobody_asks_any_more(app: TestApp) {
    let stage = Stage::set(&app).await;
    let (session, reference) = stage.started(ANN).await;
    let mut asked = 0;
    for _ in 0..9 * 24 {
        stage.app.advance(HOUR);
        asked += poll(&stage).await.asked;
    }
    assert!((15..40).contains(&asked), "{asked}");
    stage.app.advance(24 * HOUR);
    assert_eq!(run(&stage).await.asked, 0);
    // Should a decision come all the same, it counts.
    stage
        .hear(&decision(&session, &reference, "approved", AT))
        .await;
    assert!(stage.is_approved(ANN).await);
}

async fn a_session_that_cannot_be_read_keeps_no_other_from_its_turn(app: TestApp) {
    let stage = Stage::set(&app).await;
    stage.started("bob@example.com").await;
    stage.app.advance(Duration::from_secs(1));
    let (session, reference) = stage.started(ANN).await;
    stage
        .office
        .decide(&session, decision(&session, &reference, "approved", AT));
    let spoil = "UPDATE veriff_sessions SET state = 'nonsense' \
                 WHERE created_at = (SELECT MIN(created_at) FROM veriff_sessions)";
    stage.app.database().sql(spoil).await;
    let since = Since::now();
    stage.app.advance(HOUR);
    let polled = poll(&stage).await;
    assert_eq!((polled.asked, polled.filed), (1, 1));
    let table = [("table", "veriff_sessions")];
    since.assert_rise("bonafide_spoilt_rows_total", &table, 1.0);
    assert!(logged().contains("table=\"veriff_sessions\" id="));
    stage.work().await;
    assert!(stage.is_approved(ANN).await);
    // Whoever asks about all of them comes to an end as well.
    stage.app.advance(HOUR);
    assert_eq!(run(&stage).await.asked, 0);
    // It is asked about once it has been mended.
    let mend = "UPDATE veriff_sessions SET state = 'open' WHERE state = 'nonsense'";
    stage.app.database().sql(mend).await;
    stage.app.advance(12 * HOUR);
    assert_eq!(poll(&stage).await.asked, 1);
}
