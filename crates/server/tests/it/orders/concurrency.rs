//! Many at once: an order is placed once, released once, and told of once.

use std::collections::BTreeMap;

use app::orders::sweep;
use futures_util::future::join_all;
use serde_json::json;

use super::{ALL, ANN, HOUR, PROOFS, decide, enqueued, place, placed, status, timeline};
use crate::customers::update;
use crate::harness::{Answer, Settings, TestApp, flows};

flows!(
    a_hundred_completing_updates_release_once,
    of_a_hundred_placings_one_is_new,
    of_two_customers_one_gets_the_name,
    proofs_and_orders_that_cross_leave_nothing_held,
    a_decision_and_a_proof_settle_once,
    at_the_deadline_one_outcome_follows,
);

/// Two instances, and a key without a limit.
async fn two(app: &TestApp) -> ([TestApp; 2], String) {
    app.leaves_deliveries();
    app.webhook("default", "https://hooks.example.com/orders")
        .await;
    let key = app.key_with("default", ALL, "customers=off", None).await;
    let other = app.another(Settings::default()).await;
    ([app.clone(), other], key)
}

fn count(answers: &[Answer]) -> BTreeMap<u16, usize> {
    let mut statuses = BTreeMap::new();
    for answer in answers {
        *statuses.entry(answer.status.as_u16()).or_default() += 1;
    }
    statuses
}

async fn told(app: &TestApp, topic: &str) -> usize {
    let told = enqueued(app, "webhook").await;
    told.iter().filter(|told| *told == topic).count()
}

async fn a_hundred_completing_updates_release_once(app: TestApp) {
    let (instances, key) = &two(&app).await;
    placed(&app, key, "1", ANN).await;
    let answers = join_all((0..100).map(|number| {
        let proof = PROOFS[number % 3];
        let change = json!({"email": ANN, "verification_type": proof, "status": true});
        update(&instances[number % 2], key, &change).send()
    }))
    .await;
    assert_eq!(count(&answers), BTreeMap::from([(200, 100)]));
    assert_eq!(status(&app, key, "1").await, "released");
    let story = timeline(&app, key, "1").await;
    assert_eq!(story.iter().filter(|event| *event == "released").count(), 1);
    assert_eq!(told(&app, "order.released").await, 1);
    assert_eq!(told(&app, "customer.verified").await, 1);
    assert_eq!(app.recorded().await["order.release"], 1);
}

async fn of_a_hundred_placings_one_is_new(app: TestApp) {
    let (instances, key) = &two(&app).await;
    let order = json!({"order_id": "1", "email": ANN});
    let placings = (0..100).map(|number| place(&instances[number % 2], key, &order).send());
    let answers = join_all(placings).await;
    assert_eq!(count(&answers), BTreeMap::from([(200, 99), (201, 1)]));
    assert_eq!(told(&app, "order.held").await, 1);
    assert_eq!(enqueued(&app, "mail").await.len(), 1);
    assert_eq!(
        timeline(&app, key, "1").await,
        ["placed", "held", "reminder"]
    );
}

async fn of_two_customers_one_gets_the_name(app: TestApp) {
    let (instances, key) = &two(&app).await;
    let placings = (0..40).map(|number| {
        let email = ["ann@example.com", "bob@example.com"][number / 2 % 2];
        let order = json!({"order_id": "1", "email": email});
        place(&instances[number % 2], key, &order).send()
    });
    let answers = join_all(placings).await;
    assert_eq!(
        count(&answers),
        BTreeMap::from([(200, 19), (201, 1), (409, 20)])
    );
    let customers = "SELECT COUNT(*) FROM customer_verification";
    assert_eq!(app.database().sql(customers).await, [["1"]]);
}

async fn proofs_and_orders_that_cross_leave_nothing_held(app: TestApp) {
    let (instances, key) = &two(&app).await;
    let work = (0..60).map(|number| {
        let instance = &instances[number % 2];
        match number % 4 {
            3 => {
                let order = json!({"order_id": number.to_string(), "email": ANN});
                place(instance, key, &order).send()
            }
            proof => {
                let change =
                    json!({"email": ANN, "verification_type": PROOFS[proof], "status": true});
                update(instance, key, &change).send()
            }
        }
    });
    let answers = join_all(work).await;
    assert_eq!(count(&answers), BTreeMap::from([(200, 45), (201, 15)]));
    let statuses = "SELECT DISTINCT status FROM orders";
    assert_eq!(app.database().sql(statuses).await, [["released"]]);
    assert_eq!(told(&app, "order.released").await, 15);
}

async fn a_decision_and_a_proof_settle_once(app: TestApp) {
    let (instances, key) = &two(&app).await;
    for number in 0..10 {
        let (id, email) = (number.to_string(), format!("ann{number}@example.com"));
        placed(&app, key, &id, &email).await;
        for proof in &PROOFS[..2] {
            let change = json!({"email": email, "verification_type": proof, "status": true});
            update(&app, key, &change).expect(200).await;
        }
        let change = json!({"email": email, "verification_type": PROOFS[2], "status": true});
        tokio::join!(
            update(&instances[0], key, &change).expect(200),
            decide(&instances[1], key, &id, "release").expect(200),
        );
        assert_eq!(status(&app, key, &id).await, "released");
    }
    assert_eq!(told(&app, "order.released").await, 10);
}

async fn at_the_deadline_one_outcome_follows(app: TestApp) {
    let (instances, key) = &two(&app).await;
    for number in 0..20 {
        placed(
            &app,
            key,
            &number.to_string(),
            &format!("ann{number}@example.com"),
        )
        .await;
    }
    app.advance(72 * HOUR);
    let proofs = join_all((0..20).map(|number| {
        let email = format!("ann{number}@example.com");
        let change = json!({"email": email, "verification_type": "veriff", "status": true});
        update(&instances[number % 2], key, &change).expect(200)
    }));
    let (_, one, other) = tokio::join!(proofs, sweep(&instances[0].app), sweep(&instances[1].app));
    assert!(one.unwrap() + other.unwrap() <= 20);
    sweep(&app.app).await.unwrap();
    assert_eq!(told(&app, "order.expired").await, 20);
    assert_eq!(told(&app, "order.late").await, 20);
    let statuses = "SELECT DISTINCT status FROM orders";
    assert_eq!(app.database().sql(statuses).await, [["late"]]);
}
