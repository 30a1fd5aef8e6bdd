//! What was there before the archive was begun.

use std::cell::RefCell;
use std::time::Duration;

use app::archive::{ArchiveProblem, Backfill, Interrupted, Progress};

use super::google::Mood;
use super::{AGES, AUDIT, MINUTES, Stage};
use crate::harness::{TestApp, flows};

flows!(
    everything_of_before_is_copied,
    it_goes_on_where_it_was_cut_off,
    another_one_goes_on_where_it_was_killed,
    one_at_a_time,
    a_bad_row_does_not_stop_it,
    what_was_retired_before_is_counted_and_passed_over,
    decisions_of_before_their_records_named_them_are_copied,
);

const DAY: Duration = Duration::from_secs(24 * 3_600);

async fn fill(stage: &Stage) -> Result<Progress, Interrupted> {
    let command = stage.app.command("archive.backfill");
    let mut backfill = Backfill::new(&stage.app.app, &*stage.client);
    backfill.run(&command, |_| {}).await
}

/// How many records there are besides those of backfills.
async fn others(stage: &Stage) -> usize {
    let recorded = stage.app.recorded().await;
    let others = recorded
        .iter()
        .filter(|(action, _)| *action != "archive.backfill");
    others
        .map(|(_, count)| usize::try_from(*count).unwrap())
        .sum()
}

async fn everything_of_before_is_copied(app: TestApp) {
    let mut stage = Stage::set(&app).await;
    stage.decide(0, 20).await;
    stage.copy().await;
    let before = stage.records().await.len();
    stage.decide(20, 25).await;
    stage.copy().await;
    let told = RefCell::new(Vec::new());
    let command = stage.app.command("archive.backfill");
    let mut backfill = Backfill::new(&stage.app.app, &*stage.client);
    let progress = backfill.run(&command, |progress| told.borrow_mut().push(progress));
    let progress = progress.await.unwrap();
    let told = told.into_inner();
    assert_eq!((told[0].done, told[0].total), (0, (before + 25) as u64));
    assert_eq!(
        told.last().map(|last| last.done),
        Some((before + 25) as u64)
    );
    assert_eq!(progress.copied, (before + 25) as u64);
    // The record of the backfill itself is streamed.
    stage.copy().await;
    stage.assert_whole().await;
    assert_eq!(stage.state().await.to_backfill, 0);
    let again = fill(&stage).await.unwrap();
    assert_eq!((again.copied, again.done), (0, (before + 25) as u64));
    stage.copy().await;
    stage.assert_whole().await;
}

async fn it_goes_on_where_it_was_cut_off(app: TestApp) {
    let mut stage = Stage::set(&app).await;
    stage.decide(0, 10).await;
    stage.copy().await;
    let command = stage.app.command("archive.backfill");
    let mut backfill = Backfill::new(&stage.app.app, &*stage.client);
    // The tables' first request, then the decisions, fail.
    stage.google.be_at_insert(Mood::Status(503));
    let cut_off = backfill.run(&command, |_| {}).await;
    assert!(matches!(
        cut_off,
        Err(Interrupted::Archive(ArchiveProblem::Away(_)))
    ));
    assert_eq!(stage.google.names(AUDIT).1, 0);
    let decisions = stage.decisions().await;
    stage
        .google
        .objects(decisions.first().unwrap(), &["backendError"; 2]);
    let cut_off = backfill.run(&command, |_| {}).await;
    assert!(matches!(
        cut_off,
        Err(Interrupted::Archive(ArchiveProblem::Partial))
    ));
    stage.google.insert_ids();
    backfill.run(&command, |_| {}).await.unwrap();
    assert_eq!(
        stage.google.insert_ids().len(),
        1,
        "only what was not taken is sent again"
    );
    stage.copy().await;
    stage.assert_whole().await;
}

async fn another_one_goes_on_where_it_was_killed(app: TestApp) {
    let mut stage = Stage::set(&app).await;
    stage.decide(0, 10).await;
    stage.copy().await;
    let decisions = stage.decisions().await;
    stage
        .google
        .objects(decisions.first().unwrap(), &["backendError"; 2]);
    fill(&stage).await.unwrap_err();
    // The logs are done; the page of decisions is sent again, under the same names.
    stage.advance(MINUTES);
    stage.google.insert_ids();
    fill(&stage).await.unwrap();
    assert_eq!(stage.google.insert_ids().len(), 10);
    stage.copy().await;
    stage.assert_whole().await;
}

async fn one_at_a_time(app: TestApp) {
    let mut stage = Stage::set(&app).await;
    stage.decide(0, 3).await;
    stage.copy().await;
    stage.google.be_at_insert(Mood::Status(403));
    fill(&stage).await.unwrap_err();
    assert!(matches!(fill(&stage).await, Err(Interrupted::Taken)));
    // The stream is not kept from going on meanwhile.
    stage.decide(3, 4).await;
    stage.copy().await;
    assert_eq!(stage.google.names(AGES).1, 1);
    stage.advance(MINUTES);
    fill(&stage).await.unwrap();
    stage.copy().await;
    stage.assert_whole().await;
}

async fn a_bad_row_does_not_stop_it(app: TestApp) {
    let mut stage = Stage::set(&app).await;
    stage.decide(0, 5).await;
    stage.copy().await;
    let decisions = stage.decisions().await;
    stage
        .google
        .objects(decisions.first().unwrap(), &["invalid"]);
    let record = stage.records().await.into_iter().next_back().unwrap();
    stage.google.objects(&format!("/{record}"), &["invalid"]);
    fill(&stage).await.unwrap();
    assert_eq!(stage.state().await.parked, 2);
    assert_eq!(stage.google.names(AGES).1, 4);
    let command = stage.app.command("archive.retry");
    let retried = app::archive::retry(&stage.app.app, &command, &*stage.client)
        .await
        .unwrap();
    assert_eq!(retried.taken, 2);
    stage.copy().await;
    stage.assert_whole().await;
}

async fn what_was_retired_before_is_counted_and_passed_over(app: TestApp) {
    let mut stage = Stage::set(&app).await;
    stage.decide(0, 5).await;
    let old = others(&stage).await;
    stage.advance(40 * DAY);
    stage.decide(5, 8).await;
    stage.copy().await;
    let there = others(&stage).await;
    // January's time is over before anybody copies it; February's is not.
    stage.advance(2_550 * DAY);
    let kept_from = stage.app.app.retention.records_kept_from(stage.app.now());
    assert_eq!(
        app::audit::retire(&stage.app.app, kept_from).await.unwrap(),
        1
    );
    fill(&stage).await.unwrap();
    let state = stage.state().await;
    assert_eq!(
        (usize::try_from(state.missed).unwrap(), state.parked),
        (old, 0)
    );
    assert_eq!(stage.google.names(AUDIT).1, there - old);
    // What waits to be sent again is gone as well by then.
    stage.copy().await;
    let parked = "INSERT INTO archive_parked (kind, name, reason, parked_at) \
                  VALUES ('audit_records', '1.1.0', 'invalid', 0)";
    stage.app.database().sql(parked).await;
    let command = stage.app.command("archive.retry");
    let retried = app::archive::retry(&stage.app.app, &command, &*stage.client)
        .await
        .unwrap();
    assert_eq!((retried.taken, retried.gone), (0, 1));
    assert_eq!(stage.state().await.parked, 0);
}

async fn decisions_of_before_their_records_named_them_are_copied(app: TestApp) {
    let mut stage = Stage::set(&app).await;
    stage.decide(0, 4).await;
    stage.copy().await;
    fill(&stage).await.unwrap();
    assert_eq!(stage.google.names(AGES), (stage.decisions().await, 4));
}
