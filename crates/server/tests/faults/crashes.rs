//! `kill -9` in the middle of concurrent updates, again and again.

use std::mem::take;

use crate::load::{Customer, Load};
use crate::scene::{Engine, Scene};

const KILLS: usize = 20;
const WRITERS: usize = 32;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_loses_no_answered_update_on_sqlite() {
    kill_again_and_again(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_loses_no_answered_update_on_postgres() {
    kill_again_and_again(Engine::Postgres).await;
}

async fn kill_again_and_again(engine: Engine) {
    let mut scene = Scene::start(engine, "kill_9").await;
    let mut customers: Vec<_> = (0..WRITERS).map(Customer::new).collect();
    for kill in 0..KILLS {
        let load = Load::start(scene.server.port(), &scene.key, take(&mut customers), 0);
        // Each time at another moment of the batches' rhythm.
        load.reach(60 + 17 * kill as u64).await;
        scene.server.kill9().unwrap();
        let seen = load.stop().await;
        scene.server.start_again().unwrap();
        let office = scene.office().await;
        office.verify_audit().await;
        let answered = seen.iter().flat_map(|seen| &seen.answered);
        let answered: Vec<_> = answered
            .map(|(id, status)| (id.as_str(), *status))
            .collect();
        assert!(answered.len() >= 60 && answered.iter().all(|(_, status)| *status == 200));
        office.expect_records(answered).await;
        office.close().await;
        customers.extend(seen.into_iter().filter_map(|seen| seen.customer));
        for customer in &customers {
            customer.expect_kept(scene.server.port(), &scene.key).await;
        }
    }
}
