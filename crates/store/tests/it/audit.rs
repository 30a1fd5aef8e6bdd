//! The audit log: batches that chain, whoever writes beside whom.

use bonafide_store::Store;
use bonafide_store::tables::audit as table;
use domain::audit::{self, Head};
use futures_util::future::join_all;

use crate::ground::{Act, Ground, Step, contract, now, record};

contract!(
    batches_chain_under_concurrency,
    instances_chain_side_by_side,
    a_log_goes_on_where_it_ended,
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
