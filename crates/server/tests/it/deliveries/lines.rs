//! What one line suffers, others do not.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use app::deliveries::{Answer, Message, Sender, Status};
use domain::delivery::Outcome;
use futures_util::future::{BoxFuture, join_all};
use tokio::sync::Semaphore;

use super::{SECOND, URL, all, told, verify};
use crate::harness::{Receivers, Settings, TestApp, flows};
use crate::numbers;

flows!(
    what_waits_for_an_endpoint_that_is_off_is_given_up_at_once,
    a_line_behind_many_that_hang_is_served,
    what_was_claimed_before_a_long_sleep_is_left_to_others,
    a_line_that_cannot_be_signed_is_left_alone,
);

/// Longer than a lease lasts, and than any line rests.
const LEASE: Duration = Duration::from_secs(36);

async fn what_waits_for_an_endpoint_that_is_off_is_given_up_at_once(app: TestApp) {
    let (receivers, key) = told(&app).await;
    for number in 0..40 {
        verify(&app, &key, &format!("order-{number}")).await;
    }
    receivers.answer_status(URL, 410);
    app.deliver(&receivers).await;
    let asked = receivers.take().len();
    assert!(asked <= 4, "{asked} were asked before one was answered");
    let kept = all(&app).await;
    assert!(kept.iter().all(|kept| kept.status == Status::Exhausted));
}

/// Receivers that answer when they are allowed to.
struct Gated {
    receivers: Arc<Receivers>,
    heard: AtomicUsize,
    gate: Semaphore,
}

impl Sender for Gated {
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            self.receivers.send(message).await;
            self.heard.fetch_add(1, Ordering::SeqCst);
            if message.url != gated("a") {
                return std::future::pending().await;
            }
            self.gate.acquire().await.unwrap().forget();
            Answer::of(Outcome::of_status(200))
        })
    }
}

fn gated(company: &str) -> String {
    format!("https://{company}.example.com/")
}

/// As many companies as take all places there are, with the places a line begins with.
const COMPANIES: usize = 128;

async fn a_line_behind_many_that_hang_is_served(app: TestApp) {
    let companies: Vec<_> = (1..COMPANIES).map(|one| format!("m{one:03}")).collect();
    let companies: Vec<_> = companies.iter().map(String::as_str).chain(["a"]).collect();
    for some in companies.chunks(16) {
        let enqueued = some.iter().map(async |company| {
            create(&app, company).await;
            enqueue(&app, company, 4).await;
        });
        join_all(enqueued).await;
    }
    let sender = Arc::new(Gated {
        receivers: Receivers::new(),
        heard: AtomicUsize::new(0),
        gate: Semaphore::new(0),
    });
    let worker = app.dispatcher_over(sender.clone());
    let running = tokio::spawn(worker.run(std::future::pending()));
    let count = |company| sender.receivers.heard_at(&gated(company));
    let hanging = || {
        companies
            .iter()
            .map(|company| count(company))
            .sum::<usize>()
    };
    until("everybody's first messages are on their way", || {
        hanging() == 4 * companies.len()
    })
    .await;
    create(&app, "z").await;
    enqueue(&app, "z", 4).await;
    until("the last in line is served", || count("z") == 4).await;
    running.abort();
    drop(running.await);
    app.leaves_deliveries();
}

async fn create(app: &TestApp, company: &str) {
    app.company(company).await;
    app.webhook(company, &gated(company)).await;
}

/// Completes so many sessions of a company.
async fn enqueue(app: &TestApp, company: &str, count: usize) {
    let key = app.key(company, numbers::ALL).await;
    for number in 0..count {
        verify(app, &key, &format!("order-{number}")).await;
    }
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(SECOND / 500).await;
        }
    };
    let waited = tokio::time::timeout(30 * SECOND, waiting).await;
    assert!(waited.is_ok(), "never: {what}");
}

/// Sends for a process that is frozen in its first attempt, while another one works.
struct Sleeper {
    receivers: Arc<Receivers>,
    clock: TestApp,
    other: TestApp,
    slept: AtomicBool,
}

impl Sender for Sleeper {
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            let answer = self.receivers.send(message).await;
            if !self.slept.swap(true, Ordering::SeqCst) {
                self.clock.advance(LEASE);
                self.other.deliver(&self.receivers).await;
            }
            answer
        })
    }
}

async fn what_was_claimed_before_a_long_sleep_is_left_to_others(app: TestApp) {
    let (receivers, key) = told(&app).await;
    for number in 0..4 {
        verify(&app, &key, &format!("order-{number}")).await;
    }
    let before = app.now();
    let sender = Sleeper {
        receivers: receivers.clone(),
        clock: app.clone(),
        other: app.another(Settings::default()).await,
        slept: AtomicBool::new(false),
    };
    let mut worker = app.dispatcher_over(Arc::new(sender));
    worker.run_due().await.unwrap();
    let heard = receivers.take();
    let all_ids: BTreeSet<_> = heard.iter().map(|heard| &heard.id).collect();
    assert_eq!(all_ids.len(), 4);
    // Those begun in time may be heard again, as their lease was over; later nothing is twice.
    let later = heard.iter().filter(|heard| heard.at > before);
    let ids: BTreeSet<_> = later.clone().map(|heard| &heard.id).collect();
    assert_eq!(later.count(), ids.len());
    let kept = all(&app).await;
    assert!(kept.iter().all(|kept| kept.status == Status::Delivered));
}

async fn a_line_that_cannot_be_signed_is_left_alone(app: TestApp) {
    let (receivers, key) = told(&app).await;
    for number in 0..20 {
        verify(&app, &key, &format!("order-{number}")).await;
    }
    app.company("acme").await;
    app.webhook("acme", "https://acme.example/hook").await;
    let acme = app.key("acme", numbers::ALL).await;
    verify(&app, &acme, "order-81").await;
    let database = app.database();
    let spoil =
        "UPDATE webhook_secrets SET secret = substr(secret, 2) WHERE company_id = 'default'";
    database.sql(spoil).await;
    app.deliver(&receivers).await;
    assert_eq!(receivers.take().len(), 1, "the other line is served");
    let held = "SELECT id FROM deliveries WHERE lease IS NOT NULL";
    let held = database.sql(held).await.len();
    assert!((1..=8).contains(&held), "{held} were claimed in vain");

    app.webhook("default", URL).await;
    app.advance(LEASE);
    app.deliver(&receivers).await;
    assert_eq!(receivers.take().len(), 20, "none is lost");
}
