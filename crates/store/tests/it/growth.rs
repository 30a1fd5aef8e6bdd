//! A shop begins with nobody, and its tables grow under the plans that PostgreSQL made while they were
//! small: whoever is looked for is found by name all the same.

use std::time::{Duration, Instant};

use bonafide_store::{Connections, Store};
use domain::number::Status;

use crate::ground::{Ground, now, record, run};
use crate::reads::{self, Create, by_email, by_phone};
use crate::sessions::{self, Act, Step, seconds, standing};

/// Rows that each table grows by, at least.
const MANY: i64 = 1_000;

/// Every row there is, so many times more, by other names.
const GROW: [&str; 4] = [
    "INSERT INTO customer_verification SELECT (jsonb_populate_record(c, jsonb_build_object(\
     'email_index', '\\x' || md5(c.email_index::text || n), \
     'phone_index', '\\x' || md5(c.phone_index::text || n)))).* \
     FROM customer_verification c, generate_series(1, 1000) n",
    "INSERT INTO verification_sessions SELECT (jsonb_populate_record(s, jsonb_build_object(\
     'id', gen_random_uuid(), 'verification_id', 'nv_' || md5(s.verification_id || n), \
     'request_index', '\\x' || md5(s.verification_id || n), 'status', 'pending'))).* \
     FROM verification_sessions s, generate_series(1, 1000) n",
    "INSERT INTO verification_deadlines SELECT d.expires_at + n, d.verification_id || n \
     FROM verification_deadlines d, generate_series(1, 1000) n",
    // Before the tests' own, so that who reads them in their order comes to those last.
    "INSERT INTO data_keys SELECT (jsonb_populate_record(k, jsonb_build_object(\
     'id', '00000000-0000-0000' || substr(gen_random_uuid()::text, 19)))).* \
     FROM data_keys k, generate_series(1, 1000) n WHERE k.label IS NULL",
];

/// Nobody counts the rows anew in the course of the test.
const LEAVE_ALONE: &str = "ALTER TABLE customer_verification SET (autovacuum_enabled = off); \
     ALTER TABLE verification_sessions SET (autovacuum_enabled = off); \
     ALTER TABLE verification_deadlines SET (autovacuum_enabled = off); \
     ALTER TABLE data_keys SET (autovacuum_enabled = off)";

/// Rows and entries of indexes that were read, by connections that have ended.
const READ: &str = "SELECT SUM(seq_tup_read + idx_read) FROM pg_stat_user_tables t JOIN (\
     SELECT relid, SUM(idx_tup_read) AS idx_read FROM pg_stat_user_indexes GROUP BY relid) i \
     ON i.relid = t.relid WHERE relname IN ('customer_verification', 'verification_sessions', \
     'verification_deadlines', 'data_keys')";

/// Changes of sessions that wrote no index, and all of them, by connections that have ended.
const CHANGED: &str = "SELECT n_tup_hot_upd || ' of ' || n_tup_upd FROM pg_stat_user_tables \
     WHERE relname = 'verification_sessions'";

/// Look-ups by the hash of customers, by connections that have ended.
const FOUND_BY_HASH: &str = "SELECT idx_scan FROM pg_stat_user_indexes \
     WHERE indexrelname = 'customer_verification_by_hash'";

const CONNECTED: &str = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() \
     AND application_name = 'bonafide'";

/// A customer and a session, from their beginning to the session's end.
async fn whole_way(store: &Store, number: u64) {
    let create = Create {
        company: "default",
        number,
        updated_at: now(),
    };
    assert!(store.write(create).await.unwrap());
    let email = by_email(reads::key("default", number));
    assert!(reads::find(store, email).await.is_some());
    let phone = by_phone(reads::key("default", 1_000_000 + number / 2));
    assert!(reads::find(store, phone).await.is_some());
    let keys = [reads::key("default", number)];
    assert!(store.find_customers(&keys).await.unwrap()[0].is_some());

    let request = u8::try_from(number).unwrap();
    let act = |step| async move {
        let (done, found) = store.write(Act(vec![step])).await.unwrap();
        done.contains(&true) || !found.is_empty()
    };
    assert!(act(Step::Open("default", number, request, seconds(600))).await);
    assert!(act(Step::Replace(number, 2)).await);
    assert!(act(Step::Find(sessions::key("default", number))).await);
    let read = store.find_session(sessions::key("default", number), |_| record("read"));
    assert!(read.await.unwrap().is_some());
    let mismatch = standing(Status::Pending, 1);
    assert!(act(Step::Write(number, mismatch, None)).await);
    assert!(act(Step::End(number)).await);

    let (late, request) = (100 + number, 100 + request);
    assert!(act(Step::Open("default", late, request, seconds(1))).await);
    assert!(act(Step::Due(seconds(2), 10)).await);
    assert!(act(Step::End(late)).await);
    assert!(act(Step::Forget(seconds(2), 10, 1)).await);
}

/// Waits until what the store's connections did is counted.
async fn all_are_gone(ground: &Ground) {
    let end = Instant::now() + Duration::from_secs(30);
    while ground.number(CONNECTED).await > 0 {
        assert!(Instant::now() < end, "a connection is open still");
    }
}

/// What a customer and a session read when tables have grown, under the plans of eight ways before, the
/// rows having been counted after so many of them.
async fn read_when_grown(name: &str, counted_after: Option<u64>) -> i64 {
    let ground = Ground::postgres(name).await;
    ground.sql(LEAVE_ALONE).await;
    // One connection for each purpose has all the plans.
    let one_of_each = Connections {
        readers: 1,
        writers: 1,
    };
    let store = ground.open_with(one_of_each).await;
    for number in 1..=8 {
        whole_way(&store, number).await;
        if counted_after == Some(number) {
            ground.sql("ANALYZE").await;
        }
    }
    for grow in GROW {
        ground.sql(grow).await;
    }
    let before = ground.number(READ).await;
    whole_way(&store, 9).await;
    drop(store);
    all_are_gone(&ground).await;
    ground.number(READ).await - before
}

#[test]
fn what_was_planned_for_nobody_does_not_read_all_of_many() {
    run(async {
        let read = read_when_grown("growth_nobody", None).await;
        assert!(read < MANY, "{read}");
    });
}

#[test]
fn what_was_planned_for_a_few_does_not_read_all_of_many() {
    run(async {
        let read = read_when_grown("growth_few", Some(2)).await;
        assert!(read < MANY, "{read}");
    });
}

#[test]
fn customers_are_found_by_a_hash() {
    run(async {
        let ground = Ground::postgres("growth_hash").await;
        let store = ground.open().await;
        whole_way(&store, 1).await;
        ground.sql(GROW[0]).await;
        ground.sql("ANALYZE").await;
        let before = ground.number(FOUND_BY_HASH).await;
        let email = by_email(reads::key("default", 1));
        assert!(reads::find(&store, email).await.is_some());
        drop(store);
        all_are_gone(&ground).await;
        assert!(ground.number(FOUND_BY_HASH).await > before);
    });
}

#[test]
fn the_end_of_a_session_writes_no_index() {
    run(async {
        let ground = Ground::postgres("growth_ends").await;
        let store = ground.open().await;
        let sessions = 1..=100;
        for number in sessions.clone() {
            let open = Step::Open(
                "default",
                number,
                u8::try_from(number).unwrap(),
                seconds(600),
            );
            assert!(store.write(Act(vec![open])).await.unwrap().0[0]);
        }
        for number in sessions {
            let end = Act(vec![Step::End(number)]);
            assert!(store.write(end).await.unwrap().0[0]);
        }
        drop(store);
        all_are_gone(&ground).await;
        assert_eq!(ground.sql(CHANGED).await, [["100 of 100"]]);
    });
}
