//! Hooks under faults: what was answered is stored, whatever happens to the process, and whether
//! anybody works on it or not.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use domain::hook::HookKey;
use domain::hook::lightspeed::{Stamp, sign};
use serde_json::json;
use test_support::{Server, ServerBuilder};
use tokio::task::JoinSet;

use crate::client::{Connection, PATIENCE, post_to};
use crate::scene::{Engine, Scene};

const CLIENT_SECRET: &str = "test_client_secret";

/// How many clients tell at once.
const CLIENTS: usize = 8;
const HOOKS: usize = 1_600;
const KILLS: usize = 20;

/// The longest that ninety-nine of a hundred hooks may take.
const PROMISED: Duration = Duration::from_millis(50);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_loses_no_hook_on_sqlite() {
    kill_again_and_again(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_loses_no_hook_on_postgres() {
    kill_again_and_again(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hooks_are_answered_at_once_while_nobody_works_on_sqlite() {
    answer_at_once(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hooks_are_answered_at_once_while_nobody_works_on_postgres() {
    answer_at_once(Engine::Postgres).await;
}

/// A server that takes the hooks of a shop which is away for good.
fn taking(builder: ServerBuilder) -> ServerBuilder {
    builder
        .variable("LIGHTSPEED_API_URL", "http://127.0.0.1:9/api/v3")
        .variable("LIGHTSPEED_STORE_ID", "1003")
        .variable("LIGHTSPEED_TOKEN", "secret_token")
        .variable("LIGHTSPEED_CLIENT_SECRET", CLIENT_SECRET)
}

/// A signed hook about an order of its own.
fn hook(number: usize) -> Vec<u8> {
    let event_id = format!("80aece08-40e8-4145-8764-{number:012}");
    let stamp = Stamp {
        created: "1735689600",
        event_id: &event_id,
    };
    let signature = sign(&HookKey::new(CLIENT_SECRET).unwrap(), stamp);
    let body = json!({
        "eventId": event_id, "eventCreated": 1_735_689_600, "storeId": 1003, "entityId": number,
        "eventType": "order.created", "data": {"orderId": format!("O-{number}")},
    });
    let headers = [("X-Ecwid-Webhook-Signature", signature.as_str())];
    post_to("/hooks/lightspeed", "", &headers, &body.to_string())
}

/// Tells of these events until there is no answer; returns which were answered, and how quickly.
fn tell(
    port: u16,
    numbers: &[usize],
    answered: &Arc<AtomicUsize>,
) -> JoinSet<Vec<(usize, Duration)>> {
    let mut clients = JoinSet::new();
    for share in numbers.chunks(numbers.len().div_ceil(CLIENTS).max(1)) {
        let (share, answered) = (share.to_vec(), answered.clone());
        clients.spawn(async move {
            let mut told = Vec::new();
            let Ok(mut connection) = Connection::open(port).await else {
                return told;
            };
            for number in share {
                let began = Instant::now();
                let Ok(answer) = connection.ask(&hook(number)).await else {
                    break;
                };
                assert_eq!(answer.status, 200, "{}", answer.text());
                assert!(answer.body.is_empty());
                told.push((number, began.elapsed()));
                answered.fetch_add(1, Ordering::Relaxed);
            }
            told
        });
    }
    clients
}

/// How many events are in the inbox.
fn stored(server: &Server) -> usize {
    let listed = server.command(["inbox", "list", "--json", "--limit", "10000"]);
    let listed: serde_json::Value = serde_json::from_slice(&listed.unwrap().stdout).unwrap();
    listed.as_array().unwrap().len()
}

async fn kill_again_and_again(engine: Engine) {
    let mut scene = Scene::start_with(engine, "hooks_kill_9", taking).await;
    let mut answered = BTreeSet::new();
    let numbers: Vec<_> = (0..HOOKS).collect();
    for (kill, numbers) in numbers.chunks(HOOKS / KILLS).enumerate() {
        let count = Arc::default();
        let clients = tell(scene.server.port(), numbers, &count);
        // Each time at another moment.
        let deadline = Instant::now() + PATIENCE;
        while count.load(Ordering::Relaxed) < kill * 7 % numbers.len() {
            assert!(Instant::now() < deadline, "a moment to kill");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        scene.server.kill9().unwrap();
        let told = clients.join_all().await.into_iter().flatten();
        answered.extend(told.map(|(number, _)| number));
        scene.server.start_again().unwrap();
    }
    let before = stored(&scene.server);
    assert!(before >= answered.len() && answered.len() > KILLS);
    // Were one of them lost, it would be new now.
    let again: Vec<_> = answered.into_iter().collect();
    let told = tell(scene.server.port(), &again, &Arc::default());
    assert_eq!(told.join_all().await.concat().len(), again.len());
    assert_eq!(stored(&scene.server), before);
    let told = tell(scene.server.port(), &numbers, &Arc::default());
    assert_eq!(told.join_all().await.concat().len(), HOOKS);
    assert_eq!(stored(&scene.server), HOOKS, "each of them once");
    let office = scene.office().await;
    office.verify_audit().await;
    office.close().await;
}

async fn answer_at_once(engine: Engine) {
    let scene = Scene::start_with(engine, "hooks_at_once", |builder| taking(builder).api()).await;
    let numbers: Vec<_> = (0..HOOKS).collect();
    let told = tell(scene.server.port(), &numbers, &Arc::default());
    let mut took: Vec<_> = told.join_all().await.concat();
    assert_eq!(took.len(), HOOKS);
    took.sort_by_key(|(_, took)| *took);
    let of = |percent: usize| took[HOOKS * percent / 100].1;
    println!("hooks: median {:?}, 99 of 100 {:?}", of(50), of(99));
    assert!(of(99) < PROMISED, "{:?}", of(99));
    assert_eq!(stored(&scene.server), HOOKS);
}
