//! SIGTERM while deliveries are under way, and the start that follows.

use std::time::{Duration, Instant};

use test_support::process::Signal;

use super::receiver::{Manner, Receiver};
use super::{COMPANY, Company, number_of, telling, until, until_all_are_noted};
use crate::client::PATIENCE;
use crate::scene::{Engine, Scene};

const SESSIONS: usize = 60;

/// How long a stop may take here: the configured second, and some for a busy machine.
const STOPPED: Duration = Duration::from_secs(4);

/// Longer than the lease of an attempt that may last three seconds.
const LEASE_ENDS: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_finishes_what_is_under_way_on_sqlite() {
    stop_under_way(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_finishes_what_is_under_way_on_postgres() {
    stop_under_way(Engine::Postgres).await;
}

async fn stop_under_way(engine: Engine) {
    let slow = Manner::Slowly(Duration::from_millis(400), 200);
    let receiver = Receiver::start(move |_| slow).await;
    let mut scene = Scene::start_with(engine, "deliveries_sigterm", telling).await;
    let office = scene.office().await;
    let company = Company::told(&office, COMPANY, &receiver.url("/")).await;
    office.close().await;
    let port = scene.server.port();
    let sessions = company.open_many(port, SESSIONS).await;
    company.complete_all(port, &sessions).await;
    until("some are under way", PATIENCE, || receiver.count() > 6).await;
    let ended = scene.server.terminate().unwrap();
    assert_eq!(ended.code(), Some(0), "{}", scene.server.stderr());
    // What had arrived was waited for and noted, and nothing else was begun.
    let (heard, noted) = (receiver.count(), number_of(&scene.server, "delivered"));
    println!("{heard} of {SESSIONS} were made before the end");
    assert_eq!(heard, noted);
    assert!(heard < SESSIONS, "all were made before the end");

    scene.server.start_again().unwrap();
    until_all_are_noted(&scene.server, SESSIONS, LEASE_ENDS).await;
    assert_eq!(company.expect_told(&receiver, &sessions), 0);
    assert_eq!(receiver.count(), SESSIONS, "each heard once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_does_not_wait_for_a_receiver_that_hangs_on_sqlite() {
    stop_while_hanging(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_does_not_wait_for_a_receiver_that_hangs_on_postgres() {
    stop_while_hanging(Engine::Postgres).await;
}

async fn stop_while_hanging(engine: Engine) {
    let receiver = Receiver::start(|_| Manner::Hangs).await;
    let mut scene = Scene::start_with(engine, "deliveries_sigterm_hanging", |builder| {
        telling(builder)
            .variable("WEBHOOK_TIMEOUT", "6s")
            .variable("SHUTDOWN_TIMEOUT", "1s")
    })
    .await;
    let office = scene.office().await;
    let company = Company::told(&office, COMPANY, &receiver.url("/")).await;
    office.close().await;
    let port = scene.server.port();
    let sessions = company.open_many(port, 3).await;
    company.complete_all(port, &sessions).await;
    until("all hang", PATIENCE, || receiver.count() == 3).await;
    let begin = Instant::now();
    scene.server.signal(Signal::TERM).unwrap();
    let ended = scene.server.wait().unwrap();
    let took = begin.elapsed();
    println!("{engine:?}: stopped in {took:?}");
    assert_eq!(ended.code(), Some(0), "{}", scene.server.stderr());
    assert!(took < STOPPED, "stopped in {took:?}");

    receiver.behave(|_| Manner::Status(200));
    scene.server.start_again().unwrap();
    until_all_are_noted(&scene.server, 3, LEASE_ENDS).await;
    assert_eq!(company.expect_told(&receiver, &sessions), 0);
}
