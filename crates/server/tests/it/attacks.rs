//! Attacks on number verification and deliveries: each of them worked once.

mod rotation;
mod shops;
mod vendors;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use app::deliveries::{Answer, Message, Replay, Sender};
use app::numbers::sweep;
use domain::delivery::Outcome;
use futures_util::future::{BoxFuture, join_all};
use tokio_postgres::NoTls;

use crate::deliveries::{URL, told, verify};
use crate::harness::{Engine, Receivers, TestApp, flows};
use crate::numbers::{
    self, NUMBER, OTHER, Opened, SUBMIT, initiate, open, rows, status, submit, submit_as,
};

flows!(
    one_session_that_cannot_be_opened_keeps_no_other_from_expiring,
    the_410_of_an_address_that_was_left_does_not_switch_the_new_one_off,
    a_sender_that_panics_does_not_block_its_line,
    the_request_of_an_erased_session_can_be_opened_again,
    the_request_of_an_erased_session_delays_nobody_else,
    a_key_with_a_submit_limit_of_its_own_counts_alone,
    a_stranger_without_a_token_locks_nobody_out,
    a_session_that_was_seen_expired_is_not_verified_afterwards,
    another_companys_session_is_not_told_from_none_while_it_is_busy,
    eight_slow_receivers_leave_room_for_others,
    a_receiver_that_wants_time_gets_it_for_all_its_messages,
    a_scanner_does_not_fill_the_audit_log,
    strangers_requests_for_the_page_are_counted_as_a_flood,
    much_that_was_given_up_can_be_replayed,
);

const SECOND: Duration = Duration::from_secs(1);
const LIFETIME: Duration = Duration::from_secs(600);
const NEW: &str = "https://new.example.com/bonafide";

/// One session of the default company is sealed under a master key that is gone; another company's
/// session is over a moment later.
async fn one_session_that_cannot_be_opened_keeps_no_other_from_expiring(app: TestApp) {
    let key = app.key("default", numbers::ALL).await;
    app.company("acme").await;
    let acme = app.key("acme", numbers::ALL).await;
    let poisoned = open(&app, &key, "order-81").await;
    app.advance(Duration::from_millis(1));
    let well = open(&app, &acme, "order-82").await;
    let sql = format!(
        "UPDATE data_keys SET master_key = 'retired' WHERE id = \
         (SELECT data_key FROM verification_sessions WHERE verification_id = '{}')",
        poisoned.id
    );
    app.database().sql(&sql).await;
    app.advance(LIFETIME);
    for _ in 0..3 {
        let _ = sweep(&app.app).await;
    }
    let standing = rows(&app, "status").await;
    assert_eq!(standing[1], "expired", "{} waits for ever", well.id);
}

/// While its first message is on its way, the company moves to another address.
struct Moving {
    app: TestApp,
    receivers: Arc<Receivers>,
    moved: AtomicBool,
}

impl Sender for Moving {
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            if self.moved.swap(true, Ordering::SeqCst) {
                return self.receivers.send(message).await;
            }
            self.app.webhook("default", NEW).await;
            Answer::of(Outcome::Gone)
        })
    }
}

async fn the_410_of_an_address_that_was_left_does_not_switch_the_new_one_off(app: TestApp) {
    let (receivers, key) = told(&app).await;
    verify(&app, &key, "order-81").await;
    let sender = Moving {
        app: app.clone(),
        receivers: receivers.clone(),
        moved: AtomicBool::new(false),
    };
    let mut worker = app.dispatcher_over(Arc::new(sender));
    worker.run_due().await.unwrap();
    verify(&app, &key, "order-82").await;
    worker.run_due().await.unwrap();
    assert!(
        receivers.heard_at(NEW) >= 1,
        "the new address was switched off"
    );
}

/// Panics at the first messages that it is given, each of them once.
struct Panicking {
    receivers: Arc<Receivers>,
    seen: Mutex<BTreeSet<String>>,
}

impl Sender for Panicking {
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            let panics = {
                let mut seen = self.seen.lock().unwrap();
                seen.len() < 4 && seen.insert(message.id.clone())
            };
            assert!(!panics, "a defect");
            self.receivers.send(message).await
        })
    }
}

async fn a_sender_that_panics_does_not_block_its_line(app: TestApp) {
    let (receivers, key) = told(&app).await;
    app.leaves_deliveries();
    for number in 0..4 {
        verify(&app, &key, &format!("order-{number}")).await;
    }
    let sender = Arc::new(Panicking {
        receivers: receivers.clone(),
        seen: Mutex::default(),
    });
    let worker = app.dispatcher_over(sender.clone());
    let running = tokio::spawn(worker.run(std::future::pending()));
    until(|| sender.seen.lock().unwrap().len() == 4).await;
    app.advance(Duration::from_secs(3_600));
    verify(&app, &key, "order-5").await;
    let heard = until(|| receivers.heard_at(URL) > 0).await;
    running.abort();
    assert!(heard, "an hour later, nothing of the line is sent any more");
}

async fn until(is_so: impl Fn() -> bool) -> bool {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(SECOND / 100).await;
        }
    };
    tokio::time::timeout(5 * SECOND, waiting).await.is_ok()
}

async fn erase(app: &TestApp) {
    let sql = "DELETE FROM data_keys WHERE id IN (SELECT data_key FROM verification_sessions)";
    app.database().sql(sql).await;
}

async fn the_request_of_an_erased_session_can_be_opened_again(app: TestApp) {
    let key = app.key("default", numbers::ALL).await;
    open(&app, &key, "order-81").await;
    erase(&app).await;
    app.advance(LIFETIME);
    sweep(&app.app).await.unwrap();
    initiate(&app, &key, NUMBER, "order-81").expect(201).await;
}

async fn the_request_of_an_erased_session_delays_nobody_else(app: TestApp) {
    let key = app.key("default", numbers::ALL).await;
    app.company("acme").await;
    let acme = app.key("acme", numbers::ALL).await;
    open(&app, &key, "order-81").await;
    erase(&app).await;
    let blocked = initiate(&app, &key, NUMBER, "order-81").send();
    let blocked = tokio::spawn(blocked);
    tokio::time::sleep(SECOND / 10).await;
    let began = Instant::now();
    let others = (0..8).map(|number| {
        let (app, acme) = (app.clone(), acme.clone());
        async move { open(&app, &acme, &format!("order-{number}")).await }
    });
    join_all(others).await;
    let took = began.elapsed();
    blocked.await.unwrap();
    assert!(took < SECOND, "another company waited for {took:?}");
}

async fn a_key_with_a_submit_limit_of_its_own_counts_alone(app: TestApp) {
    let key = app.key("default", numbers::ALL).await;
    let own = app
        .key_with("default", numbers::ALL, "submit=2/1m", None)
        .await;
    let session = open(&app, &key, "order-81").await;
    for _ in 0..2 {
        submit(&app, &session, OTHER).expect(200).await;
    }
    // The key has submitted nothing yet.
    submit_as(&app, &own, &session, NUMBER).expect(200).await;
}

async fn a_stranger_without_a_token_locks_nobody_out(app: TestApp) {
    let key = app.key("default", numbers::ALL).await;
    let session = open(&app, &key, "order-81").await;
    let guess = Opened {
        token: "x".into(),
        ..session.clone()
    };
    for _ in 0..10 {
        submit(&app, &guess, OTHER).send().await;
    }
    submit(&app, &session, NUMBER).expect(200).await;
}

/// A row that another program holds, until it is let go.
struct Held(tokio_postgres::Client);

impl Held {
    async fn row(app: &TestApp, id: &str) -> Self {
        let (client, connection) = tokio_postgres::connect(&app.database().url(), NoTls)
            .await
            .unwrap();
        tokio::spawn(connection);
        let sql = format!(
            "BEGIN; SELECT 1 FROM verification_sessions WHERE verification_id = '{id}' FOR UPDATE"
        );
        client.batch_execute(&sql).await.unwrap();
        Self(client)
    }

    async fn let_go(self) {
        self.0.batch_execute("ROLLBACK").await.unwrap();
    }
}

async fn a_session_that_was_seen_expired_is_not_verified_afterwards(app: TestApp) {
    if app.engine() == Engine::Sqlite {
        return; // One writer: who asks comes after who submits.
    }
    let key = app.key("default", numbers::ALL).await;
    let session = open(&app, &key, "order-81").await;
    app.advance(LIFETIME - Duration::from_millis(1));
    let held = Held::row(&app, &session.id).await;
    let late = {
        let (app, session) = (app.clone(), session.clone());
        tokio::spawn(async move { submit(&app, &session, NUMBER).send().await })
    };
    tokio::time::sleep(SECOND / 5).await;
    app.advance(Duration::from_millis(100));
    let seen = status(&app, &key, &session.id).expect(200).await;
    held.let_go().await;
    let late = late.await.unwrap();
    let then = status(&app, &key, &session.id).expect(200).await;
    assert_eq!(
        seen.json["status"], then.json["status"],
        "and the submission was answered {}",
        late.status
    );
}

async fn another_companys_session_is_not_told_from_none_while_it_is_busy(app: TestApp) {
    if app.engine() == Engine::Sqlite {
        return;
    }
    let key = app.key("default", numbers::ALL).await;
    app.company("acme").await;
    let stranger = app.key("acme", numbers::ALL).await;
    let session = open(&app, &key, "order-81").await;
    let mut unknown = session.clone();
    unknown.id.replace_range(20..24, "vvvv");
    let held = Held::row(&app, &session.id).await;
    let none = submit_as(&app, &stranger, &unknown, NUMBER).send().await;
    let other = submit_as(&app, &stranger, &session, NUMBER).send().await;
    held.let_go().await;
    assert_eq!(none.status, 404);
    assert_eq!(other.status, none.status, "{}", other.text());
}

/// Receivers that take every message, but keep it for a while first.
struct Slow {
    receivers: Arc<Receivers>,
    gate: tokio::sync::Semaphore,
}

impl Sender for Slow {
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            if message.url.contains("slow") {
                self.gate.acquire().await.unwrap().forget();
            }
            self.receivers.send(message).await
        })
    }
}

/// Each takes what it gets, so its line widens; then all keep what they have.
async fn eight_slow_receivers_leave_room_for_others(app: TestApp) {
    app.leaves_deliveries();
    let slow: Vec<String> = (0..8).map(|number| format!("slow{number}")).collect();
    for company in slow.iter().map(String::as_str).chain(["quick"]) {
        app.company(company).await;
        app.webhook(company, &format!("https://{company}.example.com/"))
            .await;
    }
    let mut work = Vec::new();
    for company in &slow {
        let key = app
            .key_with(company, numbers::ALL, "initiate=off", None)
            .await;
        let app = app.clone();
        work.push(async move {
            for number in 0..200 {
                verify(&app, &key, &format!("order-{number}")).await;
            }
        });
    }
    join_all(work).await;
    let sender = Arc::new(Slow {
        receivers: Receivers::new(),
        gate: tokio::sync::Semaphore::new(8 * 80),
    });
    let worker = app.dispatcher_over(sender.clone());
    let running = tokio::spawn(worker.run(std::future::pending()));
    until(|| sender.gate.available_permits() == 0).await;
    tokio::time::sleep(SECOND).await;
    let quick = app.key("quick", numbers::ALL).await;
    verify(&app, &quick, "order-81").await;
    let heard = || sender.receivers.heard_at("https://quick.example.com/") == 1;
    let heard = until(heard).await;
    running.abort();
    assert!(heard, "every place is with one of the slow");
}

async fn a_receiver_that_wants_time_gets_it_for_all_its_messages(app: TestApp) {
    let (receivers, key) = told(&app).await;
    app.leaves_deliveries();
    for number in 0..60 {
        verify(&app, &key, &format!("order-{number}")).await;
    }
    receivers.answer(URL, |_| {
        Some(Answer {
            outcome: Outcome::of_status(429),
            retry_after: Some(Duration::from_secs(3_000)),
        })
    });
    let mut worker = app.dispatcher(&receivers);
    worker.run_due().await.unwrap();
    let at_first = receivers.take().len();
    for _ in 0..60 {
        app.advance(40 * SECOND);
        worker.run_due().await.unwrap();
    }
    let meanwhile = receivers.take().len();
    assert_eq!(
        meanwhile, 0,
        "after {at_first}, though it asked for 3,000 s"
    );
}

async fn a_scanner_does_not_fill_the_audit_log(app: TestApp) {
    let before = app.records().await.len();
    for number in 0..300 {
        app.get(&format!("/v/nv_{number}")).expect(200).await;
    }
    let made = app.records().await.len() - before;
    assert!(
        made <= 60,
        "{made} records of 300 requests that nobody authorised"
    );
}

/// Without a credential, and of a media type that is refused before anybody asks for one.
async fn strangers_requests_for_the_page_are_counted_as_a_flood(app: TestApp) {
    let before = app.records().await.len();
    for _ in 0..150 {
        app.post("/v/nv_1")
            .body("text/plain", "x")
            .expect(415)
            .await;
        app.post(SUBMIT).body("text/plain", "x").expect(415).await;
    }
    let made = app.records().await.len() - before;
    assert!(
        made <= 120,
        "{made} records of 300 requests that nobody authorised"
    );
}

/// After days of failure there is much.
async fn much_that_was_given_up_can_be_replayed(app: TestApp) {
    let (receivers, key) = told(&app).await;
    app.leaves_deliveries();
    verify(&app, &key, "order-81").await;
    receivers.answer_status(URL, 410);
    app.deliver(&receivers).await;
    let copies = match app.engine() {
        Engine::Sqlite => {
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) \
             INSERT INTO deliveries SELECT randomblob(16), company_id, kind, topic, receiver, \
             randomblob(16), data_key, payload, status, attempts, step, due_at, lease, outcome, \
             created_at, finished_at FROM deliveries, n"
        }
        Engine::Postgres => {
            "INSERT INTO deliveries SELECT gen_random_uuid(), company_id, kind, topic, receiver, \
             uuid_send(gen_random_uuid()), data_key, payload, status, attempts, step, due_at, \
             lease, outcome, created_at, finished_at FROM deliveries, generate_series(1, 20000)"
        }
    };
    app.database().sql(copies).await;
    app.webhook("default", URL).await;
    let replaying = {
        let app = app.clone();
        tokio::spawn(async move {
            let command = app.command("delivery.replay");
            app::deliveries::replay(&app.app, &command, Replay::ExhaustedOf("default".into())).await
        })
    };
    tokio::time::sleep(SECOND / 10).await;
    let began = Instant::now();
    let other = initiate(&app, &key, NUMBER, "order-82").send().await;
    let took = began.elapsed();
    let replayed = replaying.await.unwrap();
    eprintln!(
        "replayed: {replayed:?}; meanwhile {} after {took:?}",
        other.status
    );
    assert!(replayed.is_ok(), "{replayed:?}");
    assert!(took < SECOND, "meanwhile a session was opened in {took:?}");
}
