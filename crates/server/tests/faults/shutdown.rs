//! SIGTERM under load, and the start that follows.

use std::time::{Duration, Instant};

use test_support::process::Signal;

use crate::client::{Connection, PATIENCE, ask_once, get};
use crate::load::{Customer, Seen};
use crate::office::Key;
use crate::scene::{Engine, Scene};

const CONNECTIONS: usize = 50;

/// The start on an existing database that is promised of a release build.
const PROMISED_START: Duration = Duration::from_millis(300);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_under_load_leaves_no_request_unanswered_on_sqlite() {
    stop_under_load(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_under_load_leaves_no_request_unanswered_on_postgres() {
    stop_under_load(Engine::Postgres).await;
}

async fn stop_under_load(engine: Engine) {
    let mut scene = Scene::start(engine, "sigterm").await;
    let mut clients = tokio::task::JoinSet::new();
    for number in 0..CONNECTIONS {
        let connection = Connection::open(scene.server.port()).await.unwrap();
        clients.spawn(until_closed(connection, scene.key.clone(), number));
    }
    tokio::time::sleep(Duration::from_millis(700)).await;
    scene.server.signal(Signal::TERM).unwrap();
    let seen = clients.join_all().await;
    let ended = scene.server.wait().unwrap();
    assert_eq!(ended.code(), Some(0), "{}", scene.server.stderr());
    let answered: Vec<_> = seen.iter().flat_map(|seen| &seen.answered).collect();
    println!("{} answers on {CONNECTIONS} connections", answered.len());
    assert!(answered.len() > 2 * CONNECTIONS);
    assert!(answered.iter().all(|(_, status)| *status == 200));

    scene.server.start_again().unwrap();
    let office = scene.office().await;
    office.verify_audit().await;
    let answered = answered.iter().map(|(id, status)| (id.as_str(), *status));
    office.expect_records(answered).await;
    office.close().await;
    for customer in seen.iter().filter_map(|seen| seen.customer.as_ref()) {
        assert_eq!(customer.sent, customer.answered);
        customer.expect_kept(scene.server.port(), &scene.key).await;
    }
}

/// Sends one update after another, half of the clients with pauses, until an answer says that the
/// server closes the connection. An update without an answer ends the test.
async fn until_closed(mut connection: Connection, key: Key, number: usize) -> Seen {
    let mut customer = Customer::new(number);
    let mut seen = Seen::default();
    loop {
        let begin = Instant::now();
        let answer = connection.ask(&customer.next_update(&key)).await;
        let answer = answer.expect("what was sent on an open connection is answered");
        seen.note(&answer, begin.elapsed());
        customer.answered = customer.sent;
        if answer.closes() {
            break;
        }
        assert!(begin.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(number as u64 % 2 * 37)).await;
    }
    seen.customer = Some(customer);
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn starts_quickly_on_an_existing_database() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let mut scene = Scene::start(engine, "start").await;
        fill(&scene).await;
        scene.server.terminate().unwrap();
        let begin = Instant::now();
        scene.server.start_again().unwrap();
        let ready = ask_once(scene.server.port(), &get("/health/ready")).await;
        let took = begin.elapsed();
        println!("{engine:?}: ready {took:?} after the start of the process");
        assert_eq!(ready.unwrap().status, 200);
        let slack = if cfg!(debug_assertions) { 10 } else { 1 };
        assert!(took < PROMISED_START * slack, "{took:?} on {engine:?}");
    }
}

/// Some thousand customers, written by few connections.
async fn fill(scene: &Scene) {
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..32 {
        let (port, key) = (scene.server.port(), scene.key.clone());
        writers.spawn(async move {
            let mut connection = Connection::open(port).await.unwrap();
            for number in 0..80 {
                let update = Customer::new(writer * 1000 + number).next_update(&key);
                assert_eq!(connection.ask(&update).await.unwrap().status, 200);
            }
        });
    }
    writers.join_all().await;
}

/// Records that nobody has taken into the index yet: as many as take it half a minute.
const BEHIND: &str = "WITH RECURSIVE numbers (n) AS \
    (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < 102399) \
    INSERT INTO audit_records (log, batch, position, month, at, request_id, company_id, credential, \
    action, subject, outcome, status, latency, occurrences) \
    SELECT 999, n / 256 + 1, n % 256, 202501, 1735689600000000 + n, 'r' || n, 'default', 'key', \
    'customers.check', randomblob(16), 'ok', 200, 1, 1 FROM numbers; \
    INSERT INTO audit_batches (log, batch, size, committed_at, previous, root, head, leaves) \
    SELECT log, batch, 256, MAX(at), zeroblob(32), zeroblob(32), zeroblob(32), zeroblob(8192) \
    FROM audit_records WHERE log = 999 GROUP BY log, batch";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_that_is_far_behind_holds_up_no_stop() {
    let mut scene = Scene::start(Engine::Sqlite, "behind").await;
    scene.server.terminate().unwrap();
    let file = scene.database.url().replace("sqlite://", "");
    let database = rusqlite::Connection::open(file).unwrap();
    database.execute_batch(BEHIND).unwrap();
    scene.server.start_again().unwrap();
    let indexed = || {
        let find = "SELECT subjects_to FROM audit_indexed WHERE log = 999";
        let found = database.query_row(find, [], |row| row.get::<_, i64>(0));
        found.unwrap_or_default()
    };
    let begin = Instant::now();
    while indexed() == 0 {
        assert!(begin.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let begin = Instant::now();
    scene.server.terminate().unwrap();
    let took = begin.elapsed();
    println!("ended {took:?} after SIGTERM");
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(indexed() < 400, "it was not behind any more");
}
