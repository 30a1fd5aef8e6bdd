//! Units of work: whole or not at all, in the order of their lanes, durable when answered.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use bonafide_store::Error;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use tokio::time::{Instant, timeout};

use crate::ground::{Act, Ground, Step, contract, record};
use crate::reads;

contract!(
    a_unit_is_committed_whole_with_its_record,
    a_failing_unit_leaves_nothing,
    a_failing_unit_takes_only_itself_down,
    a_panicking_unit_takes_only_itself_down,
    a_unit_whose_record_cannot_be_written_leaves_nothing,
    units_of_a_lane_keep_their_order,
    a_conflict_does_not_change_the_order_of_its_lane,
    concurrent_changes_of_one_row_all_count,
    a_conflict_is_tried_again,
    a_conflict_that_stays_is_told_in_time,
    closing_loses_nothing,
);

const NOTES: &str = "SELECT COUNT(*) FROM notes";
const RECORDS: &str = "SELECT COUNT(*) FROM audit_records";

async fn a_unit_is_committed_whole_with_its_record(ground: Ground) {
    let store = ground.open().await;
    let steps = [Step::Insert(1, 10), Step::Raise(1), Step::Insert(2, 20)];
    assert_eq!(store.write(Act::new(1, "whole", steps)).await.unwrap(), 3);
    let notes = ground.sql("SELECT id, value FROM notes ORDER BY id").await;
    assert_eq!(notes, [["1", "11"], ["2", "20"]]);
    let records = ground.sql("SELECT request_id FROM audit_records").await;
    assert_eq!(records, [["whole"]]);
}

async fn a_failing_unit_leaves_nothing(ground: Ground) {
    let store = ground.open().await;
    let steps = [Step::Insert(1, 10), Step::Break];
    let error = store.write(Act::new(1, "broken", steps)).await.unwrap_err();
    assert!(matches!(error, Error::Refused(_)), "{error:?}");
    assert_eq!(ground.number(NOTES).await, 0);
    assert_eq!(ground.number(RECORDS).await, 0);
    store.append(record("after")).await.unwrap();
    assert_eq!(ground.number(RECORDS).await, 1);
}

async fn a_failing_unit_takes_only_itself_down(ground: Ground) {
    only_the_guilty_fail(ground, &Step::Break).await;
}

async fn a_panicking_unit_takes_only_itself_down(ground: Ground) {
    only_the_guilty_fail(ground, &Step::Panic).await;
}

/// Some of many units end in `fault`, whichever transaction they share with whom.
async fn only_the_guilty_fail(ground: Ground, fault: &Step) {
    let store = &ground.open().await;
    let units = (0..200_i64).map(|at| async move {
        let mut steps = vec![Step::Insert(at, at)];
        steps.extend((at % 7 == 3).then(|| fault.clone()));
        let written = store
            .write(Act::new(at % 11, &format!("r{at}"), steps))
            .await;
        let refused = matches!(written, Err(Error::Refused(_)));
        assert_eq!(refused, at % 7 == 3, "{at}: {written:?}");
        assert!(refused || written.is_ok(), "{at}: {written:?}");
    });
    let appends = (0..50).map(|at| async move {
        store.append(record(&format!("a{at}"))).await.unwrap();
    });
    let looks = (0..50).map(|at| async move {
        let nobody = reads::by_email(reads::key("acme", at));
        let found = store.find_customer(nobody, move |_| record(&format!("l{at}")));
        assert!(found.await.unwrap().is_none());
    });
    tokio::join!(join_all(units), join_all(appends), join_all(looks));
    let good = (0..200).filter(|at| at % 7 != 3).count() as i64;
    assert_eq!(ground.number(NOTES).await, good);
    assert_eq!(ground.number(RECORDS).await, good + 100);
}

/// On a connection as fresh as can be: nothing is prepared on it yet.
async fn a_unit_whose_record_cannot_be_written_leaves_nothing(ground: Ground) {
    let refuse = if ground.is_postgres() {
        "ALTER TABLE audit_records ADD CHECK (request_id <> 'poison')"
    } else {
        "CREATE TRIGGER refuse BEFORE INSERT ON audit_records WHEN NEW.request_id = 'poison' \
         BEGIN SELECT RAISE(ABORT, 'refused'); END"
    };
    ground.sql(refuse).await;
    let store = ground.open().await;
    for _ in 0..3 {
        let unit = Act::new(1, "poison", [Step::Insert(1, 1)]);
        assert!(store.write(unit).await.is_err());
        assert_eq!(ground.number(NOTES).await, 0, "a change without its record");
    }
    store
        .write(Act::new(1, "fine", [Step::Insert(1, 1)]))
        .await
        .unwrap();
    assert_eq!(ground.number(NOTES).await, 1);
}

async fn units_of_a_lane_keep_their_order(ground: Ground) {
    let store = &ground.open().await;
    let units = (0..300_i64).map(|at| store.write(Act::new(7, "order", [Step::Count(at)])));
    for written in join_all(units).await {
        written.unwrap();
    }
    let misplaced = "SELECT COUNT(*) FROM notes WHERE id <> value";
    assert_eq!(ground.number(misplaced).await, 0);
    assert_eq!(ground.number(NOTES).await, 300);
}

async fn a_conflict_does_not_change_the_order_of_its_lane(ground: Ground) {
    let store = &ground.open().await;
    let units = (0..40_i64).map(|at| {
        let mut steps = vec![Step::Count(at)];
        let conflict = Step::Conflict(Arc::new(AtomicUsize::new(1)));
        steps.extend((at % 13 == 5).then_some(conflict));
        store.write(Act::new(7, "order", steps))
    });
    for written in join_all(units).await {
        written.unwrap();
    }
    let misplaced = "SELECT COUNT(*) FROM notes WHERE id <> value";
    assert_eq!(ground.number(misplaced).await, 0);
}

async fn concurrent_changes_of_one_row_all_count(ground: Ground) {
    let (one, two) = (&ground.open().await, &ground.open().await);
    let first = Act::new(1, "first", [Step::Insert(1, 0), Step::Insert(2, 0)]);
    one.write(first).await.unwrap();
    let units = (0..200_i64).map(|at| {
        let store = if at % 2 == 0 { one } else { two };
        let row = 1 + at % 2;
        // Both rows, in opposite orders: instances may deadlock, and must get over it.
        let steps = [Step::Raise(row), Step::Raise(3 - row)];
        store.write(Act::new(1, "raise", steps))
    });
    for written in join_all(units).await {
        written.unwrap();
    }
    let notes = ground.sql("SELECT value FROM notes").await;
    assert_eq!(notes, [["200"], ["200"]]);
}

fn conflicts(count: usize) -> [Step; 2] {
    [
        Step::Insert(1, 1),
        Step::Conflict(Arc::new(AtomicUsize::new(count))),
    ]
}

async fn a_conflict_is_tried_again(ground: Ground) {
    let store = ground.open().await;
    store
        .write(Act::new(1, "late", conflicts(3)))
        .await
        .unwrap();
    assert_eq!(ground.number(NOTES).await, 1);
    assert_eq!(ground.number(RECORDS).await, 1);
}

async fn a_conflict_that_stays_is_told_in_time(ground: Ground) {
    let store = &ground.open().await;
    let begin = Instant::now();
    let stuck = store.write(Act::new(1, "stuck", conflicts(usize::MAX)));
    let beside = async {
        tokio::task::yield_now().await;
        store
            .write(Act::new(2, "beside", [Step::Insert(2, 2)]))
            .await
    };
    let (stuck, beside) = timeout(Duration::from_secs(10), async {
        tokio::join!(stuck, beside)
    })
    .await
    .unwrap();
    assert!(stuck.unwrap_err().is_transient());
    assert!(begin.elapsed() < Duration::from_secs(5));
    beside.unwrap();
    store
        .write(Act::new(1, "next", [Step::Insert(1, 1)]))
        .await
        .unwrap();
    assert_eq!(ground.number(NOTES).await, 2);
}

async fn closing_loses_nothing(ground: Ground) {
    let store = ground.open().await;
    for at in 0..300 {
        // Handed over, and given up by the caller at once.
        let unit = store.write(Act::new(at, "closing", [Step::Insert(at, at)]));
        assert!(unit.now_or_never().is_none_or(|written| written.is_ok()));
    }
    store.close().await;
    assert_eq!(ground.number(NOTES).await, 300);
    assert_eq!(ground.number(RECORDS).await, 300);
}

/// Some errors make SQLite undo a whole transaction by itself (the disk is full, reading fails); a
/// trigger does so too.
#[test]
fn a_transaction_that_sqlite_undoes_takes_nobody_else_down() {
    crate::ground::run(async {
        let ground = Ground::sqlite().await;
        ground
            .sql(
                "CREATE TRIGGER undo BEFORE INSERT ON notes WHEN NEW.value = 666 \
                 BEGIN SELECT RAISE(ROLLBACK, 'undone'); END",
            )
            .await;
        let store = &ground.open().await;
        let units = (0..200_i64).map(|at| async move {
            let value = if at % 50 == 3 { 666 } else { at };
            let steps = [Step::Insert(at, at), Step::Insert(at, value)];
            let written = store
                .write(Act::new(at % 11, &format!("r{at}"), steps))
                .await;
            assert_eq!(written.is_err(), value == 666, "{at}: {written:?}");
        });
        join_all(units).await;
        assert_eq!(ground.number(NOTES).await, 2 * 196);
        assert_eq!(ground.number(RECORDS).await, 196);
    });
}
