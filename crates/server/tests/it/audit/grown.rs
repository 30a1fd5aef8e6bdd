//! A log to tamper with and to prove from: ten thousand records, checkpoints and two signing keys.

use std::time::Duration;

use domain::audit::{Outcome, Record};
use domain::seal::BlindIndex;
use futures_util::future::join_all;
use uuid::Uuid;

use crate::harness::TestApp;

/// How many records there are.
pub const RECORDS: usize = 10_000;
/// How many are appended between two checkpoints.
const WAVE: usize = 500;

/// Appends the records, signs now and then, and replaces the key halfway.
pub async fn grow(app: &TestApp) {
    for wave in 0..RECORDS / WAVE {
        let records = (0..WAVE).map(|at| record(app, wave * WAVE + at));
        join_all(records.map(|record| append(app, record))).await;
        app.advance(Duration::from_secs(60));
        if wave == RECORDS / WAVE / 2 {
            rotate(app).await;
        } else {
            app.app.checkpoints.make().await.unwrap().unwrap();
        }
    }
}

async fn append(app: &TestApp, record: Record) {
    app.app.store.append(record).await.unwrap();
}

/// Has another key sign.
pub async fn rotate(app: &TestApp) {
    let command = app.command("audit.rotate_key");
    let draft = app.app.recorder.draft(&command).await.unwrap();
    app.app.checkpoints.rotate(&draft).await.unwrap();
}

/// A record with something in every field.
fn record(app: &TestApp, number: usize) -> Record {
    Record {
        at: app.now(),
        request_id: format!("request-{number}").into(),
        company: "default".into(),
        credential: "command".into(),
        action: "customer.check".into(),
        subject: BlindIndex::from_bytes(&[7; 16]),
        outcome: Outcome {
            code: "ok".into(),
            status: 200,
        },
        latency: 1_234,
        occurrences: 1,
        data_key: Some(Uuid::from_u128(number as u128)),
        client: Some(format!("sealed {number}").into_bytes()),
        detail: Some("as it was".to_owned()),
    }
}
