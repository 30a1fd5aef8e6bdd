//! Orders: one of each name, pages that follow each other, and the due ones shared among whoever
//! sweeps.

use std::sync::Arc;

use bonafide_store::tables::order_events::{self, OrderEvent};
use bonafide_store::tables::orders::{self, Order, Position, WithCustomer};
use bonafide_store::{Lane, Result, Store, Tx, Unit, Written};
use domain::order::{Missing, Status};
use domain::seal::BlindIndex;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Barrier;
use uuid::Uuid;

use crate::ground::{Ground, contract, now};

contract!(
    an_order_reads_back_as_it_was_written,
    a_company_has_one_order_of_a_name,
    pages_follow_each_other_within_one_instant,
    only_orders_of_the_customer_that_can_change_are_looked_at,
    the_newest_open_orders_are_named,
    the_due_are_those_whose_time_has_come,
    what_somebody_sweeps_is_left_to_them,
    a_timeline_keeps_its_order,
);

fn seconds(seconds: i64) -> Timestamp {
    now() + SignedDuration::from_secs(seconds)
}

fn index(byte: u8) -> BlindIndex {
    BlindIndex::from_bytes(&[byte; BlindIndex::LENGTH]).unwrap()
}

fn order(number: u64, status: Status) -> Order {
    Order {
        id: Uuid::from_u64_pair(1, number),
        company_id: "default".into(),
        order_id: format!("№ {number}"),
        source: "web shop".into(),
        email_index: index(1),
        data_key: Uuid::from_u64_pair(2, 1),
        status,
        missing: Missing::ALL,
        placed_at: now(),
        deadline: seconds(72),
        reminded_at: Some(seconds(1)),
        events: 3,
        next_at: (status == Status::Held).then(|| seconds(number as i64)),
        created_at: seconds(1),
        updated_at: seconds(2),
        reinstated_at: None,
        ended_in_shop: false,
    }
}

/// One step about orders.
#[derive(Clone)]
enum Step {
    Insert(Order),
    Update(Order),
    Find(&'static str, &'static str),
    Changeable(u8, bool),
    Due(Timestamp, i64),
    /// Waits, with all locks held.
    Meet(Arc<Barrier>),
}

/// Steps in one transaction; what they did, and what they found.
struct Act(Vec<Step>);

impl Unit for Act {
    type Output = (Vec<bool>, Vec<Order>);
    const ALONE: bool = true;

    fn lane(&self) -> Lane {
        Lane::of(b"orders")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> Result<Written<Self::Output>> {
        let (mut done, mut found) = (Vec::new(), Vec::new());
        for step in &self.0 {
            match step {
                Step::Insert(order) => done.push(orders::insert(tx, order).await?),
                Step::Update(order) => orders::update(tx, order).await?,
                Step::Find(company, id) => {
                    found.extend(orders::find_for_update(tx, company, id).await?);
                }
                Step::Changeable(customer, given) => {
                    let customer = index(*customer);
                    let changeable =
                        orders::list_changeable_for_update(tx, "default", customer, *given, 9);
                    found.extend(changeable.await?);
                }
                Step::Due(at, count) => {
                    let due = orders::list_due_for_update(tx, *at, *count).await?;
                    assert!(due.spoilt.is_empty());
                    found.extend(due.rows);
                }
                Step::Meet(barrier) => {
                    barrier.wait().await;
                }
            }
        }
        Ok(Written {
            output: (done, found),
            records: Vec::new(),
        })
    }
}

async fn inserted(store: &Store, order: Order) -> bool {
    store.write(Act(vec![Step::Insert(order)])).await.unwrap().0[0]
}

async fn found(store: &Store, step: Step) -> Vec<Order> {
    store.write(Act(vec![step])).await.unwrap().1
}

fn names(orders: &[Order]) -> Vec<&str> {
    orders.iter().map(|order| order.order_id.as_str()).collect()
}

async fn an_order_reads_back_as_it_was_written(ground: Ground) {
    let store = ground.open().await;
    let mut order = order(1, Status::Held);
    assert!(inserted(&store, order.clone()).await);
    let find = Step::Find("default", "№ 1");
    assert_eq!(found(&store, find.clone()).await, [order.clone()]);
    order.status = Status::Expired;
    order.missing = Missing::NONE;
    (order.reminded_at, order.events) = (None, 7);
    (order.deadline, order.reinstated_at) = (seconds(99), Some(seconds(8)));
    order.ended_in_shop = true;
    (order.next_at, order.updated_at) = (None, seconds(9));
    found(&store, Step::Update(order.clone())).await;
    assert_eq!(found(&store, find).await, [order.clone()]);
    let id = order.id;
    let read = store.read(move |mut tx| {
        Box::pin(async move {
            let by_id = orders::find_by_id(&mut tx, id).await?;
            Ok([by_id, orders::find(&mut tx, "default", "№ 1").await?])
        })
    });
    for read in read.await.unwrap() {
        let customer = None;
        let order = order.clone();
        assert_eq!(read, Some(WithCustomer { order, customer }));
    }
}

async fn a_company_has_one_order_of_a_name(ground: Ground) {
    let store = ground.open().await;
    assert!(inserted(&store, order(1, Status::Held)).await);
    let again = Order {
        id: Uuid::from_u64_pair(1, 9),
        email_index: index(2),
        ..order(1, Status::Released)
    };
    assert!(!inserted(&store, again.clone()).await);
    let elsewhere = Order {
        company_id: "acme".into(),
        ..again
    };
    assert!(inserted(&store, elsewhere).await);
    for (company, customer) in [("default", 1), ("acme", 2)] {
        let one = found(&store, Step::Find(company, "№ 1")).await;
        assert_eq!(one[0].email_index, index(customer));
    }
}

async fn page(store: &Store, status: Option<Status>, after: Position, count: i64) -> Vec<Order> {
    let listed = store.read(move |mut tx| {
        Box::pin(async move { orders::list(&mut tx, "default", status, after, count).await })
    });
    let listed = listed.await.unwrap().into_iter();
    listed.map(|listed| listed.order).collect()
}

async fn pages_follow_each_other_within_one_instant(ground: Ground) {
    let store = ground.open().await;
    for number in 1..=6 {
        let status = if number % 2 == 0 {
            Status::Held
        } else {
            Status::Late
        };
        // Two at each of three instants.
        let order = Order {
            placed_at: seconds(-(number as i64 / 3)),
            ..order(number, status)
        };
        assert!(inserted(&store, order).await);
    }
    for (status, expected) in [
        (None, vec!["№ 2", "№ 1", "№ 5", "№ 4", "№ 3", "№ 6"]),
        (Some(Status::Held), vec!["№ 2", "№ 4", "№ 6"]),
        (Some(Status::Late), vec!["№ 1", "№ 5", "№ 3"]),
        (Some(Status::Released), vec![]),
    ] {
        let mut after = Position::NEWEST;
        for name in &expected {
            let one = page(&store, status, after, 1).await;
            assert_eq!(names(&one), [*name]);
            after = Position {
                placed_at: one[0].placed_at,
                id: one[0].id,
            };
        }
        assert!(page(&store, status, after, 1).await.is_empty());
        let all = page(&store, status, Position::NEWEST, 99).await;
        assert_eq!(names(&all), expected);
    }
}

async fn only_orders_of_the_customer_that_can_change_are_looked_at(ground: Ground) {
    let store = ground.open().await;
    for (number, status) in (1..).zip(Status::ALL) {
        assert!(inserted(&store, order(number, status)).await);
        let other = Order {
            email_index: index(2),
            ..order(number + 10, status)
        };
        assert!(inserted(&store, other).await);
    }
    for (customer, given, expected) in [
        (1, false, vec!["№ 2"]),
        (1, true, vec!["№ 2", "№ 3"]),
        (2, true, vec!["№ 12", "№ 13"]),
    ] {
        let changeable = found(&store, Step::Changeable(customer, given)).await;
        assert_eq!(names(&changeable), expected);
    }
}

async fn the_newest_open_orders_are_named(ground: Ground) {
    let store = ground.open().await;
    for (number, status) in (1..).zip(Status::ALL) {
        assert!(inserted(&store, order(number, status)).await);
    }
    for (customer, count, expected) in [
        (1, 9, vec!["№ 2", "№ 3", "№ 4"]),
        (1, 2, vec!["№ 3", "№ 4"]),
        (2, 9, vec![]),
    ] {
        let named = store.read(move |mut tx| {
            Box::pin(async move {
                orders::list_open_names(&mut tx, "default", index(customer), count).await
            })
        });
        assert_eq!(named.await.unwrap(), expected);
    }
}

async fn the_due_are_those_whose_time_has_come(ground: Ground) {
    let store = ground.open().await;
    for number in [30, 10, 20] {
        inserted(&store, order(number, Status::Held)).await;
    }
    inserted(&store, order(5, Status::Released)).await;
    for (at, count, expected) in [
        (9, 10, vec![]),
        (10, 10, vec!["№ 10"]),
        (99, 10, vec!["№ 10", "№ 20", "№ 30"]),
        (99, 2, vec!["№ 10", "№ 20"]),
    ] {
        let due = found(&store, Step::Due(seconds(at), count)).await;
        assert_eq!(names(&due), expected, "at {at}");
    }
    let held = store.read(|mut tx| Box::pin(async move { orders::count_held(&mut tx).await }));
    assert_eq!(held.await.unwrap(), 3);
}

async fn what_somebody_sweeps_is_left_to_them(ground: Ground) {
    let (one, other) = (ground.open().await, ground.open().await);
    for number in 1..=5 {
        inserted(&one, order(number, Status::Held)).await;
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
    assert_eq!(names(&swept.unwrap().1), ["№ 1", "№ 2"]);
    assert_eq!(names(&left), ["№ 3", "№ 4", "№ 5"]);
}

struct Tell(Vec<OrderEvent>);

impl Unit for Tell {
    type Output = ();

    fn lane(&self) -> Lane {
        Lane::of(b"events")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> Result<Written<()>> {
        for event in &self.0 {
            order_events::insert(tx, Uuid::from_u64_pair(1, 1), event).await?;
        }
        Ok(Written {
            output: (),
            records: Vec::new(),
        })
    }
}

async fn a_timeline_keeps_its_order(ground: Ground) {
    let store = ground.open().await;
    let event = |number, detail: Option<&str>, reason: Option<&[u8]>| OrderEvent {
        number,
        at: now(),
        event: format!("event {number}"),
        detail: detail.map(str::to_owned),
        reason: reason.map(<[u8]>::to_vec),
    };
    let told = [
        event(1, None, None),
        event(2, Some("1 of 4"), None),
        event(10, None, Some(b"sealed")),
    ];
    let shuffled = [&told[2], &told[0], &told[1]].map(Clone::clone);
    store.write(Tell(shuffled.to_vec())).await.unwrap();
    for (order, expected) in [(1, told.to_vec()), (2, Vec::new())] {
        let id = Uuid::from_u64_pair(1, order);
        let read = store
            .read(move |mut tx| Box::pin(async move { order_events::list(&mut tx, id).await }));
        assert_eq!(read.await.unwrap(), expected);
    }
}
