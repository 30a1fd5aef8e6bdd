//! Who makes a delivery, when several could.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use app::deliveries::channel::{Channel, Line, Parcel, Sent};
use app::deliveries::{Channels, Dispatcher, Status, WEBHOOK, Webhooks};
use futures_util::future::BoxFuture;
use jiff::Timestamp;

use super::{SECOND, URL, all, only, told, verify};
use crate::harness::{Engine, Settings, TestApp, flows};
use crate::numbers;

flows!(
    a_dead_workers_delivery_is_made_when_its_lease_ends,
    two_instances_make_each_delivery_once,
    a_hanging_receiver_delays_nobody_else,
    a_delivery_that_cannot_be_read_delays_nobody,
    a_delivery_that_cannot_be_read_hides_no_other,
    a_channel_that_panics_ends_nothing_but_its_turn,
    what_panics_each_time_is_given_up_in_the_end,
);

/// How long a lease lasts: the longest attempt and five seconds.
const LEASE: u32 = 35;

async fn a_dead_workers_delivery_is_made_when_its_lease_ends(app: TestApp) {
    let (receivers, key) = told(&app).await;
    verify(&app, &key, "order-81").await;
    receivers.answer(URL, |_| None);
    let mut worker = app.dispatcher(&receivers);
    // The receiver never answers: this goes on until the worker is gone.
    let dead = tokio::time::timeout(SECOND / 2, worker.run_due()).await;
    assert!(dead.is_err());
    drop(worker);
    let first = receivers.take();
    assert_eq!(first.len(), 1);

    receivers.answer_status(URL, 200);
    app.advance(LEASE * SECOND - SECOND / 1000);
    app.deliver(&receivers).await;
    assert!(receivers.take().is_empty(), "it may still be on its way");
    app.advance(SECOND);
    app.deliver(&receivers).await;
    let second = receivers.take();
    assert_eq!(second[0].id, first[0].id);
    assert_eq!(only(&app).await.status, Status::Delivered);
}

async fn two_instances_make_each_delivery_once(app: TestApp) {
    let (receivers, key) = told(&app).await;
    let other = app.another(Settings::default()).await;
    for number in 0..60 {
        verify(&app, &key, &format!("order-{number}")).await;
    }
    let (mut one, mut two) = (app.dispatcher(&receivers), other.dispatcher(&receivers));
    let (first, second) = tokio::join!(one.run_due(), two.run_due());
    first.unwrap();
    second.unwrap();
    let heard = receivers.take();
    let ids: BTreeSet<_> = heard.iter().map(|heard| heard.id.clone()).collect();
    assert_eq!((heard.len(), ids.len()), (60, 60));
}

async fn a_hanging_receiver_delays_nobody_else(app: TestApp) {
    let (receivers, key) = told(&app).await;
    app.company("acme").await;
    app.webhook("acme", "https://acme.example/hook").await;
    let acme = app.key("acme", numbers::ALL).await;
    receivers.answer(URL, |_| None);
    for number in 0..90 {
        verify(&app, &key, &format!("hanging-{number}")).await;
    }
    for number in 0..90 {
        verify(&app, &acme, &format!("well-{number}")).await;
    }
    let worker = app.dispatcher(&receivers);
    let running = tokio::spawn(worker.run(std::future::pending()));
    let all_delivered = async {
        while delivered_to(&app, "acme").await < 90 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(30 * SECOND, all_delivered)
        .await
        .unwrap();
    running.abort();
    drop(running.await);
    let hanging = receivers.heard_at(URL);
    assert!((1..=4).contains(&hanging), "{hanging} places are taken");
    assert_eq!(delivered_to(&app, "default").await, 0);
    app.leaves_deliveries();
}

async fn delivered_to(app: &TestApp, company: &str) -> usize {
    let delivered = all(app).await;
    let mine = delivered
        .iter()
        .filter(|listed| listed.company_id == company && listed.status == Status::Delivered);
    mine.count()
}

/// Of a delivery's columns PostgreSQL lets none be wrong; in SQLite's file anything can be.
async fn a_delivery_that_cannot_be_read_delays_nobody(app: TestApp) {
    let (receivers, key) = told(&app).await;
    if app.engine() == Engine::Postgres {
        return;
    }
    for number in 0..3 {
        app.advance(SECOND);
        verify(&app, &key, &format!("order-{number}")).await;
    }
    for spoil in [
        "UPDATE data_keys SET id = x'00' WHERE id = (SELECT data_key FROM deliveries ORDER BY due_at)",
        "UPDATE deliveries SET data_key = x'00' WHERE due_at = (SELECT MIN(due_at) FROM deliveries)",
    ] {
        app.database().sql(spoil).await;
    }
    app.deliver(&receivers).await;
    assert_eq!(receivers.take().len(), 2);
    let listed = all(&app).await;
    assert_eq!(
        (listed[2].status, listed[2].outcome.as_deref()),
        (Status::Exhausted, Some("spoilt"))
    );
    let named = format!("table=\"deliveries\" id={}", listed[2].id);
    assert!(crate::harness::logged().contains(&named));
}

async fn a_delivery_that_cannot_be_read_hides_no_other(app: TestApp) {
    let (receivers, key) = told(&app).await;
    for number in 0..3 {
        app.advance(SECOND);
        verify(&app, &key, &format!("order-{number}")).await;
    }
    app.deliver(&receivers).await;
    let id = all(&app).await[1].id;
    let oldest = "(SELECT MAX(created_at) FROM deliveries WHERE created_at < \
                  (SELECT MAX(created_at) FROM deliveries))";
    let spoil = format!(
        "UPDATE deliveries SET created_at = {} WHERE created_at = {oldest}",
        i64::MAX
    );
    app.database().sql(&spoil).await;
    assert_eq!(all(&app).await.len(), 2);
    let named = format!("table=\"deliveries\" id={id}");
    assert!(crate::harness::logged().contains(&named));
}

/// Webhooks over a channel that stumbles once.
struct Stumbling {
    webhooks: Webhooks,
    has_stumbled: Arc<AtomicBool>,
}

impl Channel for Stumbling {
    fn open<'a>(
        &'a self,
        company: &'a str,
        now: Timestamp,
    ) -> BoxFuture<'a, app::Result<Arc<dyn Line>>> {
        let stumbles = !self.has_stumbled.swap(true, Ordering::SeqCst);
        assert!(!stumbles, "it stumbles");
        self.webhooks.open(company, now)
    }
}

async fn a_channel_that_panics_ends_nothing_but_its_turn(app: TestApp) {
    let (receivers, key) = told(&app).await;
    verify(&app, &key, "order-81").await;
    let has_stumbled = Arc::new(AtomicBool::new(false));
    let channel = Stumbling {
        webhooks: Webhooks::new(app.app.clone(), receivers.clone()),
        has_stumbled: has_stumbled.clone(),
    };
    let channels = Channels::default().with(WEBHOOK, channel);
    let settings = crate::harness::deliveries_settings();
    let worker = Dispatcher::new(app.app.clone(), channels, settings);
    let running = tokio::spawn(worker.run(std::future::pending()));
    let delivered = async {
        while !has_stumbled.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
        // What it had claimed is due again when its lease ends; whoever takes it then has a lease of
        // the same length, in which time must not be made to fly.
        app.advance((LEASE + 1) * SECOND);
        while delivered_to(&app, "default").await == 0 {
            app.app.outbox.wake();
            tokio::task::yield_now().await;
        }
    };
    let delivered = tokio::time::timeout(30 * SECOND, delivered).await;
    running.abort();
    drop(running.await);
    delivered.unwrap();
    assert_eq!(receivers.take().len(), 1);
}

/// A channel that never comes back.
struct Panics;

impl Channel for Panics {
    fn open<'a>(
        &'a self,
        _company: &'a str,
        _now: Timestamp,
    ) -> BoxFuture<'a, app::Result<Arc<dyn Line>>> {
        let line: Arc<dyn Line> = Arc::new(Self);
        Box::pin(std::future::ready(Ok(line)))
    }
}

impl Line for Panics {
    fn send<'a>(&'a self, _parcel: &'a Parcel) -> BoxFuture<'a, Sent> {
        panic!("the test says so")
    }
}

async fn what_panics_each_time_is_given_up_in_the_end(app: TestApp) {
    let (receivers, key) = told(&app).await;
    verify(&app, &key, "order-81").await;
    let channels = Channels::default().with(WEBHOOK, Panics);
    let settings = crate::harness::deliveries_settings();
    let mut worker = Dispatcher::new(app.app.clone(), channels, settings);
    for _ in 0..12 {
        worker.run_due().await.unwrap();
        app.advance(2 * 24 * 3_600 * SECOND);
    }
    let given_up = all(&app).await.remove(0);
    assert_eq!(
        (given_up.status, given_up.outcome.as_deref()),
        (Status::Exhausted, Some("internal"))
    );
    assert_eq!(given_up.attempts, 8, "by the schedule of all others");
    // What is told later is not held up.
    app.deliver(&receivers).await;
    verify(&app, &key, "order-82").await;
    app.deliver(&receivers).await;
    assert_eq!(receivers.take().len(), 1);
}
