//! Customers of Square: what ties each to a customer, whether it is there, and whom it is merged
//! into.
//!
//! A row is known by the keyed hash of Square's id. Its edition and its life are those of the domain;
//! what follows from them is written beside them, so that statements can look for it.

use domain::seal::BlindIndex;
use domain::square::{Edition, Life, Merge};
use jiff::Timestamp;
use uuid::Uuid;

use crate::{Error, Result, Row, Tx, Value};

/// A customer of Square.
#[derive(Debug, Clone)]
pub struct SquareCustomer {
    /// Whose.
    pub company_id: String,
    /// The keyed hash of Square's id.
    pub square_index: BlindIndex,
    /// The key of the row, once it has something sealed.
    pub data_key: Option<Uuid>,
    /// The sealed id and address.
    pub contact: Option<Vec<u8>>,
    /// The keyed hash of the address.
    pub subject_index: Option<BlindIndex>,
    /// The edition of what Square says of it.
    pub edition: Edition,
    /// Whether it is there, and whom it is merged into.
    pub life: Life,
    /// What Square was told to show last.
    pub shown: Option<String>,
}

macro_rules! columns {
    () => {
        "c.company_id, c.square_index, c.data_key, c.contact, c.subject_index, \
         c.version, c.changed_at, c.ended_at, c.recovered_at, c.merged_at, c.merged_into, c.shown"
    };
}

fn index(row: &Row, at: usize, name: &str) -> Result<Option<BlindIndex>> {
    let bytes = row.find_bytes(at, name)?;
    bytes
        .map(|bytes| {
            BlindIndex::from_bytes(&bytes).ok_or_else(|| Error::corrupt(name, "wrong length"))
        })
        .transpose()
}

fn customer(row: &Row) -> Result<SquareCustomer> {
    const INDEX: &str = "square_customers.square_index";
    let merged_at = row.find_time(9, "square_customers.merged_at")?;
    let into = index(row, 10, "square_customers.merged_into")?;
    Ok(SquareCustomer {
        company_id: row.text(0, "square_customers.company_id")?,
        square_index: index(row, 1, INDEX)?.ok_or_else(|| Error::corrupt(INDEX, "missing"))?,
        data_key: row.find_uuid(2, "square_customers.data_key")?,
        contact: row.find_bytes(3, "square_customers.contact")?,
        subject_index: index(row, 4, "square_customers.subject_index")?,
        edition: Edition {
            version: row.find_int(5, "square_customers.version")?,
            updated_at: row.find_time(6, "square_customers.changed_at")?,
        },
        life: Life {
            ended_at: row.find_time(7, "square_customers.ended_at")?,
            recovered_at: row.find_time(8, "square_customers.recovered_at")?,
            merge: merged_at.zip(into).map(|(at, into)| Merge { at, into }),
        },
        shown: row.find_text(11, "square_customers.shown")?,
    })
}

/// A customer of Square.
///
/// # Errors
/// Those of the database.
pub async fn find(
    tx: &mut Tx<'_>,
    company_id: &str,
    square_index: BlindIndex,
) -> Result<Option<SquareCustomer>> {
    const FIND: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM square_customers c WHERE c.company_id = $1 AND c.square_index = $2"
    );
    let values: [Value<'_>; 2] = [company_id.into(), square_index.as_bytes().into()];
    let found = tx.find(FIND, &values).await?;
    found.as_ref().map(customer).transpose()
}

/// A customer of Square, locked.
///
/// # Errors
/// Those of the database.
pub async fn find_for_update(
    tx: &mut Tx<'_>,
    company_id: &str,
    square_index: BlindIndex,
) -> Result<Option<SquareCustomer>> {
    const FIND: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM square_customers c WHERE c.company_id = $1 AND c.square_index = $2 FOR UPDATE"
    );
    let values: [Value<'_>; 2] = [company_id.into(), square_index.as_bytes().into()];
    let found = tx.find(FIND, &values).await?;
    found.as_ref().map(customer).transpose()
}

/// Inserts a customer of Square of whom nothing is known, unless there is one.
///
/// # Errors
/// Those of the database.
pub async fn make_sure(
    tx: &mut Tx<'_>,
    company_id: &str,
    square_index: BlindIndex,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        "INSERT INTO square_customers (company_id, square_index, is_there, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $4) ON CONFLICT DO NOTHING",
        &[
            company_id.into(),
            square_index.as_bytes().into(),
            true.into(),
            now.into(),
        ],
    )
    .await
    .map(drop)
}

/// Writes what is known of a customer of Square, who is locked; not what Square shows of it.
///
/// # Errors
/// Those of the database.
pub async fn update(tx: &mut Tx<'_>, known: &SquareCustomer, now: Timestamp) -> Result<()> {
    let bytes = |index: &Option<BlindIndex>| index.map(|index| *index.as_bytes());
    let subject = bytes(&known.subject_index);
    let merge = known.life.merge;
    let into = merge.map(|merge| *merge.into.as_bytes());
    let holder = bytes(&known.life.merged_into());
    tx.execute(
        "UPDATE square_customers SET data_key = $3, contact = $4, subject_index = $5, \
         version = $6, changed_at = $7, is_there = $8, ended_at = $9, recovered_at = $10, \
         merged_at = $11, merged_into = $12, holder_index = $13, updated_at = $14 WHERE company_id = $1 AND square_index = $2",
        &[
            known.company_id.as_str().into(),
            known.square_index.as_bytes().into(),
            known.data_key.into(),
            known.contact.as_deref().into(),
            subject.as_ref().map(<[u8; 16]>::as_slice).into(),
            known.edition.version.into(),
            known.edition.updated_at.into(),
            known.life.is_there().into(),
            known.life.ended_at.into(),
            known.life.recovered_at.into(),
            merge.map(|merge| merge.at).into(),
            into.as_ref().map(<[u8; 16]>::as_slice).into(),
            holder.as_ref().map(<[u8; 16]>::as_slice).into(),
            now.into(),
        ],
    )
    .await
    .map(drop)
}

/// Notes what Square was told to show.
///
/// # Errors
/// Those of the database.
pub async fn set_shown(
    tx: &mut Tx<'_>,
    company_id: &str,
    square_index: BlindIndex,
    shown: &str,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        "UPDATE square_customers SET shown = $3, updated_at = $4 \
         WHERE company_id = $1 AND square_index = $2",
        &[
            company_id.into(),
            square_index.as_bytes().into(),
            shown.into(),
            now.into(),
        ],
    )
    .await
    .map(drop)
}

/// Whether a customer of Square was ever merged into another, or another into it.
///
/// # Errors
/// Those of the database.
pub async fn is_of_a_merge(
    tx: &mut Tx<'_>,
    company_id: &str,
    square_index: BlindIndex,
) -> Result<bool> {
    let found = tx
        .find(
            "SELECT 1 FROM square_customers WHERE company_id = $1 \
             AND (square_index = $2 AND merged_into IS NOT NULL OR merged_into = $2) LIMIT 1",
            &[company_id.into(), square_index.as_bytes().into()],
        )
        .await?;
    Ok(found.is_some())
}

/// The condition for being the customer with an address (`$2`). A number ties nobody: anybody can
/// type one at a checkout.
macro_rules! is_the_customer {
    () => {
        "c.company_id = $1 AND c.subject_index = $2"
    };
}

/// Everybody at Square who is tied to a customer, and is there.
///
/// # Errors
/// Those of the database.
pub async fn list_of_customer(
    tx: &mut Tx<'_>,
    company_id: &str,
    email_index: BlindIndex,
) -> Result<Vec<SquareCustomer>> {
    const LIST: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM square_customers c WHERE ",
        is_the_customer!(),
        " AND c.is_there ORDER BY c.square_index"
    );
    let values = [company_id.into(), email_index.as_bytes().into()];
    tx.query(LIST, &values)
        .await?
        .iter()
        .map(customer)
        .collect()
}

/// Those at Square into whom a customer's were merged, one merge behind the other, themselves
/// included.
///
/// # Errors
/// Those of the database.
pub async fn list_holders(
    tx: &mut Tx<'_>,
    company_id: &str,
    email_index: BlindIndex,
) -> Result<Vec<SquareCustomer>> {
    const LIST: &str = concat!(
        "WITH RECURSIVE line (square_index, holder_index) AS (\
         SELECT c.square_index, c.holder_index FROM square_customers c WHERE ",
        is_the_customer!(),
        " UNION SELECT c.square_index, c.holder_index FROM square_customers c \
         JOIN line ON c.square_index = line.holder_index WHERE c.company_id = $1) SELECT ",
        columns!(),
        " FROM square_customers c JOIN line ON c.square_index = line.square_index \
         WHERE c.company_id = $1 ORDER BY c.square_index"
    );
    let values = [company_id.into(), email_index.as_bytes().into()];
    tx.query(LIST, &values)
        .await?
        .iter()
        .map(customer)
        .collect()
}

/// The customers who are tied to one of Square or to whom it was merged into, one merge behind the
/// other.
///
/// # Errors
/// Those of the database.
pub async fn list_owners(
    tx: &mut Tx<'_>,
    company_id: &str,
    square_index: BlindIndex,
) -> Result<Vec<BlindIndex>> {
    let rows = tx
        .query(
            "WITH RECURSIVE line (square_index, holder_index, subject_index) AS (\
             SELECT c.square_index, c.holder_index, c.subject_index FROM square_customers c \
             WHERE c.company_id = $1 AND c.square_index = $2 UNION \
             SELECT c.square_index, c.holder_index, c.subject_index FROM square_customers c \
             JOIN line ON c.square_index = line.holder_index WHERE c.company_id = $1) \
             SELECT subject_index FROM line WHERE subject_index IS NOT NULL",
            &[company_id.into(), square_index.as_bytes().into()],
        )
        .await?;
    let owners = rows
        .iter()
        .map(|row| index(row, 0, "square_customers.subject_index").transpose());
    owners.flatten().collect()
}

/// Those at Square who were merged into a customer's, one merge behind the other, those themselves
/// included.
///
/// # Errors
/// Those of the database.
pub async fn list_merged(
    tx: &mut Tx<'_>,
    company_id: &str,
    email_index: BlindIndex,
) -> Result<Vec<SquareCustomer>> {
    const LIST: &str = concat!(
        "WITH RECURSIVE line (square_index) AS (\
         SELECT c.square_index FROM square_customers c WHERE ",
        is_the_customer!(),
        " UNION SELECT c.square_index FROM square_customers c \
         JOIN line ON c.holder_index = line.square_index \
         WHERE c.company_id = $1 AND c.merged_into IS NOT NULL) SELECT ",
        columns!(),
        " FROM square_customers c WHERE c.company_id = $1 \
         AND c.square_index IN (SELECT square_index FROM line) ORDER BY c.square_index"
    );
    let values = [company_id.into(), email_index.as_bytes().into()];
    tx.query(LIST, &values)
        .await?
        .iter()
        .map(customer)
        .collect()
}

/// At most `count` customers of Square who went before a time and of whom there is something left to
/// forget, locked; what others have locked is waited for.
///
/// # Errors
/// Those of the database.
pub async fn list_gone_for_update(
    tx: &mut Tx<'_>,
    before: Timestamp,
    count: i64,
) -> Result<Vec<SquareCustomer>> {
    const LIST: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM square_customers c WHERE c.ended_at < $1 AND NOT c.is_there \
         AND (c.data_key IS NOT NULL OR c.merged_into IS NULL AND NOT EXISTS (\
         SELECT 1 FROM square_customers m WHERE m.company_id = c.company_id \
         AND m.merged_into = c.square_index)) \
         ORDER BY c.company_id, c.square_index LIMIT $2 FOR UPDATE"
    );
    let values: [Value<'_>; 2] = [before.into(), count.into()];
    tx.query(LIST, &values)
        .await?
        .iter()
        .map(customer)
        .collect()
}

/// Forgets a customer of Square, who is locked.
///
/// # Errors
/// Those of the database.
pub async fn delete(tx: &mut Tx<'_>, company_id: &str, square_index: BlindIndex) -> Result<()> {
    let values: [Value<'_>; 2] = [company_id.into(), square_index.as_bytes().into()];
    tx.execute(
        "DELETE FROM square_customers WHERE company_id = $1 AND square_index = $2",
        &values,
    )
    .await
    .map(drop)
}

/// Whether a customer has proven their ID.
///
/// # Errors
/// Those of the database.
pub async fn has_id(tx: &mut Tx<'_>, company_id: &str, email_index: BlindIndex) -> Result<bool> {
    let found = tx
        .find(
            "SELECT veriff_approved FROM customer_verification \
             WHERE company_id = $1 AND email_index = $2",
            &[company_id.into(), email_index.as_bytes().into()],
        )
        .await?;
    found.map_or(Ok(false), |row| {
        row.bool(0, "customer_verification.veriff_approved")
    })
}
