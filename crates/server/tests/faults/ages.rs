//! `kill -9` in the middle of age verifications: no answered decision is lost, and nobody gets an
//! attempt more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::client::{Connection, PATIENCE, age_status, verify_age};
use crate::office::Key;
use crate::scene::{Engine, Scene};

const KILLS: usize = 6;
const CLIENTS: usize = 32;
const ATTEMPTS: i64 = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_loses_no_decision_about_an_age_on_sqlite() {
    kill_again_and_again(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_loses_no_decision_about_an_age_on_postgres() {
    kill_again_and_again(Engine::Postgres).await;
}

/// A customer whom one client asked about.
#[derive(Debug, Default)]
struct Customer {
    name: String,
    sent: i64,
    refused: i64,
    /// The verification that was answered.
    passed: Option<String>,
}

/// What one client saw before the server was gone.
#[derive(Default)]
struct Seen {
    customers: Vec<Customer>,
    answered: Vec<(String, u16)>,
}

fn claim(customer: &str, born: &str) -> Value {
    json!({"customerId": customer, "fullName": "Ada Lovelace", "dateOfBirth": born,
        "idNumberLast4": "1234", "state": "TX"})
}

/// Passes one customer, refuses the next twice, and so on, until there is no answer.
async fn client(port: u16, key: Key, name: String, answers: Arc<AtomicU64>) -> Seen {
    let mut seen = Seen::default();
    let mut connection = Connection::open(port).await.unwrap();
    for number in 0.. {
        let (born, times) = [("1990-06-15", 1), ("2015-06-15", 2)][number % 2];
        let mut customer = Customer {
            name: format!("{name}-{number}"),
            ..Customer::default()
        };
        for _ in 0..times {
            let request = verify_age(&key.text, &[], &claim(&customer.name, born));
            customer.sent += 1;
            let Ok(answer) = connection.ask(&request).await else {
                seen.customers.push(customer);
                return seen;
            };
            answers.fetch_add(1, Ordering::Relaxed);
            let id = answer.request_id().to_owned();
            seen.answered.push((id, answer.status));
            match answer.status {
                200 => customer.passed = Some(verification(&answer.json())),
                400 => customer.refused += 1,
                _ => panic!("{}", answer.text()),
            }
        }
        seen.customers.push(customer);
    }
    seen
}

fn verification(json: &Value) -> String {
    json["verificationId"].as_str().unwrap().to_owned()
}

/// Lets clients work until so many were answered, kills the server, and returns what they saw.
async fn work_and_kill(scene: &mut Scene, kill: usize) -> Vec<Seen> {
    let answers = Arc::new(AtomicU64::new(0));
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let (port, key) = (scene.server.port(), scene.key.clone());
        let name = format!("customer-{kill}-{number}");
        clients.spawn(client(port, key, name, answers.clone()));
    }
    let deadline = Instant::now() + PATIENCE;
    // Each time at another moment of the batches' rhythm.
    while answers.load(Ordering::Relaxed) < 60 + 17 * kill as u64 {
        assert!(Instant::now() < deadline, "the load does not get going");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    scene.server.kill9().unwrap();
    clients.join_all().await
}

/// Whoever passed is still known; who was refused has no more attempts left than were answered.
async fn expect_kept(connection: &mut Connection, key: &Key, customer: &Customer) -> i64 {
    let mut decided = 0;
    if let Some(passed) = &customer.passed {
        let question = age_status(&key.text, &customer.name);
        let known = connection.ask(&question).await.unwrap();
        assert_eq!(known.status, 200, "{customer:?}: {}", known.text());
        assert_eq!(&verification(&known.json()), passed);
    }
    if customer.refused > 0 {
        let request = verify_age(&key.text, &[], &claim(&customer.name, "2015-06-15"));
        let closed = loop {
            let answer = connection.ask(&request).await.unwrap();
            match answer.status {
                400 => decided += 1,
                _ => break answer,
            }
        };
        assert_eq!(closed.status, 429, "{}", closed.text());
        assert_eq!(closed.json()["attempts"], ATTEMPTS);
        let kept = ATTEMPTS - decided;
        let possible = customer.refused..=customer.sent;
        assert!(possible.contains(&kept), "{kept} are kept of {customer:?}");
    }
    decided
}

async fn kill_again_and_again(engine: Engine) {
    let mut scene = Scene::start(engine, "ages_kill_9").await;
    let (mut answered, mut sent) = (0, 0);
    for kill in 0..KILLS {
        let seen = work_and_kill(&mut scene, kill).await;
        scene.server.start_again().unwrap();
        let office = scene.office().await;
        office.verify_audit().await;
        let requests = seen.iter().flat_map(|seen| &seen.answered);
        let requests: Vec<_> = requests
            .map(|(id, status)| (id.as_str(), *status))
            .collect();
        answered += i64::try_from(requests.len()).unwrap();
        let customers = || seen.iter().flat_map(|seen| &seen.customers);
        sent += customers().map(|customer| customer.sent).sum::<i64>();
        let counted = office.verify_age_counts().await;
        assert!(
            (answered..=sent).contains(&counted),
            "{answered} {counted} {sent}"
        );
        office.expect_records(requests).await;
        office.close().await;
        let mut connection = Connection::open(scene.server.port()).await.unwrap();
        for customer in customers() {
            let decided = expect_kept(&mut connection, &scene.key, customer).await;
            answered += decided;
            sent += decided;
        }
    }
}
