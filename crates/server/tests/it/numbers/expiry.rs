//! The time of a session is over at its instant; writing that down is only so that it is told.

use std::time::Duration;

use app::numbers::sweep;
use domain::span::Span;
use futures_util::future::join_all;
use serde_json::json;

use super::{ALL, NUMBER, OTHER, Opened, initiate, open, rows, status, submit, submit_as};
use crate::harness::{Engine, Receivers, Settings, TestApp, flows, logged};

flows!(
    the_time_is_over_at_the_instant,
    a_late_submission_writes_the_end_down_once,
    a_sweep_ends_each_session_once,
    what_has_ended_otherwise_does_not_expire,
    the_same_request_after_the_end_is_another_session,
    a_sweep_takes_more_than_one_batch,
    a_sweep_gets_past_the_deadlines_of_what_has_ended,
    sweeps_of_two_instances_share_the_work,
    the_operator_sets_the_lifetime,
    a_session_that_cannot_be_opened_keeps_no_other_from_being_swept,
    a_session_that_cannot_be_read_keeps_no_other_from_being_swept,
);

const LIFETIME: Duration = Duration::from_secs(600);
const MILLISECOND: Duration = Duration::from_millis(1);

async fn the_time_is_over_at_the_instant(app: TestApp) {
    let key = app.key("default", ALL).await;
    let session = open(&app, &key, "order-81").await;
    app.advance(LIFETIME - MILLISECOND);
    let pending = status(&app, &key, &session.id).expect(200).await;
    assert_eq!(pending.json["status"], "pending");
    submit(&app, &session, OTHER).expect(200).await;
    app.advance(MILLISECOND);
    let over = status(&app, &key, &session.id).expect(200).await;
    assert_eq!(over.json["status"], "expired");
    assert_eq!(over.json["verifiedAt"], json!(null));
    assert_eq!(over.json["expiresAt"], "2025-01-01T00:10:00.000Z");
    assert_eq!(
        rows(&app, "status").await,
        ["pending"],
        "asking is not telling"
    );
    for _ in 0..2 {
        for call in [
            submit(&app, &session, NUMBER),
            submit_as(&app, &key, &session, NUMBER),
        ] {
            let late = call.expect(410).await;
            assert_eq!(late.code(), "session_expired");
        }
        sweep(&app.app).await.unwrap();
    }
}

async fn a_late_submission_writes_the_end_down_once(app: TestApp) {
    let key = app.key("default", ALL).await;
    let session = open(&app, &key, "order-81").await;
    app.advance(LIFETIME);
    submit(&app, &session, NUMBER).expect(410).await;
    assert_eq!(rows(&app, "status").await, ["expired"]);
    submit(&app, &session, NUMBER).expect(410).await;
    assert_eq!(sweep(&app.app).await.unwrap(), 0);
    let recorded = app.recorded().await;
    assert_eq!(
        (recorded["number.expire"], recorded["number.submit"]),
        (1, 2)
    );
}

async fn a_sweep_ends_each_session_once(app: TestApp) {
    let key = app.key("default", ALL).await;
    let opened = initiate(&app, &key, NUMBER, "order-81").expect(201).await;
    app.advance(MILLISECOND);
    open(&app, &key, "order-82").await;
    app.advance(LIFETIME - MILLISECOND - MILLISECOND);
    assert_eq!(sweep(&app.app).await.unwrap(), 0);
    app.advance(MILLISECOND);
    assert_eq!(sweep(&app.app).await.unwrap(), 1);
    app.advance(MILLISECOND);
    assert_eq!(sweep(&app.app).await.unwrap(), 1);
    assert_eq!(sweep(&app.app).await.unwrap(), 0);
    assert_eq!(rows(&app, "status").await, ["expired", "expired"]);
    let subject = app.records_of(opened.request_id()).await[0].record.subject;
    let mut ends = app.records().await;
    ends.retain(|located| located.record.action == "number.expire");
    assert_eq!(ends.len(), 2);
    for end in ends {
        let record = end.record;
        assert_eq!(
            (&*record.company, &*record.credential),
            ("default", "system")
        );
        assert_eq!(record.subject, subject);
        assert_eq!((&*record.outcome.code, record.occurrences), ("expired", 1));
        assert!(record.client.is_none() && record.detail.is_none());
    }
}

async fn what_has_ended_otherwise_does_not_expire(app: TestApp) {
    let key = app.key("default", ALL).await;
    let (verified, failed) = (
        open(&app, &key, "order-81").await,
        open(&app, &key, "order-82").await,
    );
    submit(&app, &verified, NUMBER).expect(200).await;
    for _ in 0..3 {
        submit(&app, &failed, OTHER).expect(200).await;
    }
    app.advance(LIFETIME);
    assert_eq!(sweep(&app.app).await.unwrap(), 0);
    for (session, standing) in [(&verified, "verified"), (&failed, "failed")] {
        let found = status(&app, &key, &session.id).expect(200).await;
        assert_eq!(found.json["status"], standing);
        let closed = submit(&app, session, NUMBER).expect(409).await;
        assert_eq!(closed.code(), "session_closed");
    }
}

async fn the_same_request_after_the_end_is_another_session(app: TestApp) {
    let key = app.key("default", ALL).await;
    let first = open(&app, &key, "order-81").await;
    app.advance(LIFETIME);
    // Nothing waits any more, so the number may be another.
    let answer = initiate(&app, &key, OTHER, "order-81").expect(201).await;
    let second = Opened::of(&answer);
    assert_ne!(second.id, first.id);
    assert_eq!(answer.json["expiresAt"], "2025-01-01T00:20:00.000Z");
    assert_eq!(rows(&app, "status").await, ["expired", "pending"]);
    assert_eq!(app.recorded().await["number.expire"], 1);
    submit(&app, &first, NUMBER).expect(410).await;
    submit(&app, &second, OTHER).expect(200).await;
    // And after a session that has ended otherwise.
    let third = open(&app, &key, "order-81").await;
    assert_ne!(third.id, second.id);
}

async fn a_sweep_takes_more_than_one_batch(app: TestApp) {
    open_many(&app, 450).await;
    app.advance(LIFETIME);
    assert_eq!(sweep(&app.app).await.unwrap(), 450);
    assert_eq!(app.recorded().await["number.expire"], 450);
}

async fn a_sweep_gets_past_the_deadlines_of_what_has_ended(app: TestApp) {
    let key = app.key("default", ALL).await;
    let verified = open(&app, &key, "order-81").await;
    submit(&app, &verified, NUMBER).expect(200).await;
    open(&app, &key, "order-82").await;
    app.database()
        .sql(
            "INSERT INTO verification_deadlines (expires_at, verification_id) \
             WITH RECURSIVE gone (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM gone WHERE n < 1200) \
             SELECT n, 'nv_' || n FROM gone",
        )
        .await;
    app.advance(LIFETIME);
    assert_eq!(sweep(&app.app).await.unwrap(), 1);
    let left = app.database().sql("SELECT * FROM verification_deadlines");
    assert!(left.await.is_empty());
}

async fn sweeps_of_two_instances_share_the_work(app: TestApp) {
    open_many(&app, 450).await;
    app.advance(LIFETIME);
    let other = app.another(Settings::default()).await;
    let sweeps = [&app, &other, &app, &other].map(|instance| sweep(&instance.app));
    let ended: Vec<u64> = join_all(sweeps)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    // Who met what another had locked left it; nothing is left for now or done twice.
    let left = sweep(&app.app).await.unwrap();
    assert_eq!(
        ended.iter().sum::<u64>() + left,
        450,
        "{ended:?}, then {left}"
    );
    assert_eq!(app.recorded().await["number.expire"], 450);
    let ends = "SELECT COUNT(*) FROM verification_sessions \
                WHERE status = 'expired' AND ended_at IS NOT NULL";
    assert_eq!(app.database().sql(ends).await, [["450"]]);
}

async fn open_many(app: &TestApp, count: usize) {
    let key = &app.key_with("default", ALL, "initiate=off", None).await;
    let opening = (0..count).map(|number| async move {
        initiate(app, key, NUMBER, &format!("order-{number}"))
            .expect(201)
            .await
    });
    join_all(opening).await;
}

async fn the_operator_sets_the_lifetime(app: TestApp) {
    let mut settings = Settings::default();
    settings.numbers.lifetime = Span::seconds(90);
    let short = app.another(settings).await;
    let key = app.key("default", ALL).await;
    let answer = initiate(&short, &key, NUMBER, "order-81").expect(201).await;
    assert_eq!(answer.json["expiresAt"], "2025-01-01T00:01:30.000Z");
    let session = Opened::of(&answer);
    app.advance(Duration::from_secs(89));
    submit(&app, &session, OTHER).expect(200).await;
    app.advance(Duration::from_secs(1));
    submit(&app, &session, NUMBER).expect(410).await;
}

async fn a_session_that_cannot_be_opened_keeps_no_other_from_being_swept(app: TestApp) {
    app.webhook("default", "https://hooks.example.com/").await;
    let key = app.key("default", ALL).await;
    open(&app, &key, "spoilt").await;
    let sql = match app.engine() {
        Engine::Sqlite => "UPDATE data_keys SET wrapped = X'00' WHERE purpose = 'person'",
        Engine::Postgres => "UPDATE data_keys SET wrapped = '\\x00' WHERE purpose = 'person'",
    };
    app.database().sql(sql).await;
    app.advance(MILLISECOND);
    let well = open(&app, &key, "well").await;
    app.advance(LIFETIME);
    assert_eq!(sweep(&app.app).await.unwrap(), 2);
    assert_eq!(rows(&app, "status").await, ["expired", "expired"]);
    let receivers = Receivers::new();
    app.deliver(&receivers).await;
    let told = receivers.take();
    assert_eq!(told.len(), 1, "of the other nothing can be told");
    assert_eq!(told[0].json()["data"]["verificationId"], json!(well.id));
}

async fn a_session_that_cannot_be_read_keeps_no_other_from_being_swept(app: TestApp) {
    app.webhook("default", "https://hooks.example.com/").await;
    let key = app.key("default", ALL).await;
    open(&app, &key, "spoilt").await;
    let spoil = "UPDATE verification_sessions SET mismatches = -1";
    app.database().sql(spoil).await;
    app.advance(MILLISECOND);
    let well = open(&app, &key, "well").await;
    app.advance(LIFETIME);
    assert_eq!(sweep(&app.app).await.unwrap(), 2);
    assert_eq!(rows(&app, "status").await, ["expired", "expired"]);
    assert!(logged().contains("table=\"verification_sessions\" id="));
    let receivers = Receivers::new();
    app.deliver(&receivers).await;
    let told = receivers.take();
    assert_eq!(told.len(), 1, "of the other nothing can be told");
    assert_eq!(told[0].json()["data"]["verificationId"], json!(well.id));
}
