//! Sessions of number verification: one pending for each request, guarded changes, and the due ones
//! shared among whoever sweeps.

use std::sync::Arc;

use bonafide_store::tables::deliveries::NewDelivery;
use bonafide_store::tables::verification_sessions::{self, Found, Key, NewSession, Progress};
use bonafide_store::{Lane, Result, Store, Tx, Unit, Written};
use domain::access::CompanyId;
use domain::number::{Session, SessionId, Status};
use domain::seal::{BlindIndex, WrappedKey};
use domain::secret_hash::SecretHash;
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Barrier;
use uuid::Uuid;

use crate::ground::{Ground, contract, now, record};

contract!(
    a_session_reads_back_as_it_was_inserted,
    a_request_has_one_pending_session,
    a_request_has_one_pending_session_whatever_the_clocks_say,
    what_a_session_comes_to_stands_in_no_index,
    a_deadline_is_forgotten_when_its_session_has_ended,
    only_a_pending_session_gets_another_token,
    only_a_pending_session_goes_on,
    the_due_are_those_whose_time_is_over,
    what_somebody_sweeps_is_left_to_them,
    a_session_is_found_for_its_company_only,
    a_company_lists_its_sessions_page_by_page,
    units_side_by_side_get_what_is_theirs,
);

fn id(number: u64) -> SessionId {
    SessionId::parse(&format!("nv_{number:035}0")).unwrap()
}

pub fn key(company: &str, number: u64) -> Key {
    Key {
        company: Some(CompanyId::parse(company).unwrap()),
        id: id(number),
    }
}

pub fn seconds(seconds: i64) -> Timestamp {
    now() + SignedDuration::from_secs(seconds)
}

fn index(byte: u8) -> BlindIndex {
    BlindIndex::from_bytes(&[byte; BlindIndex::LENGTH]).unwrap()
}

fn token(byte: u8) -> SecretHash {
    SecretHash::from_bytes([byte; 32])
}

/// The keyed hash of the number that a session is about.
fn index_of(number: u64) -> BlindIndex {
    index((number * 25 % 256) as u8)
}

/// One step of a session.
#[derive(Clone)]
pub enum Step {
    /// Opens one: company, number, request, end of its time.
    Open(&'static str, u64, u8, Timestamp),
    /// Gives it another token.
    Replace(u64, u8),
    /// Writes where it stands.
    Write(u64, Session, Option<&'static [u8]>),
    /// Writes that it is verified, with the message about it.
    End(u64),
    /// Looks it up, locked.
    Find(Key),
    /// Looks up the pending one of a company's request, locked.
    Pending(&'static str, u8),
    /// Lists those that are due, locked.
    Due(Timestamp, i64),
    /// Lists a company's, before one of them.
    List(&'static str, Option<u64>, i64),
    /// Forgets the deadlines of those of a window that have ended; whether there were so many.
    Forget(Timestamp, i64, u64),
    /// Waits, with all locks held.
    Meet(Arc<Barrier>),
}

/// Steps in one transaction; what they did, and what they found.
pub struct Act(pub Vec<Step>);

impl Unit for Act {
    type Output = (Vec<bool>, Vec<Found>);
    const ALONE: bool = true;

    fn lane(&self) -> Lane {
        Lane::of(b"sessions")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> Result<Written<Self::Output>> {
        let (mut done, mut found) = (Vec::new(), Vec::new());
        for step in &self.0 {
            match step {
                Step::Open(company, number, request, end) => {
                    done.push(open(tx, company, *number, *request, *end).await?);
                }
                Step::Replace(number, byte) => {
                    let (id, token) = (id(*number), token(*byte));
                    done.push(verification_sessions::replace_token(tx, &id, token).await?);
                }
                Step::Write(number, session, app_user_id) => {
                    let progress = Progress {
                        verification_id: &id(*number),
                        session: *session,
                        app_user_id: *app_user_id,
                        at: seconds(7),
                    };
                    done.push(verification_sessions::update(tx, &progress).await?);
                }
                Step::End(number) => done.push(end(tx, *number).await?),
                Step::Find(key) => {
                    let company = key.company.as_ref().map_or("", CompanyId::as_str);
                    let one = verification_sessions::find_for_update(tx, company, &key.id);
                    found.extend(one.await?);
                }
                Step::Pending(company, request) => {
                    let request = index(*request);
                    let pending =
                        verification_sessions::find_pending_for_update(tx, company, request);
                    found.extend(pending.await?);
                }
                Step::Due(at, count) => {
                    let due = verification_sessions::list_due_for_update(tx, *at, 1_000, *count);
                    found.extend(due.await?.rows);
                }
                Step::List(company, before, count) => {
                    let before = before.map(id);
                    let listed = verification_sessions::list_of_company(
                        tx,
                        company,
                        before.as_ref(),
                        *count,
                    );
                    found.extend(listed.await?);
                }
                Step::Forget(at, window, expected) => {
                    let forgotten = verification_sessions::forget_deadlines(tx, *at, *window);
                    done.push(forgotten.await? == *expected);
                }
                Step::Meet(barrier) => {
                    barrier.wait().await;
                }
            }
        }
        let records = Vec::new();
        Ok(Written {
            output: (done, found),
            records,
        })
    }
}

/// Opens a session of a request, or else finds one, beside others who do the same.
struct Beside {
    number: u64,
    request: u8,
}

impl Unit for Beside {
    type Output = (bool, Option<Found>);

    fn lane(&self) -> Lane {
        Lane::of(&self.number.to_le_bytes())
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> Result<Written<Self::Output>> {
        let opened = open(tx, "default", self.number, self.request, seconds(600)).await?;
        let id = id(self.number);
        let found = verification_sessions::find_for_update(tx, "default", &id).await?;
        Ok(Written {
            output: (opened, found),
            records: vec![record("beside")],
        })
    }
}

async fn open(
    tx: &mut Tx<'_>,
    company: &str,
    number: u64,
    request: u8,
    end: Timestamp,
) -> Result<bool> {
    let data_key = WrappedKey {
        id: Uuid::from_u64_pair(1, number),
        master_key: "k1".into(),
        wrapped: vec![7; 60],
    };
    let session = NewSession {
        verification_id: &id(number),
        id: Uuid::from_u64_pair(2, number),
        company_id: company,
        number_index: index_of(number),
        mobile_number: b"sealed number",
        request_index: index(request),
        request_id: b"sealed request",
        token_hash: token(1),
        created_at: now(),
        expires_at: end,
    };
    verification_sessions::insert(tx, &session, &data_key).await
}

async fn end(tx: &mut Tx<'_>, number: u64) -> Result<bool> {
    let progress = Progress {
        verification_id: &id(number),
        session: standing(Status::Verified, 0),
        app_user_id: None,
        at: seconds(7),
    };
    let message = NewDelivery {
        id: Uuid::from_u64_pair(3, number),
        company_id: "default",
        topic: "verification.verified",
        receiver: "default",
        stream: &number.to_be_bytes(),
        data_key: Uuid::from_u64_pair(1, number),
        payload: b"sealed message",
        at: seconds(7),
    };
    verification_sessions::end(tx, &progress, &message).await
}

async fn done(store: &Store, step: Step) -> bool {
    store.write(Act(vec![step])).await.unwrap().0[0]
}

async fn found(store: &Store, step: Step) -> Vec<Found> {
    store.write(Act(vec![step])).await.unwrap().1
}

fn numbers(found: &[Found]) -> Vec<SessionId> {
    found
        .iter()
        .map(|found| found.verification_id.clone())
        .collect()
}

pub fn standing(status: Status, mismatches: u32) -> Session {
    Session {
        status,
        mismatches,
        expires_at: seconds(600),
    }
}

const ENDED: &str = "SELECT COUNT(*) FROM verification_sessions WHERE ended_at IS NOT NULL";

async fn a_session_reads_back_as_it_was_inserted(ground: Ground) {
    let store = ground.open().await;
    assert!(done(&store, Step::Open("default", 1, 1, seconds(600))).await);
    let by_id = found(&store, Step::Find(key("default", 1))).await;
    let by_request = found(&store, Step::Pending("default", 1)).await;
    let read = store.find_session(key("default", 1), |_| record("read"));
    for found in [&by_id[0], &by_request[0], &read.await.unwrap().unwrap()] {
        assert_eq!(
            (&found.verification_id, &*found.company_id),
            (&id(1), "default")
        );
        assert_eq!(found.number_index, index_of(1));
        assert_eq!(found.mobile_number, b"sealed number");
        assert_eq!(found.request_id, b"sealed request");
        assert!(found.token_hash.as_bytes() == token(1).as_bytes());
        assert_eq!(found.session, Session::opened(seconds(600)));
        assert_eq!((found.created_at, found.verified_at), (now(), None));
        assert_eq!(found.app_user_id, None);
        let data_key = found.data_key.as_ref().unwrap();
        assert_eq!(data_key.id, Uuid::from_u64_pair(1, 1));
        assert_eq!(data_key.wrapped, [7; 60]);
    }
    assert_eq!(
        ground
            .number("SELECT COUNT(*) FROM data_keys WHERE purpose = 'person'")
            .await,
        1
    );
}

async fn a_request_has_one_pending_session(ground: Ground) {
    let store = ground.open().await;
    let end = seconds(600);
    assert!(done(&store, Step::Open("default", 1, 1, end)).await);
    let keys = "SELECT COUNT(*) FROM data_keys";
    let before = ground.number(keys).await;
    assert!(!done(&store, Step::Open("default", 2, 1, end)).await);
    assert_eq!(ground.number(keys).await, before, "a key of no session");
    // Other requests and other companies have their own.
    assert!(done(&store, Step::Open("default", 3, 2, end)).await);
    assert!(done(&store, Step::Open("acme", 4, 1, end)).await);
    let pending = found(&store, Step::Pending("default", 1)).await;
    assert_eq!(numbers(&pending), [id(1)]);
    // What has ended, however it did, makes room.
    for (at, status) in [Status::Verified, Status::Failed, Status::Expired]
        .into_iter()
        .enumerate()
    {
        let open = numbers(&found(&store, Step::Pending("default", 1)).await);
        let number = if at == 0 { 1 } else { 9 + at as u64 };
        assert_eq!(open, [id(number)]);
        assert!(done(&store, Step::Write(number, standing(status, 0), None)).await);
        assert!(found(&store, Step::Pending("default", 1)).await.is_empty());
        assert!(done(&store, Step::Open("default", 10 + at as u64, 1, end)).await);
    }
}

async fn a_request_has_one_pending_session_whatever_the_clocks_say(ground: Ground) {
    let store = ground.open().await;
    let end = seconds(600);
    assert!(done(&store, Step::Open("default", 9, 1, end)).await);
    assert!(done(&store, Step::Write(9, standing(Status::Verified, 0), None)).await);
    // A session's id begins with the time: this one began before the one that has ended.
    assert!(done(&store, Step::Open("default", 3, 1, end)).await);
    for number in [2, 5, 10] {
        assert!(!done(&store, Step::Open("default", number, 1, end)).await);
    }
    let pending = found(&store, Step::Pending("default", 1)).await;
    assert_eq!(numbers(&pending), [id(3)]);
    // Nor is it another's turn when the first of a request is kept no longer.
    let retired = "DELETE FROM verification_sessions WHERE status = 'verified'";
    ground.sql(retired).await;
    assert!(!done(&store, Step::Open("default", 5, 1, end)).await);
    assert!(done(&store, Step::Write(3, standing(Status::Expired, 0), None)).await);
    assert!(done(&store, Step::Open("default", 5, 1, end)).await);
}

async fn what_a_session_comes_to_stands_in_no_index(ground: Ground) {
    let indexes = if ground.is_postgres() {
        "SELECT indexdef FROM pg_indexes WHERE tablename = 'verification_sessions'"
    } else {
        "SELECT sql FROM sqlite_schema WHERE tbl_name = 'verification_sessions' \
         AND type = 'index' AND sql IS NOT NULL"
    };
    let indexes = ground.sql(indexes).await.concat();
    assert!(indexes.len() > 1, "{indexes:?}");
    for column in [
        "status",
        "mismatches",
        "app_user_id",
        "verified_at",
        "ended_at",
        "token_hash",
    ] {
        assert!(!indexes.iter().any(|index| index.contains(column)));
    }
}

const DEADLINES: &str = "SELECT COUNT(*) FROM verification_deadlines";

async fn a_deadline_is_forgotten_when_its_session_has_ended(ground: Ground) {
    let store = ground.open().await;
    for number in 1..=6 {
        let end = seconds(number as i64 * 10);
        assert!(done(&store, Step::Open("default", number, number as u8, end)).await);
    }
    assert!(!done(&store, Step::Open("default", 7, 1, seconds(10))).await);
    assert_eq!(
        ground.number(DEADLINES).await,
        6,
        "a deadline of no session"
    );
    for (number, status) in [(2, Status::Verified), (3, Status::Failed)] {
        assert!(done(&store, Step::Write(number, standing(status, 0), None)).await);
    }
    let erased = format!(
        "DELETE FROM verification_sessions WHERE verification_id = '{}'",
        id(4).as_str()
    );
    ground.sql(&erased).await;
    assert!(done(&store, Step::Write(6, standing(Status::Verified, 0), None)).await);
    for (at, window, forgotten, left) in [
        (19, 10, 0, 6),
        (20, 10, 1, 5),
        (59, 1, 0, 5),
        (59, 2, 1, 4),
        (59, 10, 1, 3),
        (59, 10, 0, 3),
        (60, 10, 1, 2),
    ] {
        let forget = Step::Forget(seconds(at), window, forgotten);
        assert!(done(&store, forget).await, "at {at}");
        assert_eq!(ground.number(DEADLINES).await, left, "at {at}");
    }
    let due = found(&store, Step::Due(seconds(60), 10)).await;
    assert_eq!(numbers(&due), [id(1), id(5)]);
}

async fn a_company_lists_its_sessions_page_by_page(ground: Ground) {
    let store = ground.open().await;
    let end = seconds(600);
    let mut own: Vec<u64> = (1..=40).collect();
    own.retain(|number| number % 5 != 0);
    for number in 1..=40 {
        let company = if own.contains(&number) {
            "default"
        } else {
            "acme"
        };
        assert!(done(&store, Step::Open(company, number, number as u8, end)).await);
    }
    own.reverse();
    // What was erased is listed still, with nothing to open it.
    let key = ground.uuid(Uuid::from_u64_pair(1, 7));
    ground
        .sql(&format!("DELETE FROM data_keys WHERE id = {key}"))
        .await;
    for count in [1, 7, 100] {
        let (mut listed, mut before) = (Vec::new(), None);
        loop {
            let page = found(&store, Step::List("default", before, count)).await;
            assert!(page.len() as i64 <= count);
            for found in &page {
                let is_erased = found.verification_id == id(7);
                assert_eq!(found.data_key.is_none(), is_erased);
            }
            if page.is_empty() {
                break;
            }
            listed.extend(numbers(&page));
            assert!(listed.len() <= own.len(), "{count} a page");
            before = own.get(listed.len() - 1).copied();
        }
        let expected: Vec<_> = own.iter().map(|number| id(*number)).collect();
        assert_eq!(listed, expected, "{count} a page");
    }
    let others = found(&store, Step::List("acme", Some(20), 2)).await;
    assert_eq!(numbers(&others), [15, 10].map(id));
}

async fn only_a_pending_session_gets_another_token(ground: Ground) {
    let store = ground.open().await;
    done(&store, Step::Open("default", 1, 1, seconds(600))).await;
    assert!(done(&store, Step::Replace(1, 2)).await);
    assert!(!done(&store, Step::Replace(2, 2)).await, "there is none");
    let replaced = found(&store, Step::Find(key("default", 1))).await;
    assert!(replaced[0].token_hash.as_bytes() == token(2).as_bytes());
    done(&store, Step::Write(1, standing(Status::Failed, 3), None)).await;
    assert!(!done(&store, Step::Replace(1, 3)).await);
    let kept = found(&store, Step::Find(key("default", 1))).await;
    assert!(kept[0].token_hash.as_bytes() == token(2).as_bytes());
}

async fn only_a_pending_session_goes_on(ground: Ground) {
    let store = ground.open().await;
    done(&store, Step::Open("default", 1, 1, seconds(600))).await;
    assert!(done(&store, Step::Write(1, standing(Status::Pending, 2), None)).await);
    let going = &found(&store, Step::Find(key("default", 1))).await[0];
    assert_eq!(going.session, standing(Status::Pending, 2));
    assert_eq!((going.verified_at, ground.number(ENDED).await), (None, 0));
    let verified = Step::Write(1, standing(Status::Verified, 2), Some(b"sealed user"));
    assert!(done(&store, verified).await);
    for status in Status::ALL {
        assert!(!done(&store, Step::Write(1, standing(status, 0), None)).await);
    }
    let ended = &found(&store, Step::Find(key("default", 1))).await[0];
    assert_eq!(ended.session, standing(Status::Verified, 2));
    assert_eq!(ended.verified_at, Some(seconds(7)));
    assert_eq!(ended.app_user_id.as_deref(), Some(&b"sealed user"[..]));
    assert_eq!(ground.number(ENDED).await, 1);
}

async fn the_due_are_those_whose_time_is_over(ground: Ground) {
    let store = ground.open().await;
    for (number, end) in [(1, 30), (2, 10), (3, 20), (4, 40), (5, 5)] {
        done(
            &store,
            Step::Open("default", number, number as u8, seconds(end)),
        )
        .await;
    }
    done(&store, Step::Write(5, standing(Status::Verified, 0), None)).await;
    for (at, count, expected) in [
        (9, 10, vec![]),
        (10, 10, vec![id(2)]),
        (30, 10, vec![id(2), id(3), id(1)]),
        (30, 2, vec![id(2), id(3)]),
        (99, 10, vec![id(2), id(3), id(1), id(4)]),
    ] {
        let due = found(&store, Step::Due(seconds(at), count)).await;
        assert_eq!(numbers(&due), expected, "at {at}");
    }
}

async fn what_somebody_sweeps_is_left_to_them(ground: Ground) {
    let (one, other) = (ground.open().await, ground.open().await);
    for number in 1..=5 {
        done(
            &one,
            Step::Open("default", number, number as u8, seconds(number as i64)),
        )
        .await;
    }
    if !ground.is_postgres() {
        return; // One transaction at a time: there is nothing to leave.
    }
    let (listed, finished) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let sweeping = one.write(Act(vec![
        Step::Due(seconds(60), 2),
        Step::Meet(listed.clone()),
        Step::Meet(finished.clone()),
    ]));
    let meanwhile = async {
        listed.wait().await;
        let left = found(&other, Step::Due(seconds(60), 10)).await;
        finished.wait().await;
        left
    };
    let (swept, left) = tokio::join!(sweeping, meanwhile);
    assert_eq!(numbers(&swept.unwrap().1), [id(1), id(2)]);
    assert_eq!(numbers(&left), [id(3), id(4), id(5)]);
}

async fn a_session_is_found_for_its_company_only(ground: Ground) {
    let store = ground.open().await;
    done(&store, Step::Open("default", 1, 1, seconds(600))).await;
    let anybodys = Key {
        company: None,
        id: id(1),
    };
    for (key, expected) in [
        (key("default", 1), 1),
        (anybodys, 1),
        (key("acme", 1), 0),
        (key("default", 2), 0),
    ] {
        // Only what a company names as its own is locked.
        let lockable = expected.min(usize::from(key.company.is_some()));
        let locked = found(&store, Step::Find(key.clone())).await;
        assert_eq!(locked.len(), lockable);
        let read = store.find_session(key.clone(), |_| record("read")).await;
        assert_eq!(read.unwrap().iter().count(), expected);
        let looked = store.look_at_session(key).await;
        assert_eq!(looked.unwrap().iter().count(), expected);
    }
    let records = "SELECT COUNT(*) FROM audit_records WHERE request_id = 'read'";
    assert_eq!(
        ground.number(records).await,
        4,
        "found or not, it is recorded"
    );
}

async fn units_side_by_side_get_what_is_theirs(ground: Ground) {
    const REQUESTS: u64 = 40;
    let store = &ground.open().await;
    let units = (0..300).map(|number| {
        let request = (number % REQUESTS) as u8;
        store.write(Beside { number, request })
    });
    let mut opened = 0;
    for (number, written) in (0..).zip(join_all(units).await) {
        let (is_open, found) = written.unwrap();
        let own = found.map(|found| found.verification_id);
        assert_eq!(own, is_open.then(|| id(number)), "unit {number}");
        opened += u64::from(is_open);
    }
    assert_eq!(opened, REQUESTS, "one pending session for each request");
    let keys = "SELECT COUNT(*) FROM data_keys WHERE purpose = 'person'";
    assert_eq!(ground.number(keys).await, REQUESTS as i64);
}
