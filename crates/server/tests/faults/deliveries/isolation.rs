//! A receiver that hangs delays nobody else's deliveries.

use std::time::{Duration, Instant};

use super::receiver::{Manner, Receiver};
use super::{COMPANY, Company, telling, until};
use crate::client::{Connection, PATIENCE};
use crate::scene::{Engine, Scene};

/// Deliveries that wait for the one that hangs.
const WAITING: usize = 1_000;

/// Deliveries to the other, one after another.
const MEASURED: usize = 250;

/// What is promised of 99 in 100.
const PROMISED: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hanging_receiver_delays_nobody_else_on_sqlite() {
    deliver_beside_a_hanging_one(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hanging_receiver_delays_nobody_else_on_postgres() {
    deliver_beside_a_hanging_one(Engine::Postgres).await;
}

async fn deliver_beside_a_hanging_one(engine: Engine) {
    let hanging = Receiver::start(|_| Manner::Hangs).await;
    let well = Receiver::start(|_| Manner::Status(200)).await;
    let scene = Scene::start_with(engine, "deliveries_hanging", |builder| {
        telling(builder)
            .variable("WEBHOOK_TIMEOUT", "30s")
            .variable("SHUTDOWN_TIMEOUT", "1s")
    })
    .await;
    let office = scene.office().await;
    let dead = Company::told(&office, "dead", &hanging.url("/")).await;
    let living = Company::told(&office, COMPANY, &well.url("/")).await;
    office.close().await;
    let port = scene.server.port();
    let sessions = dead.open_many(port, WAITING).await;
    let (first, second) = sessions.split_at(WAITING / 2);
    tokio::join!(
        dead.complete_all(port, first),
        dead.complete_all(port, second)
    );
    until("it hangs", PATIENCE, || hanging.count() > 0).await;

    let sessions = living.open_many(port, MEASURED).await;
    let mut connection = Connection::open(port).await.unwrap();
    let mut delays = Vec::with_capacity(MEASURED);
    for (number, session) in sessions.iter().enumerate() {
        let answer = living.complete(&mut connection, session).await.unwrap();
        let since = Instant::now();
        assert_eq!(answer.status, 200);
        until("it arrives", PATIENCE, || well.count() > number).await;
        let arrived = well.heard()[number].at;
        delays.push(arrived.saturating_duration_since(since));
    }
    delays.sort_unstable();
    let p99 = delays[MEASURED * 99 / 100];
    println!(
        "{engine:?}: half within {:?}, p99 {p99:?}, slowest {:?}",
        delays[MEASURED / 2],
        delays[MEASURED - 1]
    );
    assert!(p99 < PROMISED, "p99 is {p99:?}");
    assert_eq!(living.expect_told(&well, &sessions), 0);
    let held = hanging.count();
    assert!(held <= 8, "{held} attempts at one that hangs");
}
