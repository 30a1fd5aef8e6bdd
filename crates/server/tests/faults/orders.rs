//! Orders under faults: killed again and again while orders are placed, proofs come in and deadlines
//! pass, the server ends with every order that it answered for where it belongs, has lost no step of a
//! mail, and tells the merchant everything under one name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bonafide::ambient::SystemClock;
use domain::clock::Clock as _;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use test_support::{Server, ServerBuilder};
use tokio::task::JoinSet;

use crate::client::{Connection, PATIENCE, ask_once, get_with, post, post_to};
use crate::deliveries::receiver::{Manner, Receiver};
use crate::deliveries::{listed, telling, until};
use crate::office::Key;
use crate::scene::{Engine, Scene};

/// Whose orders.
const COMPANY: &str = "acme";

const ORDERS: usize = 360;
const KILLS: usize = 20;

/// Clients between two kills.
const CLIENTS: usize = 4;

/// What a customer proves for an order to be released.
const PROOFS: [&str; 3] = ["veriff", "membership", "email_optin"];

/// How long before we tell of it an order was placed that is to expire: twenty seconds are left then.
const AGO: SignedDuration = SignedDuration::from_secs(3_580);

/// How long it may take until the last has expired and is told of.
const LONGEST: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_loses_no_order_on_sqlite() {
    kill_again_and_again(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_loses_no_order_on_postgres() {
    kill_again_and_again(Engine::Postgres).await;
}

/// A server that holds orders for an hour, and reminds of them when little of it is left.
fn holding(builder: ServerBuilder) -> ServerBuilder {
    telling(builder)
        .variable("HOLD_DEADLINE", "1h")
        .variable("REMINDERS", "0s,3585s,3592s")
}

/// An order, and what is still to be asked of the server about it.
#[derive(Clone)]
struct Order {
    number: usize,
    placed_at: Option<Timestamp>,
    /// Requests that were answered.
    answered: usize,
}

impl Order {
    /// Every third customer proves everything; of the others, each second something.
    fn proofs(&self) -> &'static [&'static str] {
        match self.number % 6 {
            0 | 3 => &PROOFS,
            1 | 4 => &PROOFS[..1],
            _ => &[],
        }
    }

    fn is_to_be_released(&self) -> bool {
        self.proofs().len() == PROOFS.len()
    }

    fn is_done(&self) -> bool {
        self.answered > self.proofs().len()
    }

    /// The next request about it. One that is made again, because there was no answer, is the same.
    fn request(&mut self, key: &str) -> Vec<u8> {
        let email = format!("ann{}@example.com", self.number);
        if self.answered > 0 {
            let proof = self.proofs()[self.answered - 1];
            let change = json!({"email": email, "verification_type": proof, "status": true});
            return post("update-verification", key, &[], &change.to_string());
        }
        let ago = if self.is_to_be_released() {
            SignedDuration::ZERO
        } else {
            AGO
        };
        let placed_at = *self
            .placed_at
            .get_or_insert_with(|| SystemClock.now() - ago);
        let order = json!({
            "order_id": self.number.to_string(), "email": email, "placed_at": placed_at.to_string(),
        });
        post_to("/api/v1/orders", key, &[], &order.to_string())
    }
}

/// Lets clients ask until there is no answer; each returns its orders as they stand with it.
fn ask(port: u16, key: &Key, orders: &[Order], count: &Arc<AtomicUsize>) -> JoinSet<Vec<Order>> {
    let mut clients = JoinSet::new();
    let share = orders.len().div_ceil(CLIENTS).max(1);
    for orders in orders.chunks(share) {
        let (key, count, mut orders) = (key.text.clone(), count.clone(), orders.to_vec());
        clients.spawn(async move {
            let Ok(mut connection) = Connection::open(port).await else {
                return orders;
            };
            for order in &mut orders {
                while !order.is_done() {
                    let Ok(answer) = connection.ask(&order.request(&key)).await else {
                        return orders;
                    };
                    assert!([200, 201].contains(&answer.status), "{}", answer.text());
                    order.answered += 1;
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
            orders
        });
    }
    clients
}

/// A third fails: refused, or cut off.
fn unreliable(_: &str) -> Manner {
    match rand::random_range(0..6) {
        0 => Manner::Status(500),
        1 => Manner::HangsUp,
        _ => Manner::Status(200),
    }
}

async fn kill_again_and_again(engine: Engine) {
    let receiver = Receiver::start(unreliable).await;
    let mut scene = Scene::start_with(engine, "orders_kill_9", holding).await;
    let office = scene.office().await;
    office.create_company(COMPANY, &receiver.url("/")).await;
    let key = office.create_orders_key(COMPANY).await;
    office.close().await;
    let fresh = |number| Order {
        number,
        placed_at: None,
        answered: 0,
    };
    let all: Vec<Order> = (0..ORDERS).map(fresh).collect();
    let (mut open, mut done) = (Vec::new(), Vec::new());
    for (kill, more) in all.chunks(ORDERS / KILLS).enumerate() {
        open.extend_from_slice(more);
        let answered = Arc::default();
        let clients = ask(scene.server.port(), &key, &open, &answered);
        // Each time at another moment.
        let moment = kill * 7 % (ORDERS / KILLS);
        until("a moment to kill", PATIENCE, || {
            answered.load(Ordering::Relaxed) >= moment
        })
        .await;
        scene.server.kill9().unwrap();
        let asked = clients.join_all().await.into_iter().flatten();
        let (finished, left): (Vec<_>, Vec<_>) = asked.partition(Order::is_done);
        done.extend(finished);
        open = left;
        scene.server.start_again().unwrap();
    }
    println!("{} orders done while being killed", done.len());
    receiver.behave(|_| Manner::Status(200));
    let port = scene.server.port();
    let left = ask(port, &key, &open, &Arc::default()).join_all().await;
    done.extend(left.into_iter().flatten());
    assert!(done.len() == ORDERS && done.iter().all(Order::is_done));
    let expired = |order: &&Order| !order.is_to_be_released();
    until("all that are to expire have", LONGEST, || {
        count(&scene.server, "order.expired") == 2 * done.iter().filter(expired).count()
    })
    .await;
    until("all is told", LONGEST, || waiting(&scene.server) == 0).await;

    let mut reminders = 0;
    for order in &done {
        reminders += expect_in_its_place(port, &key, order).await;
    }
    assert_eq!(count(&scene.server, "order.reminder"), reminders);
    expect_told(&receiver, &done);
    let office = scene.office().await;
    office.verify_audit().await;
    office.close().await;
}

/// How many deliveries there are of a topic. That an order has expired is told twice: to the merchant,
/// and to the customer.
fn count(server: &Server, topic: &str) -> usize {
    let deliveries = listed(server);
    deliveries
        .iter()
        .filter(|one| one["type"] == *topic)
        .count()
}

fn waiting(server: &Server) -> usize {
    let deliveries = listed(server);
    deliveries
        .iter()
        .filter(|one| one["status"] == "waiting")
        .count()
}

/// Ends the test unless an order stands where it belongs, has come there once, and no reminder went out
/// twice; returns how many went out.
async fn expect_in_its_place(port: u16, key: &Key, order: &Order) -> usize {
    let path = format!("/api/v1/orders/{}", order.number);
    let answer = ask_once(port, &get_with(&path, &key.text)).await.unwrap();
    assert_eq!(answer.status, 200, "order {} is lost", order.number);
    let shown = answer.json();
    let end = if order.is_to_be_released() {
        "released"
    } else {
        "expired"
    };
    assert_eq!(shown["status"], end, "{shown}");
    let timeline = shown["timeline"].as_array().unwrap();
    let times = |event: &str| timeline.iter().filter(|one| one["event"] == event).count();
    for once in ["placed", "held", end] {
        assert_eq!(times(once), 1, "{shown}");
    }
    assert_eq!(times("proof"), order.proofs().len(), "{shown}");
    let reminders = timeline.iter().filter(|one| one["event"] == "reminder");
    let steps: BTreeSet<_> = reminders.map(|one| one["detail"].to_string()).collect();
    assert_eq!(steps.len(), times("reminder"), "each step once: {shown}");
    assert!(!steps.is_empty(), "{shown}");
    steps.len()
}

/// Ends the test unless the merchant has accepted that each order was held, and then what became of it,
/// each under one name, however often it was sent.
fn expect_told(receiver: &Receiver, orders: &[Order]) {
    let mut names = BTreeMap::<(String, String), BTreeSet<String>>::new();
    let mut accepted = BTreeMap::<String, Vec<String>>::new();
    for heard in receiver.heard() {
        let message: Value = heard.json();
        let Some(order) = message["data"]["order_id"].as_str().map(str::to_owned) else {
            continue;
        };
        let topic = message["type"].as_str().unwrap().to_owned();
        let of_it = names.entry((order.clone(), topic.clone())).or_default();
        of_it.insert(heard.id.clone());
        let told = accepted.entry(order).or_default();
        if heard.accepted && !told.contains(&topic) {
            told.push(topic);
        }
    }
    assert!(
        names.values().all(|names| names.len() == 1),
        "one name each"
    );
    for order in orders {
        let end = if order.is_to_be_released() {
            "order.released"
        } else {
            "order.expired"
        };
        let told = &accepted[&order.number.to_string()];
        assert_eq!(*told, ["order.held", end], "order {}", order.number);
    }
}
