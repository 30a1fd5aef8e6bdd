//! Orders, and what each of them waits for.
//!
//! Every order of a customer is changed in the lane of the customer's e-mail index: units of one
//! transaction, which no row lock keeps apart, never meet in an order.

use domain::order::{Missing, Status};
use domain::seal::BlindIndex;
use jiff::Timestamp;
use uuid::Uuid;

use super::customers::{self, standing_columns};
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
    /// How many steps of the schedule are done with.
    pub steps: u32,
    /// How many events its timeline has.
    pub events: i64,
    /// When something is to happen to it by itself.
    pub next_at: Option<Timestamp>,
    /// When we heard of it.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
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
         o.placed_at, o.deadline, o.steps, o.events, o.next_at, o.created_at, o.updated_at"
    };
}

/// How many columns an order has.
const ORDER: usize = 15;

fn order(row: &Row) -> Result<Order> {
    const INDEX: &str = "orders.email_index";
    const STATUS: &str = "orders.status";
    const MISSING: &str = "orders.missing";
    const STEPS: &str = "orders.steps";
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
        steps: u32::try_from(row.int(10, STEPS)?)
            .map_err(|_| Error::corrupt(STEPS, "out of range"))?,
        events: row.int(11, "orders.events")?,
        next_at: row.find_time(12, "orders.next_at")?,
        created_at: row.time(13, "orders.created_at")?,
        updated_at: row.time(14, "orders.updated_at")?,
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
             missing, placed_at, deadline, steps, events, next_at, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) \
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
                i64::from(order.steps).into(),
                order.events.into(),
                order.next_at.into(),
                order.created_at.into(),
                order.updated_at.into(),
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
        "UPDATE orders SET status = $2, missing = $3, steps = $4, events = $5, next_at = $6, \
         updated_at = $7 WHERE id = $1",
        &[
            order.id.into(),
            order.status.as_str().into(),
            missing.as_str().into(),
            i64::from(order.steps).into(),
            order.events.into(),
            order.next_at.into(),
            order.updated_at.into(),
        ],
    )
    .await
    .map(drop)
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

/// The orders of a customer that proofs still matter to, locked, the oldest first.
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
    tx.query(sql, &[company_id.into(), email_index.as_bytes().into()])
        .await?
        .iter()
        .map(order)
        .collect()
}

macro_rules! due {
    () => {
        concat!(
            "SELECT ",
            columns!(),
            " FROM orders o WHERE o.next_at <= $1 ORDER BY o.next_at LIMIT $2"
        )
    };
}

/// Up to `count` orders to which something is to happen by now, the longest due first, locked;
/// those that another transaction has locked are left to it.
///
/// # Errors
/// Those of the database.
pub async fn list_due_for_update(
    tx: &mut Tx<'_>,
    now: Timestamp,
    count: i64,
) -> Result<Vec<Order>> {
    let sql = match tx {
        Tx::Sqlite(_) => due!(),
        Tx::Postgres(_) => concat!(due!(), " FOR UPDATE SKIP LOCKED"),
    };
    tx.query(sql, &[now.into(), count.into()])
        .await?
        .iter()
        .map(order)
        .collect()
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

/// How many orders are held.
///
/// # Errors
/// Those of the database.
pub async fn count_held(tx: &mut Tx<'_>) -> Result<i64> {
    // Something is to happen to an order by itself exactly while it is held.
    let sql = "SELECT COUNT(*) FROM orders WHERE next_at IS NOT NULL";
    let row = tx.find(sql, &[]).await?;
    row.map_or(Ok(0), |row| row.int(0, "orders.count"))
}
