//! Look-ups: each caller gets its own answer, however many ask together.

use std::time::Instant;

use bonafide_store::tables::customers::{self, Customer, Found, Key, Phone, Wanted};
use bonafide_store::tables::data_keys::{self, Purpose};
use bonafide_store::{Error, Lane, PATIENCE, Result, Store, Tx, Unit, Written};
use domain::access::CompanyId;
use domain::seal::{BlindIndex, WrappedKey};
use domain::standing::{Change, Proof, Standing};
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::ground::{self, Act, Ground, Step, contract, now, record};
use crate::sessions;

contract!(
    statements_that_stand_one_in_another_are_told_apart,
    every_caller_gets_its_own_answer,
    a_row_that_cannot_be_read_fails_only_who_asks_for_it,
    look_ups_that_fail_leave_no_record_and_harm_nobody_after_them,
    a_look_up_that_panics_takes_only_itself_down,
    whoever_asks_for_nothing_finds_nothing_and_is_recorded,
    look_ups_that_fail_fail_nobody_who_asked_something_else,
    look_ups_of_all_kinds_share_batches_with_units,
    look_ups_come_before_what_is_written_beside_them,
    a_look_up_sees_what_was_just_written,
    a_bulk_look_up_keeps_the_order_with_repeats,
);

pub struct Create {
    pub company: &'static str,
    pub number: u64,
    pub updated_at: Timestamp,
}

impl Unit for Create {
    type Output = bool;

    fn lane(&self) -> Lane {
        Lane::of(&self.number.to_be_bytes())
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> Result<Written<bool>> {
        let key = WrappedKey {
            id: Uuid::from_u64_pair(u64::from(self.company.as_bytes()[0]), self.number),
            master_key: "k1".into(),
            wrapped: vec![7; 60],
        };
        data_keys::insert(tx, self.company, Purpose::Person, None, &key, now()).await?;
        let mut standing = Standing::default();
        let change = Change {
            status: true,
            occurred_at: self.updated_at,
        };
        standing.apply(Proof::Veriff, change);
        let customer = Customer {
            company_id: self.company,
            email_index: index(self.number),
            data_key: key.id,
            last_evidence: key.id,
            email: b"sealed",
            phone: Some(Phone {
                index: index(1_000_000 + self.number / 2),
                sealed: b"sealed",
            }),
            phone_changed_at: Some(now()),
            standing: &standing,
            created_at: now(),
            updated_at: self.updated_at,
        };
        Ok(Written {
            output: customers::insert(tx, &customer).await?.is_some(),
            records: Vec::new(),
        })
    }
}

fn index(number: u64) -> BlindIndex {
    BlindIndex::from_bytes(&[[0; 8], number.to_be_bytes()].concat()).unwrap()
}

pub fn key(company: &str, number: u64) -> Key {
    Key {
        company: CompanyId::parse(company).unwrap(),
        index: index(number),
    }
}

pub fn by_email(key: Key) -> Wanted {
    Wanted {
        by_email: Some(key),
        by_phone: None,
    }
}

pub fn by_phone(key: Key) -> Wanted {
    Wanted {
        by_email: None,
        by_phone: Some(key),
    }
}

pub async fn find(store: &Store, wanted: Wanted) -> Option<Found> {
    let recorded = |found: Option<&Found>| record(&format!("found {}", found.is_some()));
    store.find_customer(wanted, recorded).await.unwrap()
}

/// Each customer of the fixture changed at a time of its own.
fn changed_at(company: &str, number: u64) -> Timestamp {
    let seconds = i64::try_from(number).unwrap() * 10 + i64::from(company.as_bytes()[0]);
    now() + SignedDuration::from_secs(seconds)
}

async fn fill(store: &Store) {
    let creates = ["acme", "bolt"].into_iter().flat_map(|company| {
        (0..100).map(move |number| Create {
            company,
            number,
            updated_at: changed_at(company, number),
        })
    });
    for created in join_all(creates.map(|create| store.write(create))).await {
        assert!(created.unwrap());
    }
}

fn time(found: Option<Found>) -> Option<Timestamp> {
    found.map(|found| {
        assert_eq!(found.standing.veriff.date, Some(found.updated_at));
        found.updated_at
    })
}

async fn a_row_that_cannot_be_read_fails_only_who_asks_for_it(ground: Ground) {
    const SPOILT: u64 = 7;
    let store = &ground.open().await;
    fill(store).await;
    let changed = changed_at("acme", SPOILT).as_microsecond();
    let spoil = format!(
        "UPDATE customer_verification SET updated_at = {} WHERE updated_at = {changed}",
        i64::MAX
    );
    ground.sql(&spoil).await;
    let asked = (0..300_u64).map(|at| async move {
        let number = at % 100;
        let found = store.find_customer(by_email(key("acme", number)), |_| record("asked"));
        match found.await {
            Ok(found) => assert_eq!(time(found), Some(changed_at("acme", number))),
            Err(error) => assert_eq!(number, SPOILT, "{error}"),
        }
        number != SPOILT
    });
    let answered = join_all(asked).await;
    assert_eq!(answered.iter().filter(|answered| **answered).count(), 297);
    let records = "SELECT COUNT(*) FROM audit_records WHERE request_id = 'asked'";
    assert_eq!(ground.number(records).await, 297);
}

/// Where look-ups alone have no transaction around them, nothing undoes what they leave behind.
async fn look_ups_that_fail_leave_no_record_and_harm_nobody_after_them(ground: Ground) {
    const RECORDS: &str = "SELECT COUNT(*) FROM audit_records WHERE request_id = 'asked'";
    let store = &ground.open().await;
    fill(store).await;
    let ask = async |number: u64| {
        let wanted = by_email(key("acme", number));
        store.find_customer(wanted, |_| record("asked")).await
    };
    for turn in 1..=3 {
        ground
            .sql("ALTER TABLE customer_verification RENAME TO hidden")
            .await;
        let failed = join_all((0..40).map(&ask)).await;
        assert!(failed.iter().all(|found| found.is_err()), "{failed:?}");
        ground
            .sql("ALTER TABLE hidden RENAME TO customer_verification")
            .await;
        for (number, found) in (0..).zip(join_all((0..40).map(&ask)).await) {
            assert_eq!(time(found.unwrap()), Some(changed_at("acme", number)));
        }
        let created = Create {
            company: "acme",
            number: 100 + turn,
            updated_at: now(),
        };
        assert!(store.write(created).await.unwrap());
        assert!(ask(100 + turn).await.unwrap().is_some());
        assert_eq!(
            ground.number(RECORDS).await,
            i64::try_from(turn * 41).unwrap()
        );
    }
}

async fn a_look_up_that_panics_takes_only_itself_down(ground: Ground) {
    let store = &ground.open().await;
    fill(store).await;
    let asked = (0..100_u64).map(|number| async move {
        let guilty = number % 7 == 3;
        let told = move |_: Option<&Found>| match guilty {
            true => panic!("no record of {number}"),
            false => record("asked"),
        };
        let found = store.find_customer(by_email(key("acme", number)), told);
        match found.await {
            Ok(found) => assert_eq!(time(found), Some(changed_at("acme", number))),
            Err(error) => assert!(guilty && matches!(error, Error::Refused(_)), "{error:?}"),
        }
        usize::from(!guilty)
    });
    let answered: usize = join_all(asked).await.into_iter().sum();
    let records = "SELECT COUNT(*) FROM audit_records WHERE request_id = 'asked'";
    assert_eq!(ground.number(records).await, answered as i64);
}

async fn whoever_asks_for_nothing_finds_nothing_and_is_recorded(ground: Ground) {
    let store = ground.open().await;
    assert!(find(&store, Wanted::default()).await.is_none());
    let records = "SELECT COUNT(*) FROM audit_records WHERE request_id = 'found false'";
    assert_eq!(ground.number(records).await, 1);
}

/// One statement of several fails when others were answered, and some asked a second question.
async fn look_ups_that_fail_fail_nobody_who_asked_something_else(ground: Ground) {
    let store = &ground.open().await;
    fill(store).await;
    ground
        .sql("ALTER TABLE verification_sessions RENAME TO hidden")
        .await;
    let turns = (0..50_u64).map(|number| async move {
        let either = Wanted {
            by_email: Some(key("acme", 500 + number)),
            by_phone: Some(key("acme", 1_000_000 + number / 2)),
        };
        let create = Create {
            company: "acme",
            number: 100 + number,
            updated_at: changed_at("acme", 100 + number),
        };
        let (by_phone, session, by_email, created) = tokio::join!(
            find(store, either),
            store.find_session(sessions::key("acme", number), |_| record("session")),
            find(store, by_email(key("bolt", number))),
            store.write(create),
        );
        assert!(by_phone.is_some_and(|found| found.by_phone));
        assert!(session.is_err());
        assert_eq!(time(by_email), Some(changed_at("bolt", number)));
        assert!(created.unwrap());
    });
    join_all(turns).await;
    let records = "SELECT request_id, COUNT(*) FROM audit_records GROUP BY request_id";
    assert_eq!(ground.sql(records).await, [["found true", "100"]]);
}

/// In the audit log, too: no record denies what the one before it says.
async fn look_ups_come_before_what_is_written_beside_them(ground: Ground) {
    let store = &ground.open().await;
    let turns = (0..200_i64).map(|at| async move {
        let act = Act::new(at, "written", [Step::Insert(at, at)]);
        let (written, _) = tokio::join!(store.write(act), find(store, Wanted::default()));
        written.unwrap();
    });
    join_all(turns).await;
    let late = "SELECT COUNT(*) FROM audit_records looked JOIN audit_records written \
                ON written.log = looked.log AND written.batch = looked.batch \
                AND written.position < looked.position \
                WHERE looked.request_id = 'found false' AND written.request_id = 'written'";
    assert_eq!(ground.number(late).await, 0);
    let together = "SELECT COUNT(*) FROM audit_records looked JOIN audit_records written \
                    ON written.log = looked.log AND written.batch = looked.batch \
                    WHERE looked.request_id = 'found false' AND written.request_id = 'written'";
    assert!(ground.number(together).await > 0, "no batch has both");
}

async fn look_ups_of_all_kinds_share_batches_with_units(ground: Ground) {
    let store = &ground.open().await;
    fill(store).await;
    let turns = (0..100_u64).map(|number| async move {
        let create = Create {
            company: "acme",
            number: 100 + number,
            updated_at: changed_at("acme", 100 + number),
        };
        let either = Wanted {
            by_email: Some(key("none", number)),
            by_phone: Some(key("acme", 1_000_000 + number / 2)),
        };
        let (created, by_phone, by_email, age, session) = tokio::join!(
            store.write(create),
            find(store, either),
            find(store, by_email(key("bolt", number))),
            store.find_age_customer(key("acme", number), |_| Some(record("age"))),
            store.find_session(sessions::key("acme", number), |_| record("session")),
        );
        assert!(created.unwrap());
        assert!(by_phone.as_ref().is_some_and(|found| found.by_phone));
        // Two share a phone, and the one that changed last is meant.
        assert!(time(by_phone) >= Some(changed_at("acme", number)));
        assert_eq!(time(by_email), Some(changed_at("bolt", number)));
        assert!(age.unwrap().is_none() && session.unwrap().is_none());
    });
    join_all(turns).await;
    let records = "SELECT COUNT(*) FROM audit_records";
    assert_eq!(ground.number(records).await, 400);
    let batches = ground.number("SELECT COUNT(*) FROM audit_batches").await;
    assert!(batches < 100, "{batches} batches share nothing");
}

async fn every_caller_gets_its_own_answer(ground: Ground) {
    let store = &ground.open().await;
    fill(store).await;
    let asked = (0..1200_u64).map(|at| async move {
        let (number, company) = (at % 120, ["acme", "bolt", "none"][at as usize % 3]);
        let known = |at: u64| (company != "none" && at < 100).then(|| changed_at(company, at));
        let by_email = find(store, by_email(key(company, number))).await;
        assert_eq!(time(by_email), known(number), "{company} {number}");
        // Two customers share a phone; the one that changed last is meant.
        let shared = by_phone(key(company, 1_000_000 + number / 2));
        let expected = known(number | 1);
        assert_eq!(
            time(find(store, shared.clone()).await),
            expected,
            "{company} {number}"
        );
        // An address that nobody has leaves it to the phone.
        let both = Wanted {
            by_email: Some(key(company, 5_000_000)),
            ..shared
        };
        assert_eq!(
            time(find(store, both).await),
            expected,
            "{company} {number}"
        );
    });
    join_all(asked).await;
}

async fn a_look_up_sees_what_was_just_written(ground: Ground) {
    let store = ground.open().await;
    for number in 0..50 {
        let key = key("acme", number);
        assert_eq!(find(&store, by_email(key.clone())).await, None);
        let create = Create {
            company: "acme",
            number,
            updated_at: changed_at("acme", number),
        };
        assert!(store.write(create).await.unwrap());
        assert!(find(&store, by_email(key)).await.is_some());
    }
}

async fn a_bulk_look_up_keeps_the_order_with_repeats(ground: Ground) {
    let store = ground.open().await;
    fill(&store).await;
    let numbers: Vec<u64> = (0..500).map(|at| at * 37 % 130).collect();
    let keys: Vec<Key> = numbers.iter().map(|number| key("bolt", *number)).collect();
    let found = store.find_customers(&keys).await.unwrap();
    let times: Vec<_> = found.into_iter().map(time).collect();
    let expected: Vec<_> = numbers
        .iter()
        .map(|number| (*number < 100).then(|| changed_at("bolt", *number)))
        .collect();
    assert_eq!(times, expected);
    assert!(store.find_customers(&[]).await.unwrap().is_empty());
}

async fn statements_that_stand_one_in_another_are_told_apart(ground: Ground) {
    let store = ground.open().await;
    let (two, three) = entangled();
    for (sql, rows) in [(two, 2), (three, 3), (two, 2)] {
        // Whoever writes has one connection.
        let counted = store.write(Count(sql)).await.unwrap();
        assert_eq!(counted, rows, "{sql}");
    }
}

/// How many rows a statement finds.
struct Count(&'static str);

impl Unit for Count {
    type Output = usize;

    fn lane(&self) -> Lane {
        Lane::of(b"count")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> Result<Written<usize>> {
        Ok(Written {
            output: tx.query(self.0, &[]).await?.len(),
            records: Vec::new(),
        })
    }
}

/// Two texts of which the second begins inside the first: where a compiler puts its texts is its
/// own affair. Of both, address and length come to the same number when one is mixed into the other.
fn entangled() -> (&'static str, &'static str) {
    const ALIGNED: usize = 64;
    let text = "SELECT 1 UNION ALL      SELECT 2        UNION SELECT 3 UNION SELECT 4   ";
    let mut room = String::with_capacity(ALIGNED + text.len());
    let ahead = room.as_ptr().align_offset(ALIGNED);
    room.push_str(&" ".repeat(ahead));
    room.push_str(text);
    let room: &'static str = room.leak();
    let both = (&room[ahead..ahead + 40], &room[ahead + 24..ahead + 72]);
    let mixed = |text: &str| text.as_ptr() as usize ^ text.len();
    assert_eq!(mixed(both.0), mixed(both.1));
    both
}

/// One that waits for a lock, say, or reads through a long table.
#[test]
fn a_read_that_takes_its_time_does_not_hold_up_all_others() {
    const CONNECTED: &str = "SELECT COUNT(*) FROM pg_stat_activity \
         WHERE datname = current_database() AND application_name = 'bonafide'";
    const WAITING: &str = "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' \
         AND objid = 7 AND NOT granted \
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    const HELD: &str = "SELECT 1 FROM pg_advisory_lock(7)";
    ground::run(async {
        let ground = Ground::postgres("a_read_that_takes_its_time_does_not_hold_up_all").await;
        let holder = ground.client().await;
        let hold = "SELECT pg_advisory_lock(7)";
        holder.execute(hold, &[]).await.unwrap();
        let store = ground.open().await;
        // The first read has the second connection made.
        store.ping().await.unwrap();
        reaches(&holder, CONNECTED, 2).await;
        let slow = store.read(|mut tx| {
            Box::pin(async move { tx.query(HELD, &[]).await.map(|rows| rows.len()) })
        });
        let beside = async {
            reaches(&holder, WAITING, 1).await;
            store.ping().await.unwrap();
            let waits_still = count(&holder, WAITING).await;
            let release = "SELECT pg_advisory_unlock(7)";
            holder.execute(release, &[]).await.unwrap();
            waits_still
        };
        let (slow, waits_still) = tokio::join!(slow, beside);
        assert_eq!((slow.unwrap(), waits_still), (1, 1));
    });
}

async fn count(client: &Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

/// Asks until there are so many, or a caller's patience is over.
async fn reaches(client: &Client, sql: &str, wanted: i64) {
    let end = Instant::now() + PATIENCE;
    while count(client, sql).await < wanted {
        assert!(Instant::now() < end, "{sql}");
    }
}
