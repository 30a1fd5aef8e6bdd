//! PostgreSQL and Redis go away under load and come back.

use std::time::{Duration, Instant};

use test_support::postgres::Settings;
use test_support::{Postgres, Redis, Server};

use crate::client::{Answer, PATIENCE, ask_once, check, get};
use crate::load::{Customer, Load, Seen};
use crate::office::{Key, Office};
use crate::scene::{Database, Engine, builder};

const CLIENTS: usize = 64;

/// How soon answers must be fine again once the database is back.
const RECOVERY: Duration = Duration::from_secs(2);

/// The longest time until an answer: two seconds of trying, and some for a busy machine; less than
/// trying twice.
const LONGEST: Duration = Duration::from_millis(3_500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_postgres_costs_503s_and_loses_nothing() {
    survive(
        |postgres| {
            postgres.stop().unwrap();
        },
        Duration::from_secs(3),
        |postgres| postgres.start_again().unwrap(),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_of_postgres_costs_503s_and_loses_nothing() {
    survive(
        |postgres| postgres.crash().unwrap(),
        Duration::ZERO,
        |postgres| postgres.start_again().unwrap(),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_that_hangs_costs_503s_and_loses_nothing() {
    survive(
        |postgres| postgres.pause().unwrap(),
        Duration::from_secs(6),
        |postgres| postgres.resume().unwrap(),
    )
    .await;
}

/// Puts PostgreSQL away under load for so long, and looks at what the clients saw.
async fn survive(
    put_away: impl FnOnce(&mut Postgres),
    away: Duration,
    bring_back: impl FnOnce(&mut Postgres),
) {
    let mut postgres = Postgres::start(Settings::Durable).unwrap();
    let url = postgres.fresh_database("outage").unwrap();
    let office = Office::open(&url).await;
    let key = office.create_key("off").await;
    office.close().await;
    let server = builder(&url).start().unwrap();
    let process = server.process_id();

    let customers = (0..CLIENTS).map(Customer::new).collect();
    let load = Load::start(server.port(), &key, customers, 2);
    load.reach(300).await;
    put_away(&mut postgres);
    tokio::time::sleep(away).await;
    bring_back(&mut postgres);
    let recovery = load.recovery().await;
    load.reach(load.fine() + 300).await;
    let seen = load.stop().await;
    report(&seen, recovery);

    assert!(recovery < RECOVERY, "recovered after {recovery:?}");
    assert_eq!(server.process_id(), process);
    assert_eq!(unanswered(&seen), 0);
    let slowest = seen.iter().map(|seen| seen.slowest).max();
    assert!(slowest < Some(LONGEST), "{slowest:?}");
    let office = Office::open(&url).await;
    office.verify_audit().await;
    let fine = seen.iter().flat_map(|seen| &seen.answered);
    let fine = fine.filter(|(_, status)| *status == 200);
    office
        .expect_records(fine.map(|(id, status)| (id.as_str(), *status)))
        .await;
    office.close().await;
    for customer in seen.iter().filter_map(|seen| seen.customer.as_ref()) {
        customer.expect_kept(server.port(), &key).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_limits_hold_per_instance_and_are_shared_again_after() {
    let mut redis = Redis::start().unwrap();
    let database = Database::new(Engine::Sqlite, "redis");
    let office = Office::open(&database.url()).await;
    let (busy, limited) = (
        office.create_key("1000000/1m").await,
        office.create_key("6/1h").await,
    );
    office.close().await;
    let start = || builder(&database.url()).variable("REDIS_URL", redis.url());
    let instances = [start().start().unwrap(), start().start().unwrap()];
    assert_eq!(take_turns(&instances, &limited).await, 6, "shared at first");
    let customers = (0..CLIENTS).map(Customer::new).collect();
    let load = Load::start(instances[0].port(), &busy, customers, 4);
    load.reach(200).await;

    redis.stop().unwrap();
    load.reach(load.fine() + 300).await;
    for server in &instances {
        // Whatever is asked next tells the instance, which nobody else does.
        ask_once(server.port(), &check(&busy.text, "a@example.com"))
            .await
            .unwrap();
        until_limits_are(server, "degraded").await;
    }
    assert_eq!(take_turns(&instances, &limited).await, 12, "each alone");

    redis.start_again().unwrap();
    for server in &instances {
        until_limits_are(server, "healthy").await;
    }
    load.reach(load.fine() + 300).await;
    let seen = load.stop().await;
    report(&seen, Duration::ZERO);
    // The Redis that came back is empty: one window for both begins anew.
    assert_eq!(take_turns(&instances, &limited).await, 6, "shared again");
    assert_eq!(unanswered(&seen), 0);
    assert!(seen.iter().all(|seen| seen.statuses.keys().eq([&200])));
}

/// Asks the instances in turn, more often than is allowed; returns how often it was allowed.
pub async fn take_turns(instances: &[Server], key: &Key) -> usize {
    let mut allowed = 0;
    for turn in 0..10 * instances.len() {
        let server = &instances[turn % instances.len()];
        let answer = ask_once(server.port(), &check(&key.text, "b@example.com")).await;
        let answer = answer.unwrap();
        match answer.status {
            200 => allowed += 1,
            _ => expect_limited(&answer),
        }
    }
    allowed
}

fn expect_limited(answer: &Answer) {
    assert_eq!(answer.status, 429, "{}", answer.text());
    assert_eq!(answer.error_code().as_deref(), Some("rate_limited"));
    assert!(answer.header("retry-after").is_some() && answer.header("ratelimit").is_some());
}

async fn until_limits_are(server: &Server, status: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let health = ask_once(server.port(), &get("/health")).await.unwrap();
        if health.json()["components"]["limits"]["status"] == *status {
            return;
        }
        assert!(Instant::now() < deadline, "limits never are {status}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn unanswered(seen: &[Seen]) -> u64 {
    seen.iter().map(|seen| seen.unanswered).sum()
}

fn report(seen: &[Seen], recovery: Duration) {
    let mut statuses = std::collections::BTreeMap::new();
    for (status, count) in seen.iter().flat_map(|seen| &seen.statuses) {
        *statuses.entry(*status).or_insert(0) += count;
    }
    let slowest = seen.iter().map(|seen| seen.slowest).max();
    println!("answers {statuses:?}, slowest {slowest:?}, recovered in {recovery:?}");
}
