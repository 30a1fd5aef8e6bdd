//! The audit log: batches that chain, whoever writes beside whom.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bonafide_store::tables::{audit as table, audit_leaves};
use bonafide_store::{Occupation, Store, StoreWatch};
use domain::audit::{self, Head, Record};
use domain::seal::BlindIndex;
use futures_util::future::join_all;
use uuid::Uuid;

use crate::ground::{Act, Ground, Step, contract, now, record};

contract!(
    batches_chain_under_concurrency,
    who_watches_is_told_of_every_record_once,
    instances_chain_side_by_side,
    a_log_goes_on_where_it_ended,
    leaves_are_hashed_as_records_lie_there,
    many_records_at_once_are_kept_whole,
    a_batch_with_a_record_that_cannot_be_kept_is_kept_as_answered,
);

/// Every batch follows the one before it and holds exactly its records; returns how many records.
async fn assert_chained(store: &Store) -> usize {
    let read = store.read(|mut tx| {
        Box::pin(async move {
            let mut logs = Vec::new();
            for log in table::logs(&mut tx).await? {
                let batches = table::batches(&mut tx, log, 0, i64::MAX).await?;
                logs.push((batches, table::records(&mut tx, log, 0, i64::MAX).await?));
            }
            Ok(logs)
        })
    });
    let mut total = 0;
    for (batches, records) in read.await.unwrap() {
        let mut head = Head::EMPTY;
        let mut seen = 0;
        for batch in batches {
            let leaves = records
                .iter()
                .filter(|located| located.batch == batch.number)
                .map(|located| located.record.leaf());
            let again = audit::close(batch.log, head, leaves.collect(), now());
            assert_eq!(batch, again);
            head = batch.as_head();
            seen += batch.leaves.len();
        }
        assert_eq!(seen, records.len());
        total += seen;
    }
    total
}

async fn batches_chain_under_concurrency(ground: Ground) {
    let store = &ground.open().await;
    let units = (0..150_i64).map(|at| async move {
        let steps = [Step::Insert(at, at)];
        store
            .write(Act::new(at, &format!("u{at}"), steps))
            .await
            .unwrap();
    });
    let appends = (0..150).map(|at| async move {
        store.append(record(&format!("a{at}"))).await.unwrap();
    });
    tokio::join!(join_all(units), join_all(appends));
    assert_eq!(assert_chained(store).await, 300);
    let twice = "SELECT COUNT(*) - COUNT(DISTINCT request_id) FROM audit_records";
    assert_eq!(ground.number(twice).await, 0);
}

/// Batches, records in them, and records that failed.
#[derive(Clone, Default)]
struct Told(Arc<[AtomicUsize; 3]>);

impl Told {
    fn now(&self) -> [usize; 3] {
        [0, 1, 2].map(|at| self.0[at].load(Ordering::SeqCst))
    }
}

impl StoreWatch for Told {
    fn committed(&self, records: usize) {
        self.0[0].fetch_add(1, Ordering::SeqCst);
        self.0[1].fetch_add(records, Ordering::SeqCst);
    }

    fn failed(&self) {
        self.0[2].fetch_add(1, Ordering::SeqCst);
    }

    fn spoilt(&self, table: &'static str) {
        panic!("a row of {table} is spoilt");
    }

    fn busy(&self, _: Occupation, _: Duration) {}

    fn visit(&self, _: &'static str) -> Option<Box<dyn Send>> {
        None
    }
}

async fn who_watches_is_told_of_every_record_once(ground: Ground) {
    const HIDE: &str = "ALTER TABLE audit_records RENAME TO audit_records_hidden";
    const SHOW: &str = "ALTER TABLE audit_records_hidden RENAME TO audit_records";
    let store = &ground.open().await;
    let (told, late) = (Told::default(), Told::default());
    store.watch(told.clone());
    store.watch(late.clone());
    let name = |at: usize| format!("a{at}");
    let appends = join_all((0..100).map(|at| async move {
        store.append(record(&name(at))).await.unwrap();
    }));
    appends.await;
    ground.sql(HIDE).await;
    assert!(store.append(record("lost")).await.is_err());
    ground.sql(SHOW).await;
    let batches = ground.number("SELECT COUNT(*) FROM audit_batches").await;
    let batches = usize::try_from(batches).unwrap();
    assert_eq!(told.now(), [batches, 100, 1]);
    assert_eq!(late.now(), [0; 3], "only the first is heard");
}

async fn instances_chain_side_by_side(ground: Ground) {
    let stores = [
        ground.open().await,
        ground.open().await,
        ground.open().await,
    ];
    let works = (0..300_i64).map(|at| {
        let store = &stores[at as usize % 3];
        async move {
            let steps = [Step::Insert(at, at)];
            store
                .write(Act::new(at % 5, &format!("u{at}"), steps))
                .await
                .unwrap();
            store.append(record(&format!("a{at}"))).await.unwrap();
        }
    });
    join_all(works).await;
    assert_eq!(assert_chained(&stores[0]).await, 600);
}

async fn a_log_goes_on_where_it_ended(ground: Ground) {
    for round in 0..4 {
        let store = ground.open().await;
        for at in 0..5 {
            store
                .append(record(&format!("r{round}-{at}")))
                .await
                .unwrap();
        }
        store.close().await;
    }
    let store = ground.open().await;
    assert_eq!(assert_chained(&store).await, 20);
    // Instances that come and go leave no more logs than ever wrote at the same time.
    let logs = ground
        .number("SELECT COUNT(DISTINCT log) FROM audit_batches")
        .await;
    assert!(logs <= 4, "{logs} logs");
}

/// A record of which everything is there, each with contents of its own.
fn full_record(at: u8) -> Record {
    Record {
        subject: BlindIndex::from_bytes(&[at; 16]),
        data_key: Some(Uuid::from_u128(u128::from(at) << 90)),
        client: Some(vec![0, 159, 146, at]),
        detail: Some(format!("Zoë 🦊 {at}")),
        latency: 1_000 + i64::from(at),
        occurrences: 7,
        ..record(&format!("full {at}"))
    }
}

/// So many at once that a writer takes a crowd of them along.
async fn many_records_at_once_are_kept_whole(ground: Ground) {
    let store = &ground.open().await;
    let records = (0..200).flat_map(|at| [record(&format!("bare {at}")), full_record(at)]);
    let records: Vec<_> = records.collect();
    for appended in join_all(records.iter().map(|record| store.append(record.clone()))).await {
        appended.unwrap();
    }
    let largest = ground.number("SELECT MAX(size) FROM audit_batches").await;
    assert!(largest >= 50, "only {largest} in one batch");
    assert_eq!(assert_chained(store).await, 400);
    let mut expected: Vec<_> = records.iter().map(Record::leaf).collect();
    let stored = leaves(store).await;
    let mut found: Vec<_> = stored.iter().map(|stored| stored.leaf).collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

async fn a_batch_with_a_record_that_cannot_be_kept_is_kept_as_answered(ground: Ground) {
    let refuse = if ground.is_postgres() {
        "ALTER TABLE audit_records ADD CHECK (request_id NOT LIKE 'poison%')"
    } else {
        "CREATE TRIGGER refuse BEFORE INSERT ON audit_records WHEN NEW.request_id LIKE 'poison%' \
         BEGIN SELECT RAISE(ABORT, 'refused'); END"
    };
    ground.sql(refuse).await;
    let store = &ground.open().await;
    let appends = (0..200).map(|at| async move {
        let poison = at % 90 == 40;
        let name = if poison { "poison" } else { "fine" };
        let appended = store.append(record(&format!("{name} {at}"))).await;
        assert!(appended.is_err() || !poison);
        appended.is_ok()
    });
    let answered = join_all(appends).await;
    let kept = answered.iter().filter(|is_kept| **is_kept).count();
    // On PostgreSQL it takes no other down, on SQLite only those of its batch.
    let least = if ground.is_postgres() { 198 } else { 50 };
    assert!((least..=198).contains(&kept), "{kept}");
    assert_eq!(assert_chained(store).await, kept);
}

/// The leaves of all logs, computed from what is stored.
async fn leaves(store: &Store) -> Vec<audit_leaves::StoredLeaf> {
    let read = store.read(|mut tx| {
        Box::pin(async move {
            let mut leaves = Vec::new();
            for log in table::logs(&mut tx).await? {
                leaves.extend(audit_leaves::leaves(&mut tx, log, 0, i64::MAX).await?);
            }
            Ok(leaves)
        })
    });
    read.await.unwrap()
}

async fn leaves_are_hashed_as_records_lie_there(ground: Ground) {
    let store = ground.open().await;
    let records = [full_record(7), record("bare"), record("")];
    for record in &records {
        store.append(record.clone()).await.unwrap();
    }
    let before = leaves(&store).await;
    let mut found: Vec<_> = before.iter().map(|stored| stored.leaf).collect();
    let mut expected = records.map(|record| record.leaf()).to_vec();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
    // What no record could be is still hashed.
    ground
        .sql("UPDATE audit_records SET at = 9223372036854775807 WHERE request_id = 'bare'")
        .await;
    let after = leaves(&store).await;
    let changed = after
        .iter()
        .zip(&before)
        .filter(|(after, before)| after != before);
    assert_eq!(changed.count(), 1);
}
