//! Orders, and what each of them waits for.
//!
//! Every order of a customer is changed in the lane of the customer's e-mail index: units of one
//! transaction, which no row lock keeps apart, never meet in an order.

use domain::order::{Missing, Status};
use domain::seal::{BlindIndex, WrappedKey};
use jiff::Timestamp;
use uuid::Uuid;

use super::customers::{self, standing_columns};
use super::data_keys;
use crate::{Error, Result, Row, Tx};

/// An order as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Its row's own name.
    pub id: Uuid,
    /// Whose it is.
    pub company_id: String,
    /// The shop's number for it.
    pub order_id: String,
    /// The shop it came from.
    pub source: String,
    /// The keyed hash of the customer's address.
    pub email_index: BlindIndex,
    /// The customer's data key.
    pub data_key: Uuid,
    /// Where it stands.
    pub status: Status,
    /// What was missing when it was last looked at.
    pub missing: Missing,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// Until when it is, or was, held.
    pub deadline: Timestamp,
    /// When its customer was last reminded.
    pub reminded_at: Option<Timestamp>,
    /// When it last came back after it had been cancelled.
    pub reinstated_at: Option<Timestamp>,
    /// Whether it was its shop that cancelled it.
    pub ended_in_shop: bool,
    /// How many events its timeline has.
    pub events: i64,
    /// When something is to happen to it by itself.
    pub next_at: Option<Timestamp>,
    /// When we heard of it.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Order {
    /// From when on it is held: its reminders and its deadline are counted from then.
    #[must_use]
    pub fn held_from(&self) -> Timestamp {
        self.reinstated_at.unwrap_or(self.placed_at)
    }
}

/// An order and the customer it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithCustomer {
    /// The order.
    pub order: Order,
    /// The customer, unless there is none any more.
    pub customer: Option<customers::Found>,
}

/// A place in a list of orders, which is sorted by when they were placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// When the order was placed.
    pub placed_at: Timestamp,
    /// The order.
    pub id: Uuid,
}

impl Position {
    /// Before every order.
    pub const NEWEST: Self = Self {
        placed_at: Timestamp::MAX,
        id: Uuid::max(),
    };
}

macro_rules! columns {
    () => {
        "o.id, o.company_id, o.order_id, o.source, o.email_index, o.data_key, o.status, o.missing, \
         o.placed_at, o.deadline, o.reminded_at, o.events, o.next_at, o.created_at, o.updated_at, \
         o.reinstated_at, o.ended_in_shop"
    };
}

mod due;

pub use due::{Subject, list_due_for_update, list_subjects, make_all_due, put_off};

/// How many columns an order has.
const ORDER: usize = 17;

fn order(row: &Row) -> Result<Order> {
    const INDEX: &str = "orders.email_index";
    const STATUS: &str = "orders.status";
    const MISSING: &str = "orders.missing";
    Ok(Order {
        id: row.uuid(0, "orders.id")?,
        company_id: row.text(1, "orders.company_id")?,
        order_id: row.text(2, "orders.order_id")?,
        source: row.text(3, "orders.source")?,
        email_index: BlindIndex::from_bytes(&row.bytes(4, INDEX)?)
            .ok_or_else(|| Error::corrupt(INDEX, "wrong length"))?,
        data_key: row.uuid(5, "orders.data_key")?,
        status: Status::parse(&row.text(6, STATUS)?)
            .ok_or_else(|| Error::corrupt(STATUS, "not a status"))?,
        missing: Missing::parse(&row.text(7, MISSING)?)
            .ok_or_else(|| Error::corrupt(MISSING, "not proofs"))?,
        placed_at: row.time(8, "orders.placed_at")?,
        deadline: row.time(9, "orders.deadline")?,
        reminded_at: row.find_time(10, "orders.reminded_at")?,
        events: row.int(11, "orders.events")?,
        next_at: row.find_time(12, "orders.next_at")?,
        created_at: row.time(13, "orders.created_at")?,
        updated_at: row.time(14, "orders.updated_at")?,
        reinstated_at: row.find_time(15, "orders.reinstated_at")?,
        ended_in_shop: row.bool(16, "orders.ended_in_shop")?,
    })
}

/// Inserts an order; `false`, and nothing is written, when the company has one of that name.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx<'_>, order: &Order) -> Result<bool> {
    let missing = order.missing.to_string();
    let inserted = tx
        .execute(
            "INSERT INTO orders (id, company_id, order_id, source, email_index, data_key, status, \
             missing, placed_at, deadline, reminded_at, events, next_at, created_at, updated_at, \
             reinstated_at, ended_in_shop) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) \
             ON CONFLICT DO NOTHING",
            &[
                order.id.into(),
                order.company_id.as_str().into(),
                order.order_id.as_str().into(),
                order.source.as_str().into(),
                order.email_index.as_bytes().into(),
                order.data_key.into(),
                order.status.as_str().into(),
                missing.as_str().into(),
                order.placed_at.into(),
                order.deadline.into(),
                order.reminded_at.into(),
                order.events.into(),
                order.next_at.into(),
                order.created_at.into(),
                order.updated_at.into(),
                order.reinstated_at.into(),
                order.ended_in_shop.into(),
            ],
        )
        .await?;
    Ok(inserted == 1)
}

/// Writes what changes of an order, which was locked before.
///
/// # Errors
/// Those of the database.
pub async fn update(tx: &mut Tx<'_>, order: &Order) -> Result<()> {
    let missing = order.missing.to_string();
    tx.execute(
        "UPDATE orders SET status = $2, missing = $3, reminded_at = $4, events = $5, next_at = $6, \
         updated_at = $7, deadline = $8, reinstated_at = $9, ended_in_shop = $10 WHERE id = $1",
        &[
            order.id.into(),
            order.status.as_str().into(),
            missing.as_str().into(),
            order.reminded_at.into(),
            order.events.into(),
            order.next_at.into(),
            order.updated_at.into(),
            order.deadline.into(),
            order.reinstated_at.into(),
            order.ended_in_shop.into(),
        ],
    )
    .await
    .map(drop)
}

/// Gives an order that was locked before to the customer that it names now, under the new name of its
/// row; its timeline goes along. Whoever knows the row by its former name knows nothing any more.
///
/// # Errors
/// Those of the database.
pub async fn readdress(tx: &mut Tx<'_>, former: Uuid, order: &Order) -> Result<()> {
    tx.execute(
        "UPDATE orders SET id = $2, email_index = $3, data_key = $4 WHERE id = $1",
        &[
            former.into(),
            order.id.into(),
            order.email_index.as_bytes().into(),
            order.data_key.into(),
        ],
    )
    .await?;
    let events = "UPDATE order_events SET order_row = $2 WHERE order_row = $1";
    let values = [former.into(), order.id.into()];
    tx.execute(events, &values).await.map(drop)
}

/// Finds an order and locks it.
///
/// # Errors
/// Those of the database.
pub async fn find_for_update(
    tx: &mut Tx<'_>,
    company_id: &str,
    order_id: &str,
) -> Result<Option<Order>> {
    let sql = concat!(
        "SELECT ",
        columns!(),
        " FROM orders o WHERE o.company_id = $1 AND o.order_id = $2 FOR UPDATE"
    );
    let row = tx.find(sql, &[company_id.into(), order_id.into()]).await?;
    row.as_ref().map(order).transpose()
}

/// Which orders of a customer (`$1`, `$2`) a change of proofs can still change: those that are held, and,
/// when a proof is given (`$3`), those that have expired. What is late waits for a person, whatever is
/// proven.
macro_rules! changeable {
    () => {
        "company_id = $1 AND email_index = $2 AND status IN ('held', 'expired', 'late') \
         AND (status = 'held' OR ($3 AND status = 'expired'))"
    };
}

/// At most `count` orders of a customer that a change of proofs can still change, locked: those that are
/// held and then, when a proof is `given`, those that have expired, the oldest of each first.
///
/// # Errors
/// Those of the database.
pub async fn list_changeable_for_update(
    tx: &mut Tx<'_>,
    company_id: &str,
    email_index: BlindIndex,
    given: bool,
    count: i64,
) -> Result<Vec<Order>> {
    // Of these words `held` is the last.
    let sql = concat!(
        "SELECT ",
        columns!(),
        " FROM orders o WHERE ",
        changeable!(),
        " ORDER BY status DESC, id LIMIT $4 FOR UPDATE"
    );
    let values = [
        company_id.into(),
        email_index.as_bytes().into(),
        given.into(),
        count.into(),
    ];
    tx.query(sql, &values).await?.iter().map(order).collect()
}

/// Has the next sweep look at all of them, but for those that are written later in the same transaction.
///
/// # Errors
/// Those of the database.
pub async fn make_changeable_due(
    tx: &mut Tx<'_>,
    company_id: &str,
    email_index: BlindIndex,
    given: bool,
    now: Timestamp,
) -> Result<()> {
    let sql = concat!("UPDATE orders SET next_at = $4 WHERE ", changeable!());
    let values = [
        company_id.into(),
        email_index.as_bytes().into(),
        given.into(),
        now.into(),
    ];
    tx.execute(sql, &values).await.map(drop)
}

/// The orders of a customer that are open, locked, the oldest first.
///
/// # Errors
/// Those of the database.
pub async fn list_open_for_update(
    tx: &mut Tx<'_>,
    company_id: &str,
    email_index: BlindIndex,
) -> Result<Vec<Order>> {
    let sql = concat!(
        "SELECT ",
        columns!(),
        " FROM orders o WHERE o.company_id = $1 AND o.email_index = $2 \
         AND o.status IN ('held', 'expired', 'late') ORDER BY o.id FOR UPDATE"
    );
    let values = [company_id.into(), email_index.as_bytes().into()];
    tx.query(sql, &values).await?.iter().map(order).collect()
}

/// The shop's numbers of a customer's orders that are open, the newest `count` of them, the oldest
/// first.
///
/// # Errors
/// Those of the database.
pub async fn list_open_names(
    tx: &mut Tx<'_>,
    company_id: &str,
    email_index: BlindIndex,
    count: i64,
) -> Result<Vec<String>> {
    let rows = tx
        .query(
            "SELECT o.order_id FROM orders o WHERE o.company_id = $1 AND o.email_index = $2 \
             AND o.status IN ('held', 'expired', 'late') ORDER BY o.id DESC LIMIT $3",
            &[
                company_id.into(),
                email_index.as_bytes().into(),
                count.into(),
            ],
        )
        .await?;
    let names = rows.iter().rev();
    names.map(|row| row.text(0, "orders.order_id")).collect()
}

macro_rules! with_customer {
    () => {
        concat!(
            "SELECT ",
            columns!(),
            ", ",
            standing_columns!(),
            ", c.updated_at, c.age_verified_until FROM orders o \
             LEFT JOIN customer_verification c \
             ON c.company_id = o.company_id AND c.email_index = o.email_index "
        )
    };
}

fn with_customer(row: &Row) -> Result<WithCustomer> {
    let is_known = row.find_bool(ORDER, "customer_verification.veriff_approved")?;
    Ok(WithCustomer {
        order: order(row)?,
        customer: is_known
            .map(|_| customers::found_at(row, ORDER))
            .transpose()?,
    })
}

/// Finds an order of a company.
///
/// # Errors
/// Those of the database.
pub async fn find(
    tx: &mut Tx<'_>,
    company_id: &str,
    order_id: &str,
) -> Result<Option<WithCustomer>> {
    let sql = concat!(
        with_customer!(),
        "WHERE o.company_id = $1 AND o.order_id = $2"
    );
    let row = tx.find(sql, &[company_id.into(), order_id.into()]).await?;
    row.as_ref().map(with_customer).transpose()
}

/// Finds an order by the name of its row.
///
/// # Errors
/// Those of the database.
pub async fn find_by_id(tx: &mut Tx<'_>, id: Uuid) -> Result<Option<WithCustomer>> {
    let sql = concat!(with_customer!(), "WHERE o.id = $1");
    let row = tx.find(sql, &[id.into()]).await?;
    row.as_ref().map(with_customer).transpose()
}

/// At most `count` orders of a company that come after `after`, the last placed first.
///
/// # Errors
/// Those of the database.
pub async fn list(
    tx: &mut Tx<'_>,
    company_id: &str,
    status: Option<Status>,
    after: Position,
    count: i64,
) -> Result<Vec<WithCustomer>> {
    // Two texts, so that each walks the index that is made for it.
    const ALL: &str = concat!(
        with_customer!(),
        "WHERE o.company_id = $1 AND (o.placed_at, o.id) < ($2, $3) \
         ORDER BY o.placed_at DESC, o.id DESC LIMIT $4"
    );
    const OF_STATUS: &str = concat!(
        with_customer!(),
        "WHERE o.company_id = $1 AND (o.placed_at, o.id) < ($2, $3) AND o.status = $5 \
         ORDER BY o.placed_at DESC, o.id DESC LIMIT $4"
    );
    let (placed_at, id) = (after.placed_at.into(), after.id.into());
    let rows = match status {
        None => {
            let values = [company_id.into(), placed_at, id, count.into()];
            tx.query(ALL, &values).await?
        }
        Some(status) => {
            let status = status.as_str().into();
            let values = [company_id.into(), placed_at, id, count.into(), status];
            tx.query(OF_STATUS, &values).await?
        }
    };
    rows.iter().map(with_customer).collect()
}

/// A customer's orders, the last placed first; at most `count`.
///
/// # Errors
/// Those of the database.
pub async fn list_of_customer(
    tx: &mut Tx<'_>,
    company_id: &str,
    email_index: BlindIndex,
    count: i64,
) -> Result<Vec<WithCustomer>> {
    // With the sign before it the time is no column of the index by time: SQLite would walk all orders of
    // the company along that one, so as not to sort the few of this customer.
    let sql = concat!(
        with_customer!(),
        "WHERE o.company_id = $1 AND o.email_index = $2 \
         ORDER BY +o.placed_at DESC, o.id DESC LIMIT $3"
    );
    let values = [
        company_id.into(),
        email_index.as_bytes().into(),
        count.into(),
    ];
    tx.query(sql, &values)
        .await?
        .iter()
        .map(with_customer)
        .collect()
}

/// How many orders are held.
///
/// # Errors
/// Those of the database.
pub async fn count_held(tx: &mut Tx<'_>) -> Result<i64> {
    // Something is to happen by itself to every order that is held, and to few others.
    let sql = "SELECT COUNT(*) FROM orders WHERE next_at IS NOT NULL AND status = 'held'";
    let row = tx.find(sql, &[]).await?;
    row.map_or(Ok(0), |row| row.int(0, "orders.count"))
}

/// The data key of an order's customer; `None` once it is destroyed, or without such an order.
///
/// # Errors
/// Those of the database.
pub async fn find_key(
    tx: &mut Tx<'_>,
    company_id: &str,
    order: Uuid,
) -> Result<Option<WrappedKey>> {
    let sql = "SELECT k.id, k.master_key, k.wrapped FROM orders o \
               JOIN data_keys k ON k.id = o.data_key WHERE o.id = $1 AND o.company_id = $2";
    let found = tx.find(sql, &[order.into(), company_id.into()]).await?;
    found.as_ref().map(data_keys::from_row).transpose()
}
