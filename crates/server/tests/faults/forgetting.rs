//! `kill -9` in the middle of an erasure: after the next start the person is forgotten or is not, and
//! never in part.

use std::time::Instant;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::client::{Connection, ask_once, get_with, post_to};
use crate::office::Key;
use crate::scene::{Engine, Scene};

/// How many people are erased while the server is killed.
const KILLS: usize = 12;

/// How much there is of each: enough for an erasure to take a while.
const PIECES: usize = 150;
const ORDERS: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_forgets_nobody_in_part_on_sqlite() {
    kill_while_forgetting(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_forgets_nobody_in_part_on_postgres() {
    kill_while_forgetting(Engine::Postgres).await;
}

/// A person, by number.
fn email(person: usize) -> String {
    format!("person{person}@example.com")
}

async fn ask(scene: &Scene, key: &Key, path: &str, body: &Value) -> (u16, Value) {
    let request = post_to(path, &key.text, &[], &body.to_string());
    let answer = ask_once(scene.server.port(), &request).await.unwrap();
    (answer.status, answer.json())
}

/// Has the server know of a person, in many rows.
async fn tell_of(scene: &Scene, key: &Key, person: usize) {
    let email = email(person);
    let mut connection = Connection::open(scene.server.port()).await.unwrap();
    let change = json!({"email": email, "verification_type": "membership", "status": true});
    let change = change.to_string();
    let update = post_to(
        "/api/v1/customer/update-verification",
        &key.text,
        &[],
        &change,
    );
    for _ in 0..PIECES {
        assert_eq!(connection.ask(&update).await.unwrap().status, 200);
    }
    for order in 0..ORDERS {
        let order = json!({"order_id": format!("{person}-{order}"), "email": email}).to_string();
        let place = post_to("/api/v1/orders", &key.text, &[], &order);
        assert_eq!(connection.ask(&place).await.unwrap().status, 201);
    }
}

async fn erase(port: u16, key: Key, person: usize) -> Option<u16> {
    let body = json!({ "email": email(person) }).to_string();
    let request = post_to("/api/v1/customer/erase", &key.text, &[], &body);
    ask_once(port, &request)
        .await
        .ok()
        .map(|answer| answer.status)
}

/// Whether a person is there as a whole; ends the test when they are there in part.
async fn is_whole(scene: &Scene, key: &Key, person: usize) -> bool {
    let body = json!({ "email": email(person) });
    let (status, document) = ask(scene, key, "/api/v1/customer/export", &body).await;
    let mut statuses = Vec::new();
    for order in 0..ORDERS {
        let path = format!("/api/v1/orders/{person}-{order}");
        let answer = ask_once(scene.server.port(), &get_with(&path, &key.text)).await;
        statuses.push(answer.unwrap().json()["status"].clone());
    }
    let count = |list: &str| document[list].as_array().map_or(0, Vec::len);
    match status {
        200 => {
            assert_eq!((count("evidence"), count("orders")), (PIECES, ORDERS));
            assert!(statuses.iter().all(|status| status == "held"));
            assert!(document["evidence"][0]["metadata"].is_string());
            true
        }
        404 => {
            assert!(statuses.iter().all(|status| status == "cancelled"));
            false
        }
        status => panic!("{status}: {document}"),
    }
}

/// How many erasures the list has.
fn listed(scene: &Scene) -> usize {
    let listed = scene.server.command(["customers", "erasures"]).unwrap();
    assert!(listed.status.success());
    String::from_utf8(listed.stdout).unwrap().lines().count()
}

async fn kill_while_forgetting(engine: Engine) {
    let mut scene = Scene::start(engine, "forgetting").await;
    let office = scene.office().await;
    let key = office.create_admin_key().await;
    office.close().await;
    let mut people = JoinSet::new();
    // The first tells how long an erasure takes here.
    tell_of(&scene, &key, 0).await;
    let began = Instant::now();
    assert_eq!(erase(scene.server.port(), key.clone(), 0).await, Some(200));
    let takes = began.elapsed();
    let (mut erased, mut left) = (1, 0);
    for person in 1..=KILLS {
        tell_of(&scene, &key, person).await;
        people.spawn(erase(scene.server.port(), key.clone(), person));
        // Each time at another moment of it.
        let moment = takes * u32::try_from(person - 1).unwrap() / u32::try_from(KILLS).unwrap();
        tokio::time::sleep(moment).await;
        scene.server.kill9().unwrap();
        let answered = people.join_next().await.unwrap().unwrap();
        scene.server.start_again().unwrap();
        if is_whole(&scene, &key, person).await {
            assert_ne!(
                answered,
                Some(200),
                "an erasure that was answered is undone"
            );
            left += 1;
        } else {
            erased += 1;
        }
        assert_eq!(
            listed(&scene),
            erased,
            "what is erased is on the list, and nothing else"
        );
        let office = scene.office().await;
        office.verify_audit().await;
        office.close().await;
    }
    assert!(
        left > 0,
        "every erasure was over before the server was killed"
    );
    // What was not begun is done when it is asked for again.
    for person in 1..=KILLS {
        let again = erase(scene.server.port(), key.clone(), person).await;
        assert!(matches!(again, Some(200 | 404)), "{again:?}");
        assert!(!is_whole(&scene, &key, person).await);
    }
    assert_eq!(listed(&scene), KILLS + 1);
}
