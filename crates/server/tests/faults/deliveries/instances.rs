//! Several instances on one PostgreSQL: each delivery is made by one of them.

use std::time::Duration;

use test_support::process::Signal;
use test_support::{Server, ServerBuilder};

use super::receiver::{Manner, Receiver};
use super::{COMPANY, Company, telling, until, until_all_are_noted};
use crate::client::PATIENCE;
use crate::office::Office;
use crate::scene::{Database, Engine, builder};

const SESSIONS: usize = 500;

/// Far longer than a lease lasts when an attempt may last a second.
const LEASES_END: Duration = Duration::from_secs(20);

struct Group {
    instances: Vec<Server>,
    receiver: Receiver,
    company: Company,
    sessions: Vec<String>,
    _database: Database,
}

impl Group {
    /// Instances on one database, the first of which answers and has opened sessions.
    async fn start(roles: &[fn(ServerBuilder) -> ServerBuilder], sessions: usize) -> Self {
        let database = Database::new(Engine::Postgres, "deliveries_instances");
        let receiver = Receiver::start(|_| Manner::Slowly(Duration::from_millis(10), 200)).await;
        let office = Office::open(&database.url()).await;
        let company = Company::told(&office, COMPANY, &receiver.url("/")).await;
        office.close().await;
        let start = |role: &fn(ServerBuilder) -> ServerBuilder| {
            let server = role(telling(builder(&database.url()))).start();
            server.unwrap()
        };
        let instances: Vec<_> = roles.iter().map(start).collect();
        Self {
            sessions: company.open_many(instances[0].port(), sessions).await,
            instances,
            receiver,
            company,
            _database: database,
        }
    }

    async fn until_all_are_noted(&self) {
        until_all_are_noted(&self.instances[0], self.sessions.len(), LEASES_END).await;
    }

    fn expect_told(&self) -> usize {
        self.company.expect_told(&self.receiver, &self.sessions)
    }
}

fn all(builder: ServerBuilder) -> ServerBuilder {
    builder
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_instances_never_make_a_delivery_twice() {
    let group = Group::start(&[all, all], SESSIONS).await;
    let (first, second) = group.sessions.split_at(SESSIONS / 2);
    let [one, other] = &group.instances[..] else {
        unreachable!()
    };
    tokio::join!(
        group.company.complete_all(one.port(), first),
        group.company.complete_all(other.port(), second),
    );
    group.until_all_are_noted().await;
    assert_eq!(group.expect_told(), 0);
    assert_eq!(group.receiver.count(), SESSIONS, "each heard once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_beside_an_api_never_make_a_delivery_twice() {
    let roles = [
        ServerBuilder::api,
        ServerBuilder::worker,
        ServerBuilder::worker,
    ];
    let group = Group::start(&roles, SESSIONS).await;
    let (first, second) = group.sessions.split_at(SESSIONS / 2);
    let port = group.instances[0].port();
    tokio::join!(
        group.company.complete_all(port, first),
        group.company.complete_all(port, second),
    );
    group.until_all_are_noted().await;
    assert_eq!(group.expect_told(), 0);
    assert_eq!(group.receiver.count(), SESSIONS, "each heard once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_frozen_worker_holds_is_made_by_another_and_not_again_when_it_thaws() {
    const FEW: usize = 60;
    let roles = [
        ServerBuilder::api,
        ServerBuilder::worker,
        ServerBuilder::worker,
    ];
    let mut group = Group::start(&roles, FEW + 1).await;
    let slow = Manner::Slowly(Duration::from_millis(500), 200);
    group.receiver.behave(move |_| slow);
    let port = group.instances[0].port();
    let (last, others) = group.sessions.split_last().unwrap();
    group.company.complete_all(port, others).await;
    until("some are under way", PATIENCE, || {
        group.receiver.count() > 0
    })
    .await;
    group.instances[1].signal(Signal::STOP).unwrap();
    until_all_are_noted(&group.instances[0], FEW, LEASES_END).await;
    let heard = group.receiver.count();
    println!("{heard} messages for {FEW} sessions");

    group.instances[1].signal(Signal::CONT).unwrap();
    group.instances[2].terminate().unwrap();
    // The thawed one is the only one left: it works, and says nothing that was said.
    let last = std::slice::from_ref(last);
    group.company.complete_all(port, last).await;
    group.until_all_are_noted().await;
    assert_eq!(group.receiver.count(), heard + 1);
    let again = group.expect_told();
    assert!(again < FEW / 2, "{again} were under way when it froze");
}
