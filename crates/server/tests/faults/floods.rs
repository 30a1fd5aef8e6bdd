//! A flood of refused requests is recorded as counts.

use tokio::task::JoinSet;

use crate::client::{Connection, check};
use crate::scene::{Engine, Scene};

const REQUESTS: usize = 5_000;
const CONNECTIONS: usize = 10;

/// Far fewer than there were requests.
const RECORDS: usize = 300;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_refused_requests_becomes_few_records_that_add_up() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let mut scene = Scene::start(engine, "flood").await;
        let mut clients = JoinSet::new();
        for _ in 0..CONNECTIONS {
            clients.spawn(knock(scene.server.port(), REQUESTS / CONNECTIONS));
        }
        clients.join_all().await;
        // What is still only counted is written down at the end.
        assert!(scene.server.terminate().unwrap().success());
        let office = scene.office().await;
        office.verify_audit().await;
        let records = office.records().await;
        let refused: Vec<_> = records
            .values()
            .flatten()
            .filter(|record| record.status == 401)
            .collect();
        let occurrences: i64 = refused.iter().map(|record| record.occurrences).sum();
        println!(
            "{engine:?}: {} records for {occurrences} refusals",
            refused.len()
        );
        assert_eq!(occurrences, REQUESTS as i64);
        assert!(refused.len() < RECORDS, "{} records", refused.len());
        office.close().await;
    }
}

async fn knock(port: u16, times: usize) {
    let mut connection = Connection::open(port).await.unwrap();
    let request = check("bf_nobody_knows", "a@example.com");
    for _ in 0..times {
        let answer = connection.ask(&request).await.unwrap();
        assert_eq!(answer.status, 401);
        assert_eq!(answer.error_code().as_deref(), Some("unauthenticated"));
    }
}
