//! The queue: who may claim what, in which order, and what a lease is worth.

use std::collections::BTreeSet;
use std::marker::PhantomData;

use bonafide_store::tables::data_keys::{self, Purpose};
use bonafide_store::tables::deliveries::{self, Claimed, Filter, NewDelivery, Outcome, Status};
use bonafide_store::tables::delivery_attempts::{self, Attempt};
use bonafide_store::tables::webhook_endpoints;
use bonafide_store::{Lane, Result, Store, Tx, Unit, Written};
use domain::seal::WrappedKey;
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::ground::{Ground, contract, now};

contract!(
    what_is_due_is_claimed_in_order_and_under_a_lease,
    the_second_of_a_stream_waits_for_the_first,
    what_is_enqueued_later_comes_later_whatever_the_clock_says,
    only_the_holder_of_the_lease_settles,
    a_claim_brings_the_key_unless_it_is_destroyed,
    what_is_finished_can_be_replayed,
    receivers_are_found_page_by_page,
    two_stores_claim_nothing_twice,
    leases_can_be_ended_all_at_once,
    nothing_is_enqueued_for_a_company_without_an_address,
    deliveries_are_listed_and_counted,
    attempts_are_kept_in_order,
    an_endpoint_is_judged_by_its_failures,
);

const LINE: &str = "webhook:default";

const LEASE: Uuid = Uuid::from_u128(7);
const OTHER: Uuid = Uuid::from_u128(8);

/// So many seconds after the beginning.
fn second(seconds: i64) -> Timestamp {
    now() + SignedDuration::from_secs(seconds)
}

/// The names of deliveries are numbers here.
fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// A unit of work from a function.
struct Do<T, F>(F, PhantomData<fn() -> T>);

impl<T, F> Unit for Do<T, F>
where
    T: Send + 'static,
    F: for<'a, 'b> FnMut(&'a mut Tx<'b>) -> BoxFuture<'a, Result<T>> + Send + 'static,
{
    type Output = T;

    fn lane(&self) -> Lane {
        Lane::of(b"deliveries")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> Result<Written<T>> {
        Ok(Written {
            output: (self.0)(tx).await?,
            records: Vec::new(),
        })
    }
}

/// Runs a function in a transaction of its own.
async fn within<T, F>(store: &Store, run: F) -> T
where
    T: Send + 'static,
    F: for<'a, 'b> FnMut(&'a mut Tx<'b>) -> BoxFuture<'a, Result<T>> + Send + 'static,
{
    store.write(Do(run, PhantomData)).await.unwrap()
}

/// A store whose company `default` has an address.
async fn open(ground: &Ground) -> Store {
    let named = "UPDATE companies SET webhook_url = 'https://shop.example/' \
                 WHERE company_id = 'default'";
    ground.sql(named).await;
    ground.open().await
}

/// Enqueues a delivery in a line and a stream.
async fn insert_in(store: &Store, line: &str, number: u128, stream: u8, at: Timestamp) -> bool {
    let line = line.to_owned();
    within(store, move |tx| {
        let line = line.clone();
        Box::pin(async move {
            let delivery = NewDelivery {
                id: id(number),
                company_id: "default",
                topic: "verification.verified",
                receiver: &line,
                stream: &[stream],
                data_key: id(1_000),
                payload: b"sealed",
                at,
            };
            deliveries::insert_webhook(tx, &delivery).await
        })
    })
    .await
}

/// Enqueues deliveries, each in a stream of its own.
async fn insert(store: &Store, number: u8, at: Timestamp) {
    assert!(insert_in(store, LINE, number.into(), number, at).await);
}

/// Claims at `now`, under a lease of ten seconds; returns the numbers.
async fn claim(store: &Store, lease: Uuid, now: Timestamp, count: i64) -> Vec<u128> {
    let claimed = claim_whole(store, lease, now, count).await;
    claimed.iter().map(|one| one.id.as_u128()).collect()
}

async fn claim_whole(store: &Store, lease: Uuid, now: Timestamp, count: i64) -> Vec<Claimed> {
    let until = now + SignedDuration::from_secs(10);
    let claimed = within(store, move |tx| {
        Box::pin(deliveries::claim(tx, LINE, now, lease, until, count))
    });
    let claimed = claimed.await;
    assert!(claimed.spoilt.is_empty());
    claimed.rows
}

/// Settles at `at`; what still waits is due then.
async fn settle(store: &Store, number: u128, lease: Uuid, status: Status, at: Timestamp) -> bool {
    within(store, move |tx| {
        Box::pin(async move {
            let outcome = Outcome {
                id: id(number),
                lease,
                status,
                attempts: 1,
                step: 1,
                due_at: at,
                word: "refused",
                at,
            };
            deliveries::settle(tx, &outcome).await
        })
    })
    .await
}

async fn find(store: &Store, number: u128) -> deliveries::Listed {
    let found = within(store, move |tx| Box::pin(deliveries::find(tx, id(number)))).await;
    found.unwrap()
}

async fn what_is_due_is_claimed_in_order_and_under_a_lease(ground: Ground) {
    let store = open(&ground).await;
    for (number, due) in [(1, 3), (2, 1), (3, 2), (4, 1), (5, 60)] {
        insert(&store, number, second(due)).await;
    }
    assert!(
        claim(&store, LEASE, now(), 10).await.is_empty(),
        "too early"
    );
    assert_eq!(claim(&store, LEASE, second(3), 2).await, [2, 4]);
    assert_eq!(claim(&store, OTHER, second(3), 10).await, [3, 1]);
    assert!(claim(&store, OTHER, second(12), 10).await.is_empty());
    // Leases end by themselves, and the delivery that was due last is due meanwhile.
    assert_eq!(claim(&store, LEASE, second(13), 10).await, [1, 2, 3, 4]);
    assert_eq!(claim(&store, LEASE, second(60), 1).await, [1]);
}

async fn the_second_of_a_stream_waits_for_the_first(ground: Ground) {
    let store = open(&ground).await;
    for number in 1..=3 {
        let at = second(i64::try_from(number).unwrap());
        assert!(insert_in(&store, LINE, number, 9, at).await);
    }
    assert_eq!(claim(&store, LEASE, second(5), 10).await, [1]);
    assert!(settle(&store, 1, LEASE, Status::Waiting, second(100)).await);
    assert!(claim(&store, LEASE, second(99), 10).await.is_empty());
    assert_eq!(claim(&store, LEASE, second(100), 10).await, [1]);
    assert!(settle(&store, 1, LEASE, Status::Exhausted, second(101)).await);
    assert_eq!(claim(&store, LEASE, second(101), 10).await, [2]);
    assert!(settle(&store, 2, LEASE, Status::Delivered, second(102)).await);
    assert_eq!(claim(&store, LEASE, second(102), 10).await, [3]);
}

async fn what_is_enqueued_later_comes_later_whatever_the_clock_says(ground: Ground) {
    let store = open(&ground).await;
    // The names go the other way too.
    for (number, at) in [(9, 5), (8, 5), (7, 1), (6, 2), (5, 5)] {
        assert!(insert_in(&store, LINE, number, 9, second(at)).await);
    }
    // Of another stream, and due when it says.
    assert!(insert_in(&store, LINE, 4, 1, second(1)).await);
    assert_eq!(claim(&store, LEASE, second(1), 10).await, [4]);
    for number in [9, 8, 7, 6, 5] {
        assert_eq!(claim(&store, LEASE, second(5), 10).await, [number]);
        assert!(settle(&store, number, LEASE, Status::Delivered, second(5)).await);
    }
}

async fn only_the_holder_of_the_lease_settles(ground: Ground) {
    let store = open(&ground).await;
    insert(&store, 1, now()).await;
    assert!(!settle(&store, 1, LEASE, Status::Delivered, now()).await);
    claim(&store, LEASE, now(), 1).await;
    assert_eq!(claim(&store, OTHER, second(10), 1).await, [1]);
    assert!(!settle(&store, 1, LEASE, Status::Delivered, second(11)).await);
    assert_eq!(find(&store, 1).await.status, Status::Waiting);
    assert!(settle(&store, 1, OTHER, Status::Delivered, second(11)).await);
    assert!(!settle(&store, 1, OTHER, Status::Exhausted, second(12)).await);
    let settled = find(&store, 1).await;
    assert_eq!(
        (settled.status, settled.attempts, settled.outcome.as_deref()),
        (Status::Delivered, 1, Some("refused"))
    );
    assert_eq!(settled.finished_at, Some(second(11)));
}

async fn a_claim_brings_the_key_unless_it_is_destroyed(ground: Ground) {
    let store = open(&ground).await;
    insert(&store, 1, now()).await;
    let key = WrappedKey {
        id: id(1_000),
        master_key: "k1".into(),
        wrapped: vec![7; 60],
    };
    let expected = key.wrapped.clone();
    within(&store, move |tx| {
        let key = key.clone();
        Box::pin(async move {
            data_keys::insert(tx, "default", Purpose::Person, None, &key, now()).await
        })
    })
    .await;
    let claimed = claim_whole(&store, LEASE, now(), 1).await.remove(0);
    assert_eq!(claimed.company_id, "default");
    assert_eq!(claimed.payload, b"sealed");
    assert_eq!((claimed.attempts, claimed.step), (0, 0));
    assert_eq!(claimed.data_key.unwrap().wrapped, expected);
    ground.sql("DELETE FROM data_keys").await;
    let claimed = claim_whole(&store, LEASE, second(10), 1).await.remove(0);
    assert!(claimed.data_key.is_none());
}

async fn what_is_finished_can_be_replayed(ground: Ground) {
    let store = open(&ground).await;
    for number in 1..=4 {
        insert(&store, number, now()).await;
    }
    claim(&store, LEASE, now(), 4).await;
    for (number, status) in [
        (1, Status::Delivered),
        (2, Status::Exhausted),
        (3, Status::Exhausted),
    ] {
        assert!(settle(&store, number, LEASE, status, second(1)).await);
    }
    let again = |number| {
        within(&store, move |tx| {
            Box::pin(deliveries::replay(tx, id(number), second(2)))
        })
    };
    assert!(again(1).await);
    assert!(!again(1).await, "it waits already");
    assert!(!again(4).await, "it is on its way");
    assert!(!again(99).await, "there is none");
    let some_again = |company, count| {
        within(&store, move |tx| {
            Box::pin(deliveries::replay_exhausted(tx, company, second(2), count))
        })
    };
    assert_eq!(some_again("another", 9).await, 0);
    assert_eq!(some_again("default", 1).await, 1, "no more than that");
    assert_eq!(some_again("default", 9).await, 1);
    let replayed = find(&store, 2).await;
    assert_eq!(
        (replayed.status, replayed.finished_at),
        (Status::Waiting, None)
    );
    // It begins its schedule anew, and remembers its attempts. The lease of before is over.
    assert!(!settle(&store, 1, LEASE, Status::Delivered, second(2)).await);
    let claimed = claim_whole(&store, OTHER, second(2), 10).await;
    let claimed: Vec<_> = claimed
        .iter()
        .map(|one| (one.id.as_u128(), one.attempts, one.step))
        .collect();
    assert_eq!(claimed, [(1, 1, 0), (2, 1, 0), (3, 1, 0)]);
}

async fn receivers_are_found_page_by_page(ground: Ground) {
    let store = open(&ground).await;
    let mut expected = Vec::new();
    for number in 0..150_u8 {
        let line = format!("webhook:{number:03}");
        // Two in each line; in every third line neither is due.
        let due = if number % 3 == 0 { second(60) } else { now() };
        for copy in 0..2_u128 {
            let number = u128::from(number) * 2 + copy;
            assert!(insert_in(&store, &line, number, 0, due).await);
        }
        expected.extend((number % 3 != 0).then_some(line));
    }
    let mut found: Vec<String> = Vec::new();
    loop {
        let after = found.last().cloned().unwrap_or_default();
        let page = within(&store, move |tx| {
            let after = after.clone();
            Box::pin(async move { deliveries::list_receivers_due(tx, now(), &after, 32).await })
        })
        .await;
        assert!(page.len() <= 32);
        if page.is_empty() {
            break;
        }
        found.extend(page);
    }
    assert_eq!(found, expected);
}

async fn two_stores_claim_nothing_twice(ground: Ground) {
    const COUNT: u8 = 200;
    let (one, other) = (open(&ground).await, ground.open().await);
    for number in 0..COUNT {
        insert(&one, number, now()).await;
    }
    let all_of = async |store: &Store, lease| {
        let mut claimed = Vec::new();
        loop {
            let some = claim(store, lease, second(1), 3).await;
            if some.is_empty() {
                return claimed;
            }
            claimed.extend(some);
        }
    };
    let (first, second) = tokio::join!(all_of(&one, LEASE), all_of(&other, OTHER));
    let all: BTreeSet<_> = first.iter().chain(&second).collect();
    assert_eq!(first.len() + second.len(), usize::from(COUNT));
    assert_eq!(all.len(), usize::from(COUNT));
}

async fn leases_can_be_ended_all_at_once(ground: Ground) {
    let store = open(&ground).await;
    for number in 1..=4 {
        insert(&store, number, now()).await;
    }
    claim(&store, LEASE, now(), 3).await;
    assert!(settle(&store, 1, LEASE, Status::Delivered, now()).await);
    let ended = within(&store, |tx| {
        Box::pin(deliveries::reclaim_all(tx, second(1)))
    });
    assert_eq!(ended.await, 2);
    assert!(!settle(&store, 2, LEASE, Status::Delivered, second(1)).await);
    assert_eq!(claim(&store, OTHER, second(1), 10).await, [4, 2, 3]);
}

async fn nothing_is_enqueued_for_a_company_without_an_address(ground: Ground) {
    let store = ground.open().await;
    assert!(!insert_in(&store, LINE, 1, 1, now()).await);
    assert_eq!(ground.number("SELECT COUNT(*) FROM deliveries").await, 0);
}

async fn deliveries_are_listed_and_counted(ground: Ground) {
    let store = open(&ground).await;
    for number in 1..=5 {
        insert(&store, number, second(i64::from(number))).await;
    }
    claim(&store, LEASE, second(2), 2).await;
    assert!(settle(&store, 1, LEASE, Status::Delivered, second(3)).await);
    assert!(settle(&store, 2, LEASE, Status::Exhausted, second(3)).await);
    let list = async |company, status, before: Option<u128>, count| {
        let listed = within(&store, move |tx| {
            Box::pin(async move {
                let filter = Filter {
                    company_id: company,
                    status,
                    before: before.map(id),
                };
                deliveries::list(tx, &filter, count).await
            })
        });
        let listed = listed.await;
        assert!(listed.spoilt.is_empty());
        let ids: Vec<_> = listed.rows.iter().map(|one| one.id.as_u128()).collect();
        ids
    };
    assert_eq!(list(None, None, None, 3).await, [5, 4, 3]);
    assert_eq!(list(None, None, Some(3), 3).await, [2, 1]);
    assert_eq!(
        list(Some("default"), Some(Status::Waiting), None, 9).await,
        [5, 4, 3]
    );
    assert_eq!(list(None, Some(Status::Exhausted), None, 9).await, [2]);
    assert!(list(Some("another"), None, None, 9).await.is_empty());
    let depth = within(&store, |tx| Box::pin(deliveries::depth(tx))).await;
    assert_eq!((depth.waiting, depth.oldest_due), (3, Some(second(3))));
}

async fn attempts_are_kept_in_order(ground: Ground) {
    let store = open(&ground).await;
    let attempt = |number| Attempt {
        number,
        started_at: second(number),
        took: 17,
        outcome: "refused".into(),
        status: (number == 2).then_some(503),
    };
    for number in [2, 1] {
        within(&store, move |tx| {
            Box::pin(async move { delivery_attempts::insert(tx, id(1), &attempt(number)).await })
        })
        .await;
    }
    let kept = within(&store, |tx| Box::pin(delivery_attempts::list(tx, id(1)))).await;
    assert_eq!(kept, [attempt(1), attempt(2)]);
    let none = within(&store, |tx| Box::pin(delivery_attempts::list(tx, id(2)))).await;
    assert!(none.is_empty());
}

async fn an_endpoint_is_judged_by_its_failures(ground: Ground) {
    let store = open(&ground).await;
    let find = |company| {
        within(&store, move |tx| {
            Box::pin(webhook_endpoints::find(tx, company))
        })
    };
    let fail_after = |at, connected| {
        within(&store, move |tx| {
            Box::pin(webhook_endpoints::note_failure(
                tx, "default", at, connected,
            ))
        })
    };
    let fail = |at| fail_after(at, second(0));
    let switch_off = |at| {
        within(&store, move |tx| {
            Box::pin(webhook_endpoints::switch_off(tx, "default", at, "gone"))
        })
    };
    assert_eq!(find("another").await, None);
    let fresh = find("default").await.unwrap();
    assert_eq!(fresh.url.as_deref(), Some("https://shop.example/"));
    assert!(fresh.is_active && fresh.failing_since.is_none() && fresh.off.is_none());

    assert_eq!(fail(second(1)).await, second(1));
    assert_eq!(fail(second(2)).await, second(1), "since the first");
    assert_eq!(
        find("default").await.unwrap().failing_since,
        Some(second(1))
    );
    let after_silence = fail_after(second(20), second(3)).await;
    assert_eq!(after_silence, second(20), "the last was before");
    let next = fail_after(second(30), second(20)).await;
    assert_eq!(next, second(20), "the last was not");
    within(&store, |tx| {
        Box::pin(webhook_endpoints::note_success(tx, "default"))
    })
    .await;
    assert_eq!(find("default").await.unwrap(), fresh);
    assert_eq!(fail(second(3)).await, second(3), "it is another time");

    assert!(switch_off(second(4)).await);
    assert!(!switch_off(second(5)).await, "it is off");
    let off = find("default").await.unwrap();
    assert_eq!(off.off, Some((second(4), "gone".to_owned())));
    within(&store, |tx| {
        Box::pin(webhook_endpoints::reset(tx, "default"))
    })
    .await;
    assert_eq!(find("default").await.unwrap(), fresh);
    assert!(switch_off(second(6)).await, "without a failure before");
}
