//! The Orders surface as shops and their staff see it.

mod answers;
mod concurrency;
mod events;
mod identity;
mod letters;
mod lists;
mod mistakes;
pub mod page;
mod proofs;
mod rules;
mod schedule;
mod staff;

use std::time::Duration;

use serde_json::{Value, json};

use crate::customers::prove;
use crate::harness::{Answer, Call, TestApp};

/// The path.
pub const ORDERS: &str = "/api/v1/orders";

/// The scopes of a shop.
pub const ALL: &str = "orders:read orders:write customers:read customers:write";

/// A customer.
pub const ANN: &str = "ann@example.com";

/// All proofs.
pub const PROOFS: [&str; 3] = ["veriff", "membership", "email_optin"];

const HOUR: Duration = Duration::from_secs(3_600);
const SECOND: Duration = Duration::from_secs(1);

/// Tells of an order.
pub fn place(app: &TestApp, key: &str, order: &Value) -> Call {
    app.post(ORDERS).key(key).json(order)
}

/// An order of a customer, placed now.
pub async fn placed(app: &TestApp, key: &str, id: &str, email: &str) -> Answer {
    let order = json!({"order_id": id, "email": email});
    place(app, key, &order).expect(201).await
}

/// Looks an order up.
pub async fn show(app: &TestApp, key: &str, id: &str) -> Value {
    app.get(&format!("{ORDERS}/{id}"))
        .key(key)
        .expect(200)
        .await
        .json
}

/// Where an order stands.
pub async fn status(app: &TestApp, key: &str, id: &str) -> String {
    show(app, key, id).await["status"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// The words of an order's timeline.
pub async fn timeline(app: &TestApp, key: &str, id: &str) -> Vec<String> {
    let order = show(app, key, id).await;
    let events = order["timeline"].as_array().unwrap().iter();
    events
        .map(|moment| moment["event"].as_str().unwrap().to_owned())
        .collect()
}

/// Decides about an order: `release` or `cancel`.
pub fn decide(app: &TestApp, key: &str, id: &str, decision: &str) -> Call {
    let reason = json!({"reason": "seen in the store"});
    app.post(&format!("{ORDERS}/{id}/{decision}"))
        .key(key)
        .json(&reason)
}

/// Gives all proofs.
pub async fn prove_all(app: &TestApp, key: &str, email: &str) {
    for proof in PROOFS {
        prove(app, key, email, proof, true).await;
    }
}

/// The topics of what was enqueued to receivers of a channel, in the order of the queue.
pub async fn enqueued(app: &TestApp, channel: &str) -> Vec<String> {
    let sql =
        format!("SELECT topic FROM deliveries WHERE kind = '{channel}' ORDER BY created_at, id");
    app.database()
        .sql(&sql)
        .await
        .into_iter()
        .flatten()
        .collect()
}

/// Lets time pass, hour by hour, with the sweeps of a worker.
pub async fn pass(app: &TestApp, hours: u32) {
    for _ in 0..hours {
        app.advance(HOUR);
        app::orders::sweep(&app.app).await.unwrap();
    }
}
