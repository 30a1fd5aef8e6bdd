//! Nobody is in the archive: not by name, not sealed, and not as a keyed hash.

use data_encoding::{BASE64, HEXLOWER};
use serde_json::json;

use super::{AGES, AUDIT, Stage};
use crate::ages;
use crate::customers::{check, update};
use crate::harness::{TestApp, flows};

flows!(
    nobody_is_in_what_leaves,
    who_is_erased_is_not_in_the_archive
);

/// Everything that is known of somebody.
const SECRETS: [&str; 12] = [
    "ann@example.com",
    "ann%40example.com",
    "+14155550123",
    "4155550123",
    "Ada Lovelace",
    "1990-06-15",
    "1234\"",
    "customer-of-the-shop-77",
    "198.51.100.77",
    "203.0.113.7",
    "AnnsBrowser",
    "Ann asked for it",
];

async fn ann(stage: &Stage) {
    let (app, key) = (&stage.app, &stage.key);
    let change = json!({"email": "ann@example.com", "phone": "+14155550123",
        "verification_type": "membership", "status": true,
        "metadata": {"ip_address": "198.51.100.77", "user_agent": "AnnsBrowser"}});
    update(app, key, &change).expect(200).await;
    let question = json!({"email": "ann@example.com"});
    check(app, key, &question)
        .header("user-agent", "AnnsBrowser")
        .expect(200)
        .await;
    let mut claim = ages::adult("customer-of-the-shop-77");
    claim["email"] = json!("ann@example.com");
    ages::verify(app, key, &claim).expect(200).await;
    ages::refuse(app, key, "customer-of-the-shop-77-a").await;
    let hold = json!({"email": "ann@example.com", "hold": true, "reason": "Ann asked for it"});
    let _ = app
        .post("/api/v1/customer/legal-hold")
        .key(key)
        .json(&hold)
        .send()
        .await;
}

/// Everything that Google was ever sent, in every way of writing it.
fn sent(stage: &Stage) -> String {
    let asked = stage.google.asked();
    let texts: Vec<_> = asked.iter().map(|asked| asked.body.as_str()).collect();
    texts.join("\n")
}

async fn nobody_is_in_what_leaves(app: TestApp) {
    let mut stage = Stage::set(&app).await;
    stage.copy().await;
    ann(&stage).await;
    stage.copy().await;
    assert!(stage.google.names(AUDIT).1 >= 5);
    let sent = sent(&stage);
    for secret in SECRETS {
        assert!(!sent.contains(secret), "{secret}");
    }
    // Neither the hashes that lead to somebody nor what is sealed.
    let records = stage.app.records().await;
    let mut hidden = 0;
    for located in records {
        let record = located.record;
        let subject = record.subject.map(|subject| subject.as_bytes().to_vec());
        for bytes in [subject, record.client].into_iter().flatten() {
            hidden += 1;
            assert!(!sent.contains(&HEXLOWER.encode(&bytes)));
            assert!(!sent.contains(&BASE64.encode(&bytes)));
        }
        if let Some(key) = record.data_key {
            assert!(!sent.contains(&key.to_string()));
        }
    }
    assert!(hidden >= 8);
    let indexes = "SELECT customer_index, data_key FROM age_decisions";
    for value in stage
        .app
        .database()
        .sql(indexes)
        .await
        .into_iter()
        .flatten()
    {
        assert!(!sent.contains(value.trim_start_matches("\\x")));
    }
    assert!(!sent.contains("\"age\""), "an age in years");
}

async fn who_is_erased_is_not_in_the_archive(app: TestApp) {
    let mut stage = Stage::set(&app).await;
    stage.copy().await;
    ann(&stage).await;
    let question = json!({"email": "ann@example.com"});
    let release = json!({"email": "ann@example.com", "hold": false});
    let _ = stage
        .app
        .post("/api/v1/customer/legal-hold")
        .key(&stage.key)
        .json(&release)
        .send()
        .await;
    let erase = stage
        .app
        .post("/api/v1/customer/erase")
        .key(&stage.key)
        .json(&question);
    erase.expect(200).await;
    // What was decided before the erasure is copied after it, and still names nobody.
    stage.copy().await;
    let sent = sent(&stage);
    for secret in SECRETS {
        assert!(!sent.contains(secret), "{secret}");
    }
    assert_eq!(stage.google.names(AGES).1, 2);
}
