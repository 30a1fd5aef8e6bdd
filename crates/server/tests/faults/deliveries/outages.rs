//! PostgreSQL goes away while deliveries go on, and comes back.

use std::time::Duration;

use test_support::Postgres;
use test_support::postgres::Settings;

use super::receiver::{Manner, Receiver};
use super::{COMPANY, Company, telling, until, until_all_are_noted};
use crate::client::{Connection, PATIENCE};
use crate::office::Office;
use crate::scene::builder;

const SESSIONS: usize = 300;

/// Far longer than a lease lasts when an attempt may last five seconds.
const LEASES_END: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_postgres_loses_and_repeats_no_delivery() {
    survive(|postgres| postgres.stop().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_of_postgres_loses_and_repeats_no_delivery() {
    survive(|postgres| postgres.crash().unwrap()).await;
}

async fn survive(put_away: impl FnOnce(&mut Postgres)) {
    let mut postgres = Postgres::start(Settings::Durable).unwrap();
    let url = postgres.fresh_database("deliveries_outage").unwrap();
    let receiver = Receiver::start(|_| Manner::Slowly(Duration::from_millis(30), 200)).await;
    let office = Office::open(&url).await;
    let company = Company::told(&office, COMPANY, &receiver.url("/")).await;
    office.close().await;
    let server = telling(builder(&url))
        .variable("WEBHOOK_TIMEOUT", "5s")
        .start()
        .unwrap();
    let process = server.process_id();
    let sessions = company.open_many(server.port(), SESSIONS).await;
    let completing = tokio::spawn(complete(company.clone(), server.port(), sessions.clone()));
    until("deliveries go on", PATIENCE, || receiver.count() > 30).await;
    put_away(&mut postgres);
    let made = receiver.count();
    // What is under way arrives without the database; how it went is noted when it is back.
    tokio::time::sleep(Duration::from_secs(1)).await;
    postgres.start_again().unwrap();
    completing.await.unwrap();
    until("it goes on", PATIENCE, || receiver.count() > made).await;
    until_all_are_noted(&server, SESSIONS, LEASES_END).await;
    assert_eq!(server.process_id(), process);
    assert_eq!(company.expect_told(&receiver, &sessions), 0);
    let office = Office::open(&url).await;
    office.verify_audit().await;
    office.close().await;
}

/// Completes each, as often as it takes.
async fn complete(company: Company, port: u16, sessions: Vec<String>) {
    let mut connection = Connection::open(port).await.unwrap();
    for session in sessions {
        loop {
            let answer = company.complete(&mut connection, &session).await.unwrap();
            match answer.status {
                200 | 409 => break,
                _ => assert_eq!(answer.status, 503, "{}", answer.text()),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
