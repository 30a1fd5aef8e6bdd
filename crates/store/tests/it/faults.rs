//! What happens when the database goes away, hangs, or is in somebody else's hands.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bonafide_store::tables::customers::{Key, Wanted};
use bonafide_store::tables::verification_sessions;
use bonafide_store::{Error, Occupation, Store};
use domain::access::CompanyId;
use domain::number::SessionId;
use domain::seal::BlindIndex;
use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use crate::ground::{Act, Ground, Step, postgres_sql, record, run};

/// A caller waits 2 s, and a little more to be told why.
const PATIENCE: Duration = Duration::from_millis(2_900);

/// After this long a database that is back must be back for everybody.
const RECOVERY: Duration = Duration::from_secs(2);

fn nobody() -> Key {
    Key {
        company: CompanyId::default(),
        index: BlindIndex::from_bytes(&[0; 16]).unwrap(),
    }
}

/// Every kind of access once, at the same time.
async fn try_everything(store: &Store) -> [Result<(), Error>; 6] {
    let keys = [nobody()];
    let email = Wanted {
        by_email: Some(nobody()),
        by_phone: None,
    };
    let phone = Wanted {
        by_email: None,
        by_phone: Some(nobody()),
    };
    let (write, append, email, phone, bulk, ping) = tokio::join!(
        store.write(Act::new(1, "write", [Step::Insert(1, 1)])),
        store.append(record("append")),
        store.find_customer(email, |_| record("email")),
        store.find_customer(phone, |_| record("phone")),
        store.find_customers(&keys),
        store.ping(),
    );
    [
        write.map(drop),
        append,
        email.map(drop),
        phone.map(drop),
        bulk.map(drop),
        ping,
    ]
}

async fn assert_unavailable(store: &Store) {
    let begin = Instant::now();
    for outcome in try_everything(store).await {
        assert!(matches!(outcome, Err(Error::Unavailable(_))), "{outcome:?}");
    }
    let waited = begin.elapsed();
    assert!(waited <= PATIENCE, "callers waited {waited:?}");
}

/// The store heals by itself, and soon.
async fn assert_recovers(store: &Store) {
    let begin = Instant::now();
    let outcomes = try_everything(store).await;
    assert!(begin.elapsed() <= RECOVERY, "{:?}", begin.elapsed());
    for outcome in outcomes {
        outcome.unwrap();
    }
}

#[test]
fn a_postgres_that_was_stopped_is_used_again_when_it_is_back() {
    run(async {
        let mut ground = Ground::server().await;
        let store = ground.open().await;
        assert_recovers(&store).await;
        for _ in 0..2 {
            ground.own_server().stop().unwrap();
            assert_unavailable(&store).await;
            ground.own_server().start_again().unwrap();
            assert_recovers(&store).await;
        }
        // A restart within a caller's patience is not even noticed.
        ground.own_server().stop().unwrap();
        let waiting = try_everything(&store);
        let restart = async { ground.own_server().start_again().unwrap() };
        let (outcomes, ()) = tokio::join!(waiting, restart);
        for outcome in outcomes {
            outcome.unwrap();
        }
    });
}

#[test]
fn looking_tells_nothing_of_writing() {
    run(async {
        let lately = Duration::from_secs(600);
        let mut ground = Ground::server().await;
        let store = ground.open().await;
        ground.own_server().stop().unwrap();
        assert_unavailable(&store).await;
        assert!(store.writes_fail(lately));
        ground.own_server().start_again().unwrap();
        let session = verification_sessions::Key {
            company: None,
            id: SessionId::parse(&format!("nv_{:036}", 0)).unwrap(),
        };
        let looked = store.look_at_session(session.clone()).await;
        assert!(looked.unwrap().is_none());
        assert!(store.writes_fail(lately), "only looking made it well");
        let read = store.find_session(session, |_| record("read")).await;
        assert!(read.unwrap().is_none());
        assert!(!store.writes_fail(lately), "a record was written");
    });
}

#[test]
fn whoever_left_before_it_began_is_not_looked_up() {
    run(async {
        let mut ground = Ground::server().await;
        let store = ground.open().await;
        assert_recovers(&store).await;
        ground.own_server().pause().unwrap();
        // Each of the writers has one of them, and waits.
        let busy = [store.append(record("busy")), store.append(record("busy"))];
        while store.waiting(Occupation::Writing) > 0 {
            tokio::task::yield_now().await;
        }
        for _ in 0..10 {
            let wanted = Wanted {
                by_email: Some(nobody()),
                by_phone: None,
            };
            drop(store.find_customer(wanted, |_| record("left")));
        }
        ground.own_server().resume().unwrap();
        for appended in join_all(busy).await {
            appended.unwrap();
        }
        assert_recovers(&store).await;
        let left = "SELECT COUNT(*) FROM audit_records WHERE request_id = 'left'";
        assert_eq!(ground.number(left).await, 0);
    });
}

#[test]
fn a_postgres_that_crashed_has_every_answered_write() {
    run(async {
        let mut ground = Ground::server().await;
        let store = ground.open().await;
        for round in 0..3 {
            let writes = (0..100).map(|at| {
                let id = round * 100 + at;
                store.write(Act::new(id, &format!("w{id}"), [Step::Insert(id, id)]))
            });
            for written in join_all(writes).await {
                written.unwrap();
            }
            ground.own_server().crash().unwrap();
            ground.own_server().start_again().unwrap();
        }
        assert_eq!(ground.number("SELECT COUNT(*) FROM notes").await, 300);
        assert_eq!(
            ground.number("SELECT COUNT(*) FROM audit_records").await,
            300
        );
    });
}

#[test]
fn a_postgres_that_hangs_is_used_again_when_it_goes_on() {
    run(async {
        let mut ground = Ground::server().await;
        let store = ground.open().await;
        assert_recovers(&store).await;
        // Shorter and longer than the time after which a connection counts as dead.
        for hanging in [Duration::ZERO, Duration::from_secs(6)] {
            ground.own_server().pause().unwrap();
            assert_unavailable(&store).await;
            sleep(hanging).await;
            assert_unavailable(&store).await;
            ground.own_server().resume().unwrap();
            assert_recovers(&store).await;
        }
        let twice = "SELECT COUNT(*) - COUNT(DISTINCT (log, batch, position)) FROM audit_records";
        assert_eq!(ground.number(twice).await, 0);
    });
}

/// Connections die at every moment, that of a commit too: what was answered is there, and nothing
/// is there twice.
#[test]
fn killed_connections_neither_lose_nor_repeat_a_write() {
    run(async {
        let ground = Ground::server().await;
        let store = ground.open().await;
        let done = AtomicBool::new(false);
        let kill = async {
            let mut kills = 0;
            while !done.load(Ordering::SeqCst) {
                let sql = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity \
                           WHERE application_name = 'bonafide'";
                kills += ground.number(sql).await;
                sleep(Duration::from_millis(7)).await;
            }
            kills
        };
        let work = async {
            let begin = Instant::now();
            let mut answered = Vec::new();
            let mut next = 0_i64;
            while begin.elapsed() < Duration::from_secs(6) {
                let wave = (next..next + 20).map(|id| {
                    let store = &store;
                    async move {
                        let unit = Act::new(id % 6, &format!("w{id}"), [Step::Insert(id, id)]);
                        (id, store.write(unit).await)
                    }
                });
                for (id, written) in join_all(wave).await {
                    match written {
                        Ok(_) => answered.push(id),
                        Err(error) => assert!(error.is_transient(), "{error:?}"),
                    }
                }
                next += 20;
            }
            done.store(true, Ordering::SeqCst);
            answered
        };
        let (kills, answered) = tokio::join!(kill, work);
        assert!(kills > 20, "only {kills} connections were killed");
        store.close().await;
        let twice = "SELECT COUNT(*) - COUNT(DISTINCT id) FROM notes";
        assert_eq!(ground.number(twice).await, 0);
        let rows = ground.sql("SELECT id FROM notes").await;
        let there: std::collections::HashSet<i64> =
            rows.iter().map(|row| row[0].parse().unwrap()).collect();
        assert!(
            answered.len() > 100,
            "only {} writes succeeded",
            answered.len()
        );
        assert!(
            answered.iter().all(|id| there.contains(id)),
            "an answered write is lost"
        );
        // Each note with its record, and no record without its note.
        let records = ground.number("SELECT COUNT(*) FROM audit_records").await;
        assert_eq!(records, i64::try_from(there.len()).unwrap());
    });
}

#[test]
fn another_process_may_write_to_the_same_sqlite_file() {
    run(async {
        let ground = Ground::sqlite().await;
        let store = ground.open().await;
        let other = rusqlite::Connection::open(ground.file()).unwrap();
        other.busy_timeout(Duration::from_secs(5)).unwrap();
        let writes = (0..200_i64).map(|id| {
            let unit = Act::new(id, &format!("w{id}"), [Step::Insert(id, id)]);
            store.write(unit)
        });
        let beside = tokio::task::spawn_blocking(move || {
            for id in 1000..1050_i64 {
                other
                    .execute("INSERT INTO notes VALUES (?1, ?1)", [id])
                    .unwrap();
            }
        });
        let (written, beside) = tokio::join!(join_all(writes), beside);
        beside.unwrap();
        written
            .into_iter()
            .for_each(|written| assert!(written.is_ok()));
        assert_eq!(ground.number("SELECT COUNT(*) FROM notes").await, 250);
    });
}

/// A commit follows the other without a gap as long as requests wait: whoever writes beside a busy
/// server must get a turn all the same.
#[test]
fn another_process_gets_its_turn_beside_a_busy_one() {
    run(async {
        let ground = Ground::sqlite().await;
        let (busy, other) = (Arc::new(ground.open().await), ground.open().await);
        let stop = Arc::new(AtomicBool::new(false));
        let mut callers = tokio::task::JoinSet::new();
        for id in 0..2_000 {
            let (busy, stop) = (busy.clone(), stop.clone());
            callers.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    busy.append(record(&format!("busy{id}"))).await.unwrap();
                }
            });
        }
        let mut slowest = Duration::ZERO;
        for id in 0..200 {
            let begin = Instant::now();
            let unit = Act::new(id, &format!("beside{id}"), [Step::Insert(id, id)]);
            other.write(unit).await.unwrap();
            slowest = slowest.max(begin.elapsed());
        }
        stop.store(true, Ordering::Relaxed);
        callers.join_all().await;
        println!("the slowest write beside a busy process took {slowest:?}");
        assert!(slowest < PATIENCE / 2, "{slowest:?}");
    });
}

#[test]
fn a_locked_sqlite_file_is_waited_for_and_then_told() {
    run(async {
        let ground = Ground::sqlite().await;
        let store = ground.open().await;
        let other = rusqlite::Connection::open(ground.file()).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let begin = Instant::now();
        let written = store
            .write(Act::new(1, "locked", [Step::Insert(1, 1)]))
            .await;
        assert!(written.unwrap_err().is_transient());
        assert!(begin.elapsed() <= PATIENCE, "{:?}", begin.elapsed());
        // Reading goes on meanwhile.
        store.find_customers(&[nobody()]).await.unwrap();
        let waiting = store.write(Act::new(2, "waiting", [Step::Insert(2, 2)]));
        let release = async {
            sleep(Duration::from_millis(300)).await;
            other.execute_batch("COMMIT").unwrap();
        };
        let (waited, ()) = tokio::join!(waiting, release);
        waited.unwrap();
        assert_eq!(
            ground
                .number("SELECT COUNT(*) FROM notes WHERE id = 2")
                .await,
            1
        );
    });
}

#[test]
fn a_log_that_somebody_else_continued_is_read_anew() {
    run(async {
        let ground = Ground::postgres("continued").await;
        let store = ground.open().await;
        let unit = |id| Act::new(1, "unit", [Step::Insert(id, id)]);
        store.append(record("first")).await.unwrap();
        store.write(unit(1)).await.unwrap();
        let foreign = "INSERT INTO audit_batches SELECT log, batch + 1, size, committed_at, \
             previous, root, head, leaves FROM audit_batches b WHERE batch = \
             (SELECT MAX(batch) FROM audit_batches WHERE log = b.log)";
        ground.sql(foreign).await;
        store.append(record("second")).await.unwrap();
        ground.sql(foreign).await;
        store.write(unit(2)).await.unwrap();
        assert_eq!(ground.number("SELECT COUNT(*) FROM notes").await, 2);
        let records = "SELECT COUNT(*) FROM audit_records";
        assert_eq!(ground.number(records).await, 4);
    });
}

/// A server that answers, but lets nobody in, is as good as away.
#[test]
fn being_turned_away_is_waited_out() {
    run(async {
        let mut ground = Ground::server().await;
        let store = ground.open().await;
        store.append(record("before")).await.unwrap();
        let name = ground.sql("SELECT current_database()").await[0][0].clone();
        let beside = ground.own_server().fresh_database("beside").unwrap();
        let admit = |yes: bool| format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {yes}");
        postgres_sql(&beside, &admit(false)).await;
        let end = format!(
            "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity WHERE datname = '{name}'"
        );
        postgres_sql(&beside, &end).await;
        let again = async {
            sleep(Duration::from_millis(300)).await;
            postgres_sql(&beside, &admit(true)).await;
        };
        let (appended, ()) = tokio::join!(store.append(record("meanwhile")), again);
        appended.unwrap();
    });
}
