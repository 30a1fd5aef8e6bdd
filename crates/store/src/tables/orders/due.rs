//! Orders to which something is to happen by now, as whoever sweeps takes them.

use domain::seal::WrappedKey;
use jiff::Timestamp;
use uuid::Uuid;

use super::{Order, order};
use crate::tables::customers::{self, Found, standing_columns};
use crate::tables::data_keys;
use crate::{Readable, Result, Row, Tx};

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
) -> Result<Readable<Order>> {
    let sql = match tx {
        Tx::Sqlite(_) => due!(),
        Tx::Postgres(_) => concat!(due!(), " FOR UPDATE SKIP LOCKED"),
    };
    let rows = tx.query(sql, &[now.into(), count.into()]).await?;
    Readable::read(&rows, "orders", order)
}

/// Has an order looked at again at `at`, whatever else its row says.
///
/// # Errors
/// Those of the database.
pub async fn put_off(tx: &mut Tx<'_>, id: Uuid, at: Timestamp) -> Result<()> {
    let sql = "UPDATE orders SET next_at = $2 WHERE id = $1";
    tx.execute(sql, &[id.into(), at.into()]).await.map(drop)
}

/// Has every order that is held looked at by `now`; returns how many there are whose time had not
/// come.
///
/// # Errors
/// Those of the database.
pub async fn make_all_due(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64> {
    let sql = "UPDATE orders SET next_at = $1 WHERE next_at > $1";
    tx.execute(sql, &[now.into()]).await
}

/// Whom an order is about.
#[derive(Debug, Clone, Default)]
pub struct Subject {
    /// What the customer has proven; `None` when there is no such customer any more.
    pub customer: Option<Found>,
    /// The order's data key; `None` once it is destroyed.
    pub data_key: Option<WrappedKey>,
}

macro_rules! subject {
    () => {
        concat!(
            "SELECT o.id, k.id, k.master_key, k.wrapped, ",
            standing_columns!(),
            ", c.updated_at, c.age_verified_until FROM orders o \
             LEFT JOIN data_keys k ON k.id = o.data_key \
             LEFT JOIN customer_verification c \
             ON c.company_id = o.company_id AND c.email_index = o.email_index "
        )
    };
}

/// Where the columns of a customer begin.
const CUSTOMER: usize = 4;

fn subject(row: &Row) -> Result<(Uuid, Subject)> {
    let has_key = row.find_uuid(1, "data_keys.id")?.is_some();
    let is_known = row.find_bool(CUSTOMER, "customer_verification.veriff_approved")?;
    let subject = Subject {
        customer: is_known
            .map(|_| customers::found_at(row, CUSTOMER))
            .transpose()?,
        data_key: has_key
            .then(|| data_keys::from_row_at(row, 1))
            .transpose()?,
    };
    Ok((row.uuid(0, "orders.id")?, subject))
}

/// Whom these orders are about, in no order. They are to be locked before: whoever has changed a
/// customer meanwhile has then been waited for, or waits for the orders.
///
/// # Errors
/// Those of the database.
pub async fn list_subjects(tx: &mut Tx<'_>, orders: &[Uuid]) -> Result<Readable<(Uuid, Subject)>> {
    let rows: Vec<Row> = match tx {
        Tx::Sqlite(connection) => {
            const SQL: &str = concat!(subject!(), "WHERE o.id = $1");
            let look = |order: &Uuid| connection.query(SQL, &[(*order).into()]);
            let found: Result<Vec<_>> = orders.iter().map(look).collect();
            found?.into_iter().flatten().collect()
        }
        Tx::Postgres(connection) => {
            const SQL: &str = concat!(subject!(), "WHERE o.id = ANY($1)");
            let rows = connection.query_native(SQL, &[&orders]).await?;
            rows.into_iter().map(Row::Postgres).collect()
        }
    };
    Readable::read(&rows, "orders", subject)
}
