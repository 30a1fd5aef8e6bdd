//! A customer is heard of first in the very instant in which something happens at Square: two
//! transactions that cannot see each other. On PostgreSQL alone; SQLite writes one after the other.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use tokio_postgres::NoTls;

use super::{ANN, BOB, Stage, customer, event, merge};
use crate::harness::{Answer, Engine, Settings, TestApp, flows};

flows!(
    proofs_of_who_is_new_follow_a_merge_of_the_same_instant,
    who_is_new_is_shown_to_who_was_tied_in_the_same_instant,
);

const AT: &str = "2024-12-31T00:00:00Z";

/// Holds back the commit of whoever keeps an idempotent answer, while this is locked.
const GATE: &str = "CREATE FUNCTION held_back() RETURNS trigger LANGUAGE plpgsql AS \
    'BEGIN PERFORM pg_advisory_xact_lock(42); RETURN NEW; END'; \
    CREATE TRIGGER held_back BEFORE UPDATE ON idempotency_keys \
    FOR EACH ROW EXECUTE FUNCTION held_back(); SELECT pg_advisory_lock(42)";

/// How many are waiting for somebody else's transaction.
const WAITING: &str = "SELECT pid FROM pg_stat_activity \
    WHERE datname = current_database() AND wait_event_type = 'Lock'";

/// Ann is verified by another instance, which has written everything and commits only when Square's
/// `events` are processed here, or wait for it.
async fn verified_around(stage: &Stage, events: &[Value]) -> Answer {
    let (gate, connection) = tokio_postgres::connect(&stage.app.database().url(), NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    gate.batch_execute(GATE).await.unwrap();
    let mut settings = Settings::default().customers("off");
    settings
        .orders
        .square
        .clone_from(&stage.app.app.orders.square);
    let other = stage.app.another(settings).await;
    let change = json!({"email": ANN, "verification_type": "veriff", "status": true});
    let call =
        crate::customers::update(&other, &stage.key, &change).header("idempotency-key", "instant");
    let proving = tokio::spawn(call.expect(200));
    while gate.query(WAITING, &[]).await.unwrap().is_empty() {
        assert!(!proving.is_finished(), "it was not held back");
    }
    let is_heard = AtomicBool::new(false);
    let hearing = async {
        for event in events {
            stage.hear(event).await;
        }
        is_heard.store(true, Ordering::SeqCst);
    };
    let opening = async {
        loop {
            let waiting = gate.query(WAITING, &[]).await.unwrap();
            if is_heard.load(Ordering::SeqCst) || waiting.len() > 1 {
                break;
            }
        }
        let open = gate.batch_execute("SELECT pg_advisory_unlock(42)");
        open.await.unwrap();
    };
    tokio::join!(hearing, opening);
    proving.await.unwrap()
}

async fn proofs_of_who_is_new_follow_a_merge_of_the_same_instant(app: TestApp) {
    if app.engine() == Engine::Sqlite {
        return;
    }
    let stage = Stage::set(&app).await;
    let events = merge("m", AT, &[customer("A", ANN, 1)], &customer("B", BOB, 1));
    verified_around(&stage, &events).await;
    app::square::sweep(&stage.app.app).await.unwrap();
    assert_eq!(stage.proofs(BOB).await, [true, false, false]);
}

async fn who_is_new_is_shown_to_who_was_tied_in_the_same_instant(app: TestApp) {
    if app.engine() == Engine::Sqlite {
        return;
    }
    let stage = Stage::set(&app).await;
    let ann = customer("A", ANN, 0);
    stage.seller.has(ann.clone());
    let created = event("A", "customer.created", AT, &ann);
    verified_around(&stage, &[created]).await;
    app::square::sweep(&stage.app.app).await.unwrap();
    stage.deliver().await;
    assert_eq!(stage.seller.shows("A").as_deref(), Some("verified_21"));
}
