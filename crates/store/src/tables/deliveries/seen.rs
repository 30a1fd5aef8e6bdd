//! A company's deliveries as its staff see them: listed along an index, whatever their number.

use domain::seal::WrappedKey;
use uuid::Uuid;

use super::{Listed, Status, listed};
use crate::tables::data_keys;
use crate::{Readable, Result, Row, Tx};

/// A delivery, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The delivery.
    pub delivery: Listed,
    /// In whose line it waits, or waited: `webhook:acme`.
    pub receiver: String,
}

macro_rules! select {
    () => {
        "SELECT id, company_id, topic, status, attempts, outcome, created_at, due_at, finished_at, \
         receiver FROM deliveries WHERE company_id = $1 "
    };
}

macro_rules! page {
    ($which:literal) => {
        concat!(select!(), $which, "AND id < $2 ORDER BY id DESC LIMIT $3")
    };
}

/// At most `count` deliveries of a company that were enqueued before one, the newest first.
///
/// # Errors
/// Those of the database.
pub async fn list_of_company(
    tx: &mut Tx<'_>,
    company_id: &str,
    status: Option<Status>,
    before: Option<Uuid>,
    count: i64,
) -> Result<Readable<Seen>> {
    // A status stands in the text, so that each walks the index that is made for it.
    let sql = match status {
        None => page!(""),
        Some(Status::Waiting) => page!("AND status = 'waiting' "),
        Some(Status::Delivered) => page!("AND status = 'delivered' "),
        Some(Status::Exhausted) => page!("AND status = 'exhausted' "),
    };
    let before = before.unwrap_or(Uuid::max());
    let values = [company_id.into(), before.into(), count.into()];
    Readable::read(&tx.query(sql, &values).await?, "deliveries", seen)
}

/// One delivery of a company.
///
/// # Errors
/// Those of the database.
pub async fn find_of_company(tx: &mut Tx<'_>, company_id: &str, id: Uuid) -> Result<Option<Seen>> {
    let sql = concat!(select!(), "AND id = $2");
    let row = tx.find(sql, &[company_id.into(), id.into()]).await?;
    row.as_ref().map(seen).transpose()
}

/// What is in a delivery of a company, sealed, and the key; `None` when there is no such delivery, or
/// its key is destroyed.
///
/// # Errors
/// Those of the database.
pub async fn find_sealed(
    tx: &mut Tx<'_>,
    company_id: &str,
    id: Uuid,
) -> Result<Option<(WrappedKey, Vec<u8>)>> {
    let row = tx
        .find(
            "SELECT d.payload, k.id, k.master_key, k.wrapped FROM deliveries d \
             JOIN data_keys k ON k.id = d.data_key WHERE d.company_id = $1 AND d.id = $2",
            &[company_id.into(), id.into()],
        )
        .await?;
    row.map(|row| {
        let key = data_keys::from_row_at(&row, 1)?;
        Ok((key, row.bytes(0, "deliveries.payload")?))
    })
    .transpose()
}

fn seen(row: &Row) -> Result<Seen> {
    Ok(Seen {
        delivery: listed(row)?,
        receiver: row.text(9, "deliveries.receiver")?,
    })
}
