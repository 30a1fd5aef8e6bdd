//! Many at once: the rules hold to the letter.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use serde_json::json;

use super::{ALL, adult, minor, statistics, verify};
use crate::customers::{BOTH, update};
use crate::harness::{Answer, Settings, TestApp, flows};

flows!(
    of_many_refused_attempts_three_are_decided,
    of_many_that_pass_one_is_decided,
    links_and_proofs_do_not_get_in_each_others_way,
    addresses_do_not_multiply_attempts,
);

fn count(answers: &[Answer]) -> BTreeMap<u16, usize> {
    let mut statuses = BTreeMap::new();
    for answer in answers {
        *statuses.entry(answer.status.as_u16()).or_default() += 1;
    }
    statuses
}

async fn of_many_refused_attempts_three_are_decided(app: TestApp) {
    let other = &app.another(Settings::default()).await;
    let key = &app.key("default", ALL).await;
    let app = &app;
    let answers = join_all((0..500).map(|number| {
        let instance = if number % 2 == 0 { app } else { other };
        verify(instance, key, &minor("customer-81")).send()
    }))
    .await;
    assert_eq!(count(&answers), BTreeMap::from([(400, 3), (429, 497)]));
    let closed = answers.iter().filter(|answer| answer.status == 429);
    assert!(closed.clone().all(|answer| answer.json["attempts"] == 3));
    let rows = app
        .database()
        .sql("SELECT attempts FROM age_customers")
        .await;
    assert_eq!(rows, [["3"]]);
    let counts = statistics(app, key, "").expect(200).await.json;
    assert_eq!(counts["statistics"]["totalAttempts"], 3);
    assert_eq!(app.recorded().await["age.verify"], 500);
}

async fn of_many_that_pass_one_is_decided(app: TestApp) {
    let other = &app.another(Settings::default()).await;
    let key = &app.key("default", ALL).await;
    let app = &app;
    let answers = join_all((0..100).map(|number| {
        let instance = if number % 2 == 0 { app } else { other };
        verify(instance, key, &adult("customer-81")).expect(200)
    }))
    .await;
    let id = &answers[0].json["verificationId"];
    assert!(
        answers
            .iter()
            .all(|answer| answer.json["verificationId"] == *id)
    );
    let full = answers
        .iter()
        .filter(|answer| answer.json["method"] == "full_verification");
    assert_eq!(full.count(), 1);
    let counts = statistics(app, key, "").expect(200).await.json;
    assert_eq!(counts["statistics"]["totalAttempts"], 1);
}

async fn links_and_proofs_do_not_get_in_each_others_way(app: TestApp) {
    let generous = || Settings::default().customers("off");
    let (one, other) = (
        &app.another(generous()).await,
        &app.another(generous()).await,
    );
    let key = &app.key("default", &format!("{ALL} {BOTH}")).await;
    join_all((0..240).map(|number| async move {
        let instance = if number % 2 == 0 { one } else { other };
        // Few addresses, asked for in every order.
        let email = format!("ada-{}@example.com", (number + number / 7) % 6);
        let mut claim = adult(&format!("customer-{}", number % 40));
        claim["email"] = email.as_str().into();
        let proof = json!({"email": email, "verification_type": "membership", "status": true});
        match number % 3 {
            0 => update(instance, key, &proof).expect(200).await,
            1 => super::resubmit(instance, key, &claim).expect(200).await,
            _ => verify(instance, key, &claim).expect(200).await,
        }
    }))
    .await;
    let customers = "SELECT COUNT(*) FROM customer_verification";
    assert_eq!(app.database().sql(customers).await, [["6"]]);
    let lost = "WITH RECURSIVE chain(id) AS (SELECT last_evidence FROM customer_verification \
                UNION SELECT e.previous FROM evidence e JOIN chain c ON e.id = c.id \
                WHERE e.previous IS NOT NULL) \
                SELECT (SELECT COUNT(*) FROM evidence) - (SELECT COUNT(*) FROM chain)";
    assert_eq!(
        app.database().sql(lost).await,
        [["0"]],
        "evidence that no customer leads to"
    );
}

async fn addresses_do_not_multiply_attempts(app: TestApp) {
    let key = &app.key("default", &format!("{ALL} {BOTH}")).await;
    let app = &app;
    let answers = join_all((0..200).map(|number| async move {
        let mut claim = super::minor("ann");
        claim["email"] = format!("ann-{number}@example.com").into();
        verify(app, key, &claim).send().await.status.as_u16()
    }))
    .await;
    let decided = answers.iter().filter(|status| **status == 400).count();
    assert_eq!(decided, 3);
}
