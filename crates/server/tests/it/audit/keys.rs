//! The keys that sign checkpoints: replaced under load, and installations that are older than spans.

use domain::audit::{Checkpoint, CheckpointKey, Stated};
use domain::random::{self, uuid_v7};
use futures_util::future::join_all;
use serde_json::json;
use store::tables::audit;
use store::tables::audit_checkpoints::{self, Signed};
use store::tables::signing_keys::{self, SigningKey};
use store::{Lane, Tx, Unit, Written};

use crate::customers::{BOTH, check};
use crate::harness::{Settings, TestApp, flows};

use super::grown::rotate;
use super::publishing;

flows!(
    a_key_is_replaced_under_load,
    a_log_without_a_checkpoint_can_replace_its_key,
    replacing_the_key_is_on_record,
    a_removed_change_of_the_key_is_named,
    checkpoints_of_the_first_version_stay_good,
);

async fn a_key_is_replaced_under_load(app: TestApp) {
    let app = &app.another(Settings::default().customers("off")).await;
    let other = &app.another(Settings::default().customers("off")).await;
    let key = &app.key("default", BOTH).await;
    other.chores().await;
    let question = &json!({"email": "ann@example.com"});
    let load = async {
        for _ in 0..30 {
            join_all((0..10).map(|at| async move {
                let instance = if at % 2 == 0 { app } else { other };
                check(instance, key, question).expect(200).await
            }))
            .await;
        }
    };
    let sign = |instance: &'static str| async move {
        let instance = if instance == "app" { app } else { other };
        for _ in 0..10 {
            instance.app.checkpoints.make().await.unwrap();
        }
    };
    let replace = |instance: &'static str| async move {
        let instance = if instance == "app" { app } else { other };
        for _ in 0..5 {
            rotate(instance).await;
        }
    };
    tokio::join!(
        load,
        sign("app"),
        sign("other"),
        replace("app"),
        replace("other")
    );
    app.chores().await;
    app.assert_audit_is_clean().await;
    let keys = publishing::signing_keys(app).await;
    assert_eq!(keys.len(), 11);
    let checkpoints = publishing::checkpoints(app).await;
    let named = checkpoints
        .iter()
        .filter(|signed| signed.checkpoint.next_key().is_some());
    assert_eq!(named.count(), 10);
    assert_eq!(checkpoints.last().unwrap().signing_key, keys[0].wrapped.id);
}

async fn a_log_without_a_checkpoint_can_replace_its_key(app: TestApp) {
    rotate(&app).await;
    app.key("default", BOTH).await;
    app.chores().await;
    let checkpoints = publishing::checkpoints(&app).await;
    assert_eq!(checkpoints.len(), 2);
    assert_ne!(checkpoints[0].signing_key, checkpoints[1].signing_key);
}

async fn replacing_the_key_is_on_record(app: TestApp) {
    app.key("default", BOTH).await;
    rotate(&app).await;
    let records = app.records().await;
    let record = records
        .iter()
        .find(|located| located.record.action == "audit.rotate_key");
    let record = &record.unwrap().record;
    assert_eq!(&*record.credential, "command");
    assert_eq!(record.detail.as_deref(), Some("from checkpoint 2 on"));
}

async fn a_removed_change_of_the_key_is_named(app: TestApp) {
    for _ in 0..3 {
        app.key("default", BOTH).await;
        app.chores().await;
        rotate(&app).await;
    }
    app.chores().await;
    let all = publishing::checkpoints(&app).await;
    let naming = all
        .iter()
        .filter(|signed| signed.checkpoint.next_key().is_some());
    let number = naming
        .map(|signed| signed.checkpoint.number)
        .nth(1)
        .unwrap();
    let key = &publishing::signing_keys(&app).await[1];
    app.database()
        .sql("CREATE TABLE kept AS SELECT * FROM audit_checkpoints")
        .await;
    let removal = format!("DELETE FROM audit_checkpoints WHERE number = {number}");
    app.database().sql(&removal).await;
    let faults = app.audit_faults().await;
    let unnamed = format!(
        "signing key {}: no checkpoint names it as the next",
        key.wrapped.id
    );
    assert_eq!(
        faults,
        [format!("checkpoint {number}: was removed"), unnamed]
    );
    let restore =
        format!("INSERT INTO audit_checkpoints SELECT * FROM kept WHERE number = {number}");
    app.database().sql(&restore).await;
}

/// A checkpoint as the first version of this program made it, with its key.
struct FirstVersion {
    key: SigningKey,
    seed: [u8; 32],
    now: jiff::Timestamp,
}

impl Unit for FirstVersion {
    type Output = ();

    fn lane(&self) -> Lane {
        Lane::of(b"audit checkpoints")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<()>> {
        let last = audit_checkpoints::newest(tx)
            .await?
            .map(|last| last.checkpoint);
        let checkpoint = Checkpoint {
            number: last.as_ref().map_or(0, |last| last.number) + 1,
            at: self.now,
            previous: last.as_ref().map_or([0; 32], Checkpoint::digest),
            stated: Stated::V1(audit::heads(tx).await?),
        };
        if last.is_none() {
            signing_keys::insert(tx, &self.key).await?;
        }
        let key = CheckpointKey::from_seed(&self.seed).unwrap();
        let signed = Signed {
            signature: key.sign(&checkpoint),
            signing_key: self.key.wrapped.id,
            checkpoint,
        };
        assert!(audit_checkpoints::insert(tx, &signed).await?);
        Ok(Written {
            output: (),
            records: Vec::new(),
        })
    }
}

async fn checkpoints_of_the_first_version_stay_good(app: TestApp) {
    let random = app.app.random.clone();
    let seed = random::bytes(random.as_ref());
    let id = uuid_v7(app.now(), random.as_ref());
    let key = SigningKey {
        public_key: CheckpointKey::from_seed(&seed).unwrap().public().0,
        wrapped: app
            .app
            .key_ring
            .wrap_bytes(id, &seed, random.as_ref())
            .unwrap(),
        created_at: app.now(),
        first_checkpoint: 1,
    };
    for _ in 0..2 {
        app.key("default", BOTH).await;
        let unit = FirstVersion {
            key: key.clone(),
            seed,
            now: app.now(),
        };
        app.app.store.write(unit).await.unwrap();
        app.assert_audit_is_clean().await;
    }
    // Nothing was written since, but by the old ones nothing can be proven.
    app.chores().await;
    let all = publishing::checkpoints(&app).await;
    assert_eq!(all.len(), 3);
    assert!(
        all[2]
            .checkpoint
            .spans()
            .iter()
            .all(|log| log.span.first == 1)
    );
    app.chores().await;
    assert_eq!(publishing::checkpoints(&app).await.len(), 3);
    app.assert_audit_is_clean().await;
    for located in app.records().await {
        let place = app::audit::Place {
            log: located.log,
            batch: located.batch,
            position: located.position,
        };
        let proven = app::audit::prove(&app.app, place).await.unwrap().unwrap();
        proven.proof.check(&proven.public_key).unwrap();
    }
}
