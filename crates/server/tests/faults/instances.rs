//! Two instances on one PostgreSQL and one Redis.

use std::time::{Duration, Instant};

use test_support::{Redis, Server};

use crate::client::{Connection, check};
use crate::office::{Key, Office};
use crate::outages::take_turns;
use crate::scene::{Database, Engine, builder};

/// How soon a change of a key holds everywhere.
const EVERYWHERE: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_made_and_revoked_hold_on_every_instance_within_a_second() {
    let redis = Redis::start().unwrap();
    let database = Database::new(Engine::Postgres, "instances");
    // What changes a key is a third process: to the instances all others are alike.
    let office = Office::open(&database.url()).await;
    let start = || builder(&database.url()).variable("REDIS_URL", redis.url());
    let instances = [start().start().unwrap(), start().start().unwrap()];
    for _ in 0..3 {
        let key = office.create_key("off").await;
        until_answered_with(&instances, &key, 200).await;
        office.revoke(&key).await;
        until_answered_with(&instances, &key, 401).await;
    }
    let limited = office.create_key("7/1h").await;
    // Who knows a later key knows this one, and knowing it took nothing from its limit.
    let later = office.create_key("off").await;
    until_answered_with(&instances, &later, 200).await;
    assert_eq!(take_turns(&instances, &limited).await, 7);
    office.close().await;
}

async fn until_answered_with(instances: &[Server], key: &Key, status: u16) {
    let since = Instant::now();
    for server in instances {
        let mut connection = Connection::open(server.port()).await.unwrap();
        let request = check(&key.text, "a@example.com");
        while connection.ask(&request).await.unwrap().status != status {
            assert!(since.elapsed() < EVERYWHERE, "no {status} within a second");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    println!("{status} everywhere after {:?}", since.elapsed());
}
