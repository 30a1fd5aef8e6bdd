//! `kill -9` again and again, while sessions complete into a receiver that often fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::receiver::{Manner, Receiver};
use super::{COMPANY, Company, telling, until, until_all_are_noted};
use crate::client::{Connection, PATIENCE};
use crate::scene::{Engine, Scene};

const KILLS: usize = 50;
const SESSIONS: usize = 1_000;

/// Clients between two kills.
const CLIENTS: usize = 4;

/// How long it may take until the last is told: leases of the killed end, and more attempts fail.
const LONGEST: Duration = Duration::from_secs(45);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_loses_no_delivery_on_sqlite() {
    kill_again_and_again(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_loses_no_delivery_on_postgres() {
    kill_again_and_again(Engine::Postgres).await;
}

/// A third fails: refused, cut off, or left hanging beyond the longest attempt.
fn unreliable(_: &str) -> Manner {
    match rand::random_range(0..120) {
        0 => Manner::Hangs,
        1..=24 => Manner::Status(500),
        25..=39 => Manner::HangsUp,
        40..=44 => Manner::Slowly(Duration::from_millis(100), 200),
        _ => Manner::Status(200),
    }
}

async fn kill_again_and_again(engine: Engine) {
    let began = Instant::now();
    let receiver = Receiver::start(unreliable).await;
    let mut scene = Scene::start_with(engine, "deliveries_kill_9", telling).await;
    let office = scene.office().await;
    let company = Company::told(&office, COMPANY, &receiver.url("/")).await;
    office.close().await;
    let sessions = company.open_many(scene.server.port(), SESSIONS).await;
    let mut open = Vec::new();
    for (kill, more) in sessions.chunks(SESSIONS / KILLS).enumerate() {
        open.extend_from_slice(more);
        let (heard, answered) = (receiver.count(), Arc::new(AtomicUsize::new(0)));
        let clients = complete(&scene, &company, &open, &answered);
        // Each time at another moment.
        until("a moment to kill", PATIENCE, || {
            answered.load(Ordering::Relaxed) >= kill * 7 % (SESSIONS / KILLS)
                && receiver.count() >= heard + kill % 5
        })
        .await;
        scene.server.kill9().unwrap();
        open = clients.join_all().await.into_iter().flatten().collect();
        scene.server.start_again().unwrap();
    }
    // What failed is tried again by a server that lives, at a receiver that is well.
    receiver.behave(|_| Manner::Status(200));
    println!("{KILLS} kills after {:?}", began.elapsed());
    let answered = Arc::default();
    let left = complete(&scene, &company, &open, &answered)
        .join_all()
        .await;
    assert!(left.iter().all(Vec::is_empty), "nobody kills any more");
    until_all_are_noted(&scene.server, SESSIONS, LONGEST).await;
    let again = company.expect_told(&receiver, &sessions);
    // What was killed between the answer and the note: a few a kill.
    println!("{again} accepted twice, {:?} in all", began.elapsed());
    assert!(again < KILLS * 20, "{again}");
    let office = scene.office().await;
    office.verify_audit().await;
    office.close().await;
}

/// Lets clients complete sessions until there is no answer; each returns what it leaves open.
fn complete(
    scene: &Scene,
    company: &Company,
    sessions: &[String],
    answered: &Arc<AtomicUsize>,
) -> JoinSet<Vec<String>> {
    let mut clients = JoinSet::new();
    let port = scene.server.port();
    let share = sessions.len().div_ceil(CLIENTS).max(1);
    for sessions in sessions.chunks(share) {
        let (company, answered) = (company.clone(), answered.clone());
        let mut left = sessions.to_vec();
        clients.spawn(async move {
            let Ok(mut connection) = Connection::open(port).await else {
                return left;
            };
            while let Some(session) = left.last() {
                let Ok(answer) = company.complete(&mut connection, session).await else {
                    break;
                };
                // Completed before, and killed before its answer.
                assert!([200, 409].contains(&answer.status), "{}", answer.text());
                answered.fetch_add(1, Ordering::Relaxed);
                left.pop();
            }
            left
        });
    }
    clients
}
