//! Who processes an event, when several could, and what becomes of one that fails.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use app::inbox::{Event, Handled, Handler, Replay, Status, Trouble, Worker, replay, reveal};
use domain::hook::Source;
use domain::retention::Retention;
use futures_util::future::BoxFuture;

use super::{Told, all, event, hook, only, taking, work, worker};
use crate::harness::{self, TestApp, flows};

flows!(
    a_failing_event_is_parked_in_the_end_and_delays_nobody,
    waiting_brings_no_event_nearer_to_being_parked,
    what_only_a_person_can_help_is_parked_at_once,
    a_dead_workers_event_is_processed_when_its_lease_ends,
    two_instances_process_each_event_once,
    events_of_one_stream_are_processed_one_at_a_time,
    a_panic_is_a_failure_of_that_event_alone,
    what_panics_each_time_is_parked_in_the_end,
    what_comes_while_its_sender_is_off_waits_until_it_is_on,
    what_nobody_processes_is_kept_no_longer_than_the_rest,
    what_was_received_is_kept_as_long_as_the_operator_wants,
    an_event_that_cannot_be_read_is_parked_and_delays_nobody,
    whoever_looks_at_an_event_is_recorded,
);

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

async fn a_failing_event_is_parked_in_the_end_and_delays_nobody(app: TestApp) {
    let app = taking(&app).await;
    hook(&app, &event("bad", "c-1")).expect(200).await;
    let heals = Arc::new(AtomicBool::new(false));
    let healed = heals.clone();
    let handler = Told::new(move |event| match event["event_id"].as_str() {
        Some("bad") if !healed.load(Ordering::SeqCst) => Err(Trouble::again("broken")),
        _ => Ok(Handled::done("linked")),
    });
    let mut attempts = 0;
    for round in 0..12 {
        // Of the same customer too: what waits for another attempt holds up nothing.
        hook(&app, &event(&format!("good-{round}"), "c-1"))
            .expect(200)
            .await;
        work(&app, &handler).await;
        let given = handler.take();
        assert!(given.contains(&format!("good-{round}")));
        attempts += given.iter().filter(|name| *name == "bad").count();
        app.advance(2 * DAY);
    }
    assert_eq!(attempts, 9);
    let bad = all(&app).await.pop().unwrap();
    assert_eq!((bad.status, bad.attempts), (Status::Parked, 9));
    assert_eq!(bad.outcome.as_deref(), Some("broken"));
    assert_eq!(app.recorded().await["inbox.park"], 1);
    let depth = app::inbox::depth(&app.app).await.unwrap();
    assert_eq!((depth.waiting, depth.parked), (0, 1));

    heals.store(true, Ordering::SeqCst);
    let command = app.command("inbox.replay");
    let which = Replay::ParkedOf("default".to_owned());
    assert_eq!(replay(&app.app, &command, which).await.unwrap(), 1);
    work(&app, &handler).await;
    assert_eq!(handler.take(), ["bad"]);
    assert_eq!(all(&app).await.pop().unwrap().status, Status::Done);
    assert_eq!(app.recorded().await["inbox.replay"], 1);
}

async fn waiting_brings_no_event_nearer_to_being_parked(app: TestApp) {
    let app = taking(&app).await;
    hook(&app, &event("e-1", "c-1")).expect(200).await;
    let handler = Told::new(|_| Err(Trouble::wait("rate_limited", 60 * SECOND)));
    for _ in 0..50 {
        work(&app, &handler).await;
        app.advance(59 * SECOND);
        work(&app, &handler).await;
        assert_eq!(handler.take().len(), 1, "not before its time");
        app.advance(SECOND);
    }
    assert_eq!(only(&app).await.status, Status::Waiting);
}

async fn what_only_a_person_can_help_is_parked_at_once(app: TestApp) {
    let app = taking(&app).await;
    hook(&app, &event("e-1", "c-1")).expect(200).await;
    work(&app, &Told::new(|_| Err(Trouble::person("unreadable")))).await;
    let listed = only(&app).await;
    assert_eq!((listed.status, listed.attempts), (Status::Parked, 1));
    assert!(listed.is_kept);
}

/// Never comes to an end.
struct Hangs(AtomicUsize);

impl Handler for Hangs {
    fn handle<'a>(&'a self, _: &'a Event) -> BoxFuture<'a, Result<Handled, Trouble>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(std::future::pending())
    }
}

async fn a_dead_workers_event_is_processed_when_its_lease_ends(app: TestApp) {
    let app = taking(&app).await;
    hook(&app, &event("e-1", "c-1")).expect(200).await;
    hook(&app, &event("e-2", "c-1")).expect(200).await;
    let hangs = Arc::new(Hangs(AtomicUsize::new(0)));
    let mut dying = worker(&app, &hangs);
    let died = tokio::time::timeout(SECOND / 2, dying.run_due()).await;
    assert!(died.is_err());
    drop(dying);
    assert_eq!(
        hangs.0.load(Ordering::SeqCst),
        1,
        "the other is of its stream"
    );
    let handler = Told::new(|_| Ok(Handled::done("linked")));
    app.advance(34 * SECOND);
    work(&app, &handler).await;
    assert!(handler.take().is_empty(), "it may still be under way");
    app.advance(SECOND);
    work(&app, &handler).await;
    assert_eq!(handler.take(), ["e-1", "e-2"]);
}

async fn two_instances_process_each_event_once(app: TestApp) {
    let (one, two) = (taking(&app).await, taking(&app).await);
    for number in 0..60 {
        let event = event(&format!("e-{number}"), &format!("c-{}", number % 40));
        hook(&one, &event).expect(200).await;
    }
    let handler = Told::new(|_| Ok(Handled::done("linked")));
    let (mut first, mut second) = (worker(&one, &handler), worker(&two, &handler));
    let (first, second) = tokio::join!(first.run_due(), second.run_due());
    first.unwrap();
    second.unwrap();
    // What one left because the other had its stream at that moment.
    work(&one, &handler).await;
    let given = handler.take();
    let names: BTreeSet<_> = given.iter().collect();
    assert_eq!((given.len(), names.len()), (60, 60));
}

/// Notices whether it is asked twice at once.
#[derive(Default)]
struct Alone {
    inside: AtomicUsize,
    most: AtomicUsize,
    done: AtomicUsize,
}

impl Handler for Alone {
    fn handle<'a>(&'a self, _: &'a Event) -> BoxFuture<'a, Result<Handled, Trouble>> {
        Box::pin(async {
            let inside = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(inside, Ordering::SeqCst);
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
            self.inside.fetch_sub(1, Ordering::SeqCst);
            self.done.fetch_add(1, Ordering::SeqCst);
            Ok(Handled::done("linked"))
        })
    }
}

async fn events_of_one_stream_are_processed_one_at_a_time(app: TestApp) {
    let (one, two) = (taking(&app).await, taking(&app).await);
    for number in 0..12 {
        hook(&one, &event(&format!("e-{number}"), "c-1"))
            .expect(200)
            .await;
    }
    let alone = Arc::new(Alone::default());
    while alone.done.load(Ordering::SeqCst) < 12 {
        let (mut first, mut second) = (worker(&one, &alone), worker(&two, &alone));
        let (first, second) = tokio::join!(first.run_due(), second.run_due());
        first.unwrap();
        second.unwrap();
    }
    assert_eq!(alone.most.load(Ordering::SeqCst), 1);
    assert_eq!(alone.done.load(Ordering::SeqCst), 12, "each of them once");
}

async fn a_panic_is_a_failure_of_that_event_alone(app: TestApp) {
    let app = taking(&app).await;
    hook(&app, &event("bad", "c-1")).expect(200).await;
    hook(&app, &event("good", "c-2")).expect(200).await;
    let handler = Told::new(|event| {
        assert_ne!(event["event_id"], "bad");
        Ok(Handled::done("linked"))
    });
    work(&app, &handler).await;
    assert_eq!(handler.take(), ["good"]);
    let listed = all(&app).await;
    assert_eq!(
        (listed[0].status, listed[1].status),
        (Status::Done, Status::Waiting)
    );
}

async fn what_panics_each_time_is_parked_in_the_end(app: TestApp) {
    let app = taking(&app).await;
    hook(&app, &event("bad", "c-1")).expect(200).await;
    let attempts = Arc::new(AtomicUsize::new(0));
    let counted = attempts.clone();
    let handler = Told::new(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        panic!("the test says so")
    });
    for _ in 0..12 {
        work(&app, &handler).await;
        app.advance(2 * DAY);
    }
    assert_eq!(attempts.load(Ordering::SeqCst), 9);
    let bad = only(&app).await;
    assert_eq!((bad.status, bad.attempts), (Status::Parked, 9));
    assert_eq!(bad.outcome.as_deref(), Some("internal"));
}

async fn whoever_looks_at_an_event_is_recorded(app: TestApp) {
    let app = taking(&app).await;
    let sent = event("e-1", "c-1");
    hook(&app, &sent).expect(200).await;
    let id = only(&app).await.id;
    let command = app.command("inbox.reveal");
    let content = reveal(&app.app, &command, id).await.unwrap();
    assert_eq!(
        content.as_slice(),
        sent.to_string().as_bytes(),
        "byte for byte"
    );
    let records = app.records_of(&command.request_id).await;
    assert_eq!(records[0].record.detail, Some(format!("event={id}")));
}

async fn an_event_that_cannot_be_read_is_parked_and_delays_nobody(app: TestApp) {
    let app = taking(&app).await;
    for name in ["spoilt", "good"] {
        hook(&app, &event(name, name)).expect(200).await;
    }
    let id = all(&app).await[1].id;
    let oldest = "(SELECT MIN(due_at) FROM inbox)";
    let spoil = format!(
        "UPDATE inbox SET received_at = {} WHERE due_at = {oldest}",
        i64::MAX
    );
    app.database().sql(&spoil).await;
    let handler = Told::new(|_| Ok(Handled::done("linked")));
    work(&app, &handler).await;
    assert_eq!(handler.take(), ["good"]);
    let depth = app::inbox::depth(&app.app).await.unwrap();
    assert_eq!((depth.waiting, depth.parked), (0, 1));
    // Whoever looks sees the others, and which it is.
    assert_eq!(all(&app).await.len(), 1);
    let logged = crate::harness::logged();
    let named = format!("table=\"inbox\" id={id}");
    assert!(logged.contains(&named));
    // Once it is mended it can be processed again.
    let mend = "UPDATE inbox SET received_at = due_at WHERE status = 'parked'";
    app.database().sql(mend).await;
    let command = app.command("inbox.replay");
    replay(&app.app, &command, Replay::These(vec![id]))
        .await
        .unwrap();
    work(&app, &handler).await;
    assert_eq!(handler.take(), ["spoilt"]);
}

async fn what_comes_while_its_sender_is_off_waits_until_it_is_on(app: TestApp) {
    let app = taking(&app).await;
    hook(&app, &event("waits", "c-1")).expect(200).await;
    // Somebody works, but not on this sender's events.
    let nobody = Worker::new(app.app.clone(), super::settings());
    let mut nobody = nobody.with(Source::Veriff, Told::new(|_| Ok(Handled::done("decided"))));
    for _ in 0..80 {
        nobody.run_due().await.unwrap();
        app::inbox::clear(&app.app).await.unwrap();
        app.advance(DAY);
    }
    let waits = only(&app).await;
    assert_eq!((waits.status, waits.attempts), (Status::Waiting, 0));
    let handler = Told::new(|_| Ok(Handled::done("linked")));
    work(&app, &handler).await;
    assert_eq!(handler.take(), ["waits"]);
    // What is done is kept as long as anything that is.
    app.advance(80 * DAY);
    app::inbox::clear(&app.app).await.unwrap();
    assert_eq!(only(&app).await.status, Status::Done);
}

async fn what_nobody_processes_is_kept_no_longer_than_the_rest(app: TestApp) {
    let app = taking(&app).await;
    hook(&app, &event("forgotten", "c-1")).expect(200).await;
    app.advance(90 * DAY);
    assert_eq!(app::inbox::clear(&app.app).await.unwrap(), 0);
    app.advance(SECOND);
    assert_eq!(app::inbox::clear(&app.app).await.unwrap(), 1);
    let left = "SELECT COUNT(*) FROM data_keys WHERE purpose = 'event'";
    assert_eq!(app.database().sql(left).await, [["0"]]);
}

async fn what_was_received_is_kept_as_long_as_the_operator_wants(app: TestApp) {
    let app = taking(&app).await;
    hook(&app, &event("kept", "c-1")).expect(200).await;
    let kept_for = async |text: &str| {
        let span = |text: &str| text.parse::<domain::span::Span>().unwrap();
        let retention = Retention::new(span("7y"), span("2557d"), span(text)).unwrap();
        app.another(harness::Settings {
            retention,
            ..harness::Settings::default()
        })
        .await
    };
    let (month, day) = (kept_for("30d").await, kept_for("1d").await);
    // A sender may repeat it for a week, and is to be known again.
    app.advance(8 * DAY);
    assert_eq!(app::inbox::clear(&day.app).await.unwrap(), 0);
    app.advance(22 * DAY);
    assert_eq!(app::inbox::clear(&month.app).await.unwrap(), 0);
    app.advance(SECOND);
    assert_eq!(app::inbox::clear(&month.app).await.unwrap(), 1);
}
