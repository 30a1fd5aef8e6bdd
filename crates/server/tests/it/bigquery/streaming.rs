//! What comes in is copied, once, by one instance at a time, and nothing is lost when that one dies.

use std::sync::Arc;
use std::time::Duration;

use app::archive::Next;
use serde_json::json;
use tokio::sync::Notify;

use super::google::Mood;
use super::{AGES, AUDIT, MINUTES, Stage};
use crate::ages;
use crate::customers::check;
use crate::harness::{TestApp, flows};

flows!(
    everything_arrives_once,
    what_was_there_before_is_not_streamed,
    nothing_is_written_while_nothing_happens,
    who_dies_after_sending_is_replaced_and_nothing_is_lost,
    names_tell_repeated_rows_apart,
    one_copies_and_others_stand_by,
    who_goes_lets_another_go_on_at_once,
    many_rows_go_in_several_requests,
    a_batch_that_cannot_be_read_holds_up_no_other,
    requests_do_not_wait_for_the_archive,
);

async fn everything_arrives_once(app: TestApp) {
    let mut stage = Stage::set(&app).await;
    stage.copy().await;
    let before = stage.google.names(AUDIT).1;
    stage.decide(0, 3).await;
    ages::refuse(&stage.app, &stage.key, "young").await;
    check(&stage.app, &stage.key, &json!({"email": "ann@example.com"}))
        .expect(200)
        .await;
    check(
        &stage.app,
        "bf_none_x",
        &json!({"email": "ann@example.com"}),
    )
    .expect(401)
    .await;
    stage.copy().await;
    assert_eq!(stage.google.names(AUDIT).1, before + 6);
    assert_eq!(stage.google.names(AGES).1, 4);
    stage.decide(3, 5).await;
    stage.copy().await;
    assert_eq!(stage.google.names(AGES).1, 6);
    // An earlier verification that answers is no decision.
    stage.decide(0, 5).await;
    stage.copy().await;
    assert_eq!(stage.google.names(AGES).1, 6);
    assert_eq!(stage.google.names(AUDIT).1, before + 13);
    let state = stage.state().await;
    assert!(state.is_well(stage.app.now()));
    assert_eq!(
        (state.parked, state.missed, state.oldest_waiting),
        (0, 0, None)
    );
}

async fn what_was_there_before_is_not_streamed(app: TestApp) {
    let mut stage = Stage::set(&app).await;
    stage.decide(0, 3).await;
    let before = stage.records().await;
    stage.copy().await;
    assert_eq!(stage.google.names(AUDIT).1, 0);
    assert!(stage.state().await.to_backfill > 0);
    stage.decide(3, 4).await;
    stage.copy().await;
    let (names, _) = stage.google.names(AUDIT);
    assert_eq!(names.len(), 1);
    assert!(names.is_disjoint(&before));
    assert_eq!(stage.google.names(AGES).1, 1);
}

async fn nothing_is_written_while_nothing_happens(app: TestApp) {
    let mut stage = Stage::set(&app).await;
    stage.copy().await;
    stage.decide(0, 1).await;
    stage.copy().await;
    stage.google.asked();
    let lease = "SELECT holder, leased_until FROM archive_tasks WHERE task = 'stream'";
    let before = stage.app.database().sql(lease).await;
    let heads = stage.records().await;
    stage.advance(MINUTES);
    stage.copy().await;
    assert_eq!(stage.app.database().sql(lease).await, before);
    // Above all copying leaves no record, which would have to be copied.
    assert_eq!(stage.records().await, heads);
    assert!(stage.google.asked().is_empty());
}

async fn who_dies_after_sending_is_replaced_and_nothing_is_lost(app: TestApp) {
    let mut stage = Stage::set(&app).await;
    stage.copy().await;
    stage.decide(0, 3).await;
    stage.google.insert_ids();
    // The rows are there, and the answer never comes.
    let hanging = Arc::new(Notify::new());
    stage
        .google
        .be_at_insert(Mood::TakesAndWaits(hanging.clone()));
    let google = &stage.google;
    let taken = async {
        while google.names(AUDIT).1 == 0 && google.names(AGES).1 == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        next = stage.follower.step() => panic!("{next:?}"),
        () = taken => {}
    }
    let first = stage.google.insert_ids();
    assert!(!first.is_empty());
    // Whoever takes over waits until it is known to be gone.
    let mut heir = stage.another();
    assert!(matches!(heir.step().await.unwrap(), Next::Standby(_)));
    stage.advance(MINUTES);
    assert!(matches!(heir.step().await.unwrap(), Next::Idle(_)));
    let again = stage.google.insert_ids();
    assert!(
        first.iter().all(|name| again.contains(name)),
        "the same names again"
    );
    assert_eq!(
        (stage.google.names(AUDIT).1, stage.google.names(AGES).1),
        (3, 3)
    );
    // The first is not dead after all: it finds nothing to do.
    stage.copy().await;
    assert!(stage.google.insert_ids().is_empty());
}

async fn names_tell_repeated_rows_apart(app: TestApp) {
    let mut stage = Stage::set(&app).await;
    stage.copy().await;
    stage.google.forgets_names();
    stage.decide(0, 3).await;
    stage.copy().await;
    // Somebody restores a database in which less had been copied.
    let back = "UPDATE archive_positions SET streamed_to = begins_after";
    stage.app.database().sql(back).await;
    stage.copy().await;
    let (names, rows) = stage.google.names(AUDIT);
    assert_eq!((names.len(), rows), (3, 6));
    let (names, rows) = stage.google.names(AGES);
    assert_eq!((names.len(), rows), (3, 6));
    let ids = stage.google.rows(AGES);
    assert!(
        ids.iter()
            .all(|row| row.insert_id.starts_with("age_verifications/av_"))
    );
}

async fn one_copies_and_others_stand_by(app: TestApp) {
    let mut stage = Stage::set(&app).await;
    let mut other = stage.another();
    stage.copy().await;
    for round in 0..5 {
        stage.decide(round, round + 1).await;
        let (one, two) = tokio::join!(stage.follower.step(), other.step());
        let (one, two) = (one.unwrap(), two.unwrap());
        assert!(matches!(one, Next::Idle(_)), "{one:?}");
        assert!(matches!(two, Next::Standby(_) | Next::Idle(_)), "{two:?}");
        stage.copy().await;
    }
    assert_eq!(stage.google.insert_ids().len(), 10);
    assert_eq!(
        (stage.google.names(AUDIT).1, stage.google.names(AGES).1),
        (5, 5)
    );
}

async fn who_goes_lets_another_go_on_at_once(app: TestApp) {
    let mut stage = Stage::set(&app).await;
    let mut other = stage.another();
    stage.copy().await;
    stage.decide(0, 1).await;
    assert!(matches!(other.step().await.unwrap(), Next::Standby(_)));
    stage.follower.release().await.unwrap();
    assert!(matches!(other.step().await.unwrap(), Next::Idle(_)));
    assert_eq!(stage.google.names(AGES).1, 1);
}

async fn many_rows_go_in_several_requests(app: TestApp) {
    let mut stage = Stage::set(&app).await;
    stage.copy().await;
    let asking = (0..1_300).map(|number| {
        let (app, key) = (stage.app.clone(), stage.key.clone());
        async move {
            let question = json!({"email": format!("c{number}@example.com")});
            check(&app, &key, &question).expect(200).await;
        }
    });
    futures_util::future::join_all(asking).await;
    stage.copy().await;
    let (names, rows) = stage.google.names(AUDIT);
    assert_eq!((names.len(), rows), (1_300, 1_300));
    let asked = stage.google.asked();
    let inserts = asked
        .iter()
        .filter(|asked| asked.path.ends_with("insertAll"));
    assert!(inserts.count() >= 3);
}

async fn a_batch_that_cannot_be_read_holds_up_no_other(app: TestApp) {
    let mut stage = Stage::set(&app).await;
    stage.copy().await;
    stage.decide(0, 3).await;
    let place = "FROM audit_records WHERE action = 'age.verify' ORDER BY log, batch LIMIT 1";
    let found = stage
        .app
        .database()
        .sql(&format!("SELECT log, batch, subject {place}"))
        .await;
    let [log, batch, subject] = found[0].as_slice() else {
        panic!("{found:?}")
    };
    let spoilt = |value: &str| {
        format!("UPDATE audit_records SET subject = {value} WHERE log = {log} AND batch = {batch}")
    };
    let bytes = |hex: &str| match stage.app.engine() {
        crate::harness::Engine::Sqlite => format!("X'{hex}'"),
        crate::harness::Engine::Postgres => format!("'\\x{hex}'"),
    };
    let broken = spoilt(&bytes("00"));
    let whole = spoilt(&bytes(subject.trim_start_matches("\\x")));
    stage.app.database().sql(&broken).await;
    stage.copy().await;
    assert_eq!(
        (stage.google.names(AUDIT).1, stage.google.names(AGES).1),
        (2, 2)
    );
    let parked = app::archive::parked(&stage.app.app, 10).await.unwrap();
    assert_eq!(parked.len(), 1);
    assert_eq!(
        (parked[0].kind.as_str(), parked[0].name.clone()),
        ("audit_batch", format!("{log}.{batch}"))
    );
    // Once it can be read, it is sent like the others.
    stage.app.database().sql(&whole).await;
    let command = stage.app.command("archive.retry");
    let retried = app::archive::retry(&stage.app.app, &command, &*stage.client)
        .await
        .unwrap();
    assert_eq!((retried.taken, retried.refused, retried.gone), (1, 0, 0));
    assert_eq!(
        (stage.google.names(AUDIT).1, stage.google.names(AGES).1),
        (3, 3)
    );
    assert_eq!(stage.state().await.parked, 0);
}

async fn requests_do_not_wait_for_the_archive(app: TestApp) {
    let mut stage = Stage::set(&app).await;
    stage.copy().await;
    stage.decide(0, 1).await;
    let word = Arc::new(Notify::new());
    stage.google.be_at_insert(Mood::TakesAndWaits(word.clone()));
    let (app, key) = (stage.app.clone(), stage.key.clone());
    let asking = async {
        for number in 10..20 {
            ages::pass(&app, &key, &format!("customer-{number}")).await;
        }
        word.notify_one();
    };
    let copying = tokio::time::timeout(Duration::from_secs(60), stage.follower.step());
    let (next, ()) = tokio::join!(copying, asking);
    assert!(matches!(next.unwrap().unwrap(), Next::Idle(_)));
    stage.copy().await;
    assert_eq!(
        (stage.google.names(AUDIT).1, stage.google.names(AGES).1),
        (11, 11)
    );
}
