//! A customer is heard of first in the very instant in which something happens at Square: two
//! transactions that cannot see each other. On PostgreSQL alone; SQLite writes one after the other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};

use super::{ANN, BOB, Stage, customer, event, merge};
use crate::customers::prove;
use crate::harness::{Answer, Engine, Settings, TestApp, flows};

flows!(
    proofs_of_who_is_new_follow_a_merge_of_the_same_instant,
    who_is_new_is_shown_to_who_was_tied_in_the_same_instant,
    who_looked_before_a_merge_was_taken_back_does_not_carry_after_it,
    who_is_made_by_a_merge_that_is_taken_back_holds_nothing,
    who_is_tied_while_others_are_merged_into_them_holds_what_they_had,
    who_is_erased_in_the_instant_of_a_hook_is_told_of_as_somebody_new,
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

/// Somebody else at the database.
async fn connect(stage: &Stage) -> Client {
    let connected = tokio_postgres::connect(&stage.app.database().url(), NoTls).await;
    let (client, connection) = connected.unwrap();
    tokio::spawn(connection);
    client
}

/// Another instance that works with Square.
async fn another(stage: &Stage) -> TestApp {
    let mut settings = Settings::default().customers("off");
    settings
        .orders
        .square
        .clone_from(&stage.app.app.orders.square);
    stage.app.another(settings).await
}

/// Begins to carry what is asked for, on another instance, until it waits for somebody else.
async fn carries_until_it_waits(other: &TestApp, gate: &Client) -> JoinHandle<()> {
    let app = other.app.clone();
    let carrying = tokio::spawn(async move {
        app::square::sweep(&app).await.unwrap();
    });
    while gate.query(WAITING, &[]).await.unwrap().is_empty() {
        assert!(!carrying.is_finished(), "it was not held back");
    }
    carrying
}

/// The merge is taken back, as a hook writes it down, and one customer asked for.
async fn taken_back(stage: &Stage, asked: &str) {
    let taken_back = format!(
        "UPDATE square_customers SET recovered_at = merged_at + 1, holder_index = NULL, \
         is_there = TRUE WHERE merged_into IS NOT NULL; \
         DELETE FROM square_carries; \
         INSERT INTO square_carries (company_id, email_index, asked, asked_at) \
         SELECT company_id, subject_index, 7, 7 FROM square_customers WHERE {asked} \
         AND subject_index IS NOT NULL"
    );
    let outside = connect(stage).await;
    outside.batch_execute(&taken_back).await.unwrap();
}

/// The two addresses, the one first whose customer everybody locks first.
async fn in_order(stage: &Stage) -> [&'static str; 2] {
    for email in [ANN, BOB] {
        stage.app.advance(Duration::from_secs(1));
        prove(&stage.app, &stage.key, email, "email_optin", true).await;
    }
    let sql = "SELECT email_index, created_at FROM customer_verification ORDER BY email_index";
    let rows = stage.app.database().sql(sql).await;
    let created: Vec<i64> = rows.iter().map(|row| row[1].parse().unwrap()).collect();
    match created[0] < created[1] {
        true => [ANN, BOB],
        false => [BOB, ANN],
    }
}

/// Ann is verified by another instance, which has written everything and commits only when Square's
/// `events` are processed here, or wait for it.
async fn verified_around(stage: &Stage, events: &[Value]) -> Answer {
    let gate = connect(stage).await;
    gate.batch_execute(GATE).await.unwrap();
    let other = another(stage).await;
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

async fn who_looked_before_a_merge_was_taken_back_does_not_carry_after_it(app: TestApp) {
    if app.engine() == Engine::Sqlite {
        return;
    }
    let stage = Stage::set(&app).await;
    let [first, second] = in_order(&stage).await;
    prove(&stage.app, &stage.key, first, "veriff", true).await;
    let (gone, holder) = (customer("A", first, 1), customer("B", second, 1));
    for event in merge("m", AT, &[gone], &holder) {
        stage.hear(&event).await;
    }
    assert_eq!(stage.proofs(second).await, [true, false, true]);
    // Somebody is about to carry, and has to wait for the first of the two.
    prove(&stage.app, &stage.key, first, "membership", true).await;
    let mut gate = connect(&stage).await;
    let other = another(&stage).await;
    let locked = gate.transaction().await.unwrap();
    let lock = "SELECT 1 FROM customer_verification ORDER BY email_index LIMIT 1 FOR UPDATE";
    locked.query(lock, &[]).await.unwrap();
    let watch = connect(&stage).await;
    let carrying = carries_until_it_waits(&other, &watch).await;
    // Meanwhile the merge is taken back, and with it what it had carried.
    taken_back(&stage, "merged_into IS NULL").await;
    app::square::sweep(&stage.app.app).await.unwrap();
    assert_eq!(stage.proofs(second).await, [false, false, true]);
    locked.commit().await.unwrap();
    carrying.await.unwrap();
    app::square::sweep(&stage.app.app).await.unwrap();
    assert_eq!(stage.proofs(second).await, [false, false, true]);
}

async fn who_is_made_by_a_merge_that_is_taken_back_holds_nothing(app: TestApp) {
    if app.engine() == Engine::Sqlite {
        return;
    }
    let stage = Stage::set(&app).await;
    for event in merge("m", AT, &[customer("A", ANN, 1)], &customer("B", BOB, 1)) {
        stage.hear(&event).await;
    }
    prove(&stage.app, &stage.key, ANN, "veriff", true).await;
    // Bob is being made, of what Ann has proven.
    let gate = connect(&stage).await;
    let hold_back = GATE.replace(
        "UPDATE ON idempotency_keys",
        "INSERT ON customer_verification",
    );
    gate.batch_execute(&hold_back).await.unwrap();
    let other = another(&stage).await;
    let watch = connect(&stage).await;
    let carrying = carries_until_it_waits(&other, &watch).await;
    taken_back(&stage, "merged_into IS NULL").await;
    app::square::sweep(&stage.app.app).await.unwrap();
    let open = gate.batch_execute("SELECT pg_advisory_unlock(42)");
    open.await.unwrap();
    carrying.await.unwrap();
    app::square::sweep(&stage.app.app).await.unwrap();
    assert_eq!(stage.proofs(BOB).await, [false; 3]);
}

async fn who_is_tied_while_others_are_merged_into_them_holds_what_they_had(app: TestApp) {
    if app.engine() == Engine::Sqlite {
        return;
    }
    let stage = Stage::set(&app).await;
    prove(&stage.app, &stage.key, ANN, "veriff", true).await;
    prove(&stage.app, &stage.key, BOB, "membership", true).await;
    let nameless = |id: &str| {
        let mut customer = customer(id, ANN, 1);
        customer["email_address"] = Value::Null;
        customer
    };
    // X and Y are known by no address; Ann goes into the one that everybody locks first.
    for id in ["X", "Y"] {
        stage.app.advance(Duration::from_secs(1));
        stage
            .hear(&event(id, "customer.created", AT, &nameless(id)))
            .await;
    }
    let sql = "SELECT created_at FROM square_customers ORDER BY square_index";
    let rows = stage.app.database().sql(sql).await;
    let created: Vec<i64> = rows.iter().map(|row| row[0].parse().unwrap()).collect();
    let [first, last] = match created[0] < created[1] {
        true => ["X", "Y"],
        false => ["Y", "X"],
    };
    for event in merge("m", AT, &[customer("A", ANN, 2)], &nameless(first)) {
        stage.hear(&event).await;
    }
    // The other one turns out to be Bob in the instant in which the first goes into it.
    let mut gate = connect(&stage).await;
    let tying = gate.transaction().await.unwrap();
    let tie = "UPDATE square_customers SET subject_index = (SELECT email_index \
               FROM customer_verification WHERE membership_signed) WHERE square_index = \
               (SELECT MAX(square_index::text)::bytea FROM square_customers \
               WHERE subject_index IS NULL)";
    assert_eq!(tying.execute(tie, &[]).await.unwrap(), 1);
    let watch = connect(&stage).await;
    let merged = merge("n", AT, &[nameless(first)], &nameless(last)).remove(0);
    let hearing = stage.hear(&merged);
    let committing = async {
        while watch.query(WAITING, &[]).await.unwrap().is_empty() {}
        tying.commit().await.unwrap();
    };
    tokio::join!(hearing, committing);
    assert_eq!(stage.proofs(BOB).await, [true, true, false]);
}

async fn who_is_erased_in_the_instant_of_a_hook_is_told_of_as_somebody_new(app: TestApp) {
    if app.engine() == Engine::Sqlite {
        return;
    }
    let stage = Stage::set(&app).await;
    let created = event("e", "customer.created", AT, &customer("A", ANN, 0));
    stage.hear(&created).await;
    let mut gate = connect(&stage).await;
    let erasing = gate.transaction().await.unwrap();
    let lock = "SELECT 1 FROM square_customers FOR UPDATE";
    erasing.query(lock, &[]).await.unwrap();
    let watch = connect(&stage).await;
    let updated = event("f", "customer.updated", AT, &customer("A", ANN, 1));
    let hearing = stage.hear(&updated);
    let committing = async {
        while watch.query(WAITING, &[]).await.unwrap().is_empty() {}
        let erase = "DELETE FROM square_customers; DELETE FROM data_keys WHERE purpose = 'person'";
        erasing.batch_execute(erase).await.unwrap();
        erasing.commit().await.unwrap();
    };
    tokio::join!(hearing, committing);
    assert_eq!(stage.tied().await, 1);
    let keys = "SELECT id FROM data_keys WHERE purpose = 'person' \
                AND id NOT IN (SELECT data_key FROM square_customers)";
    let keys = stage.app.database().sql(keys).await;
    assert!(keys.is_empty(), "a key of nobody");
}
