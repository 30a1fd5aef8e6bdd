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
    /// The keyed hash of the number of one without an address.
    pub phone_index: Option<BlindIndex>,
    /// The edition of what Square says of it.
    pub edition: Edition,
    /// Whether it is there, and whom it is merged into.
    pub life: Life,
    /// What Square was told to show last.
    pub shown: Option<String>,
}

impl SquareCustomer {
    /// One of whom nothing is known yet.
    #[must_use]
    pub fn unknown(company_id: &str, square_index: BlindIndex) -> Self {
        Self {
            company_id: company_id.to_owned(),
            square_index,
            data_key: None,
            contact: None,
            subject_index: None,
            phone_index: None,
            edition: Edition::default(),
            life: Life::default(),
            shown: None,
        }
    }

    /// Who it is, as far as it says.
    #[must_use]
    pub const fn owner(&self) -> Owner {
        match (self.subject_index, self.phone_index) {
            (Some(subject), _) => Owner::Address(subject),
            (None, Some(phone)) => Owner::Number(phone),
            (None, None) => Owner::Nobody,
        }
    }
}

/// Who a customer of Square is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// Whoever has this address.
    Address(BlindIndex),
    /// The only customer with this number.
    Number(BlindIndex),
    /// It says nothing that could tell.
    Nobody,
}

macro_rules! columns {
    () => {
        "c.company_id, c.square_index, c.data_key, c.contact, c.subject_index, c.phone_index, \
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
    let merged_at = row.find_time(10, "square_customers.merged_at")?;
    let into = index(row, 11, "square_customers.merged_into")?;
    Ok(SquareCustomer {
        company_id: row.text(0, "square_customers.company_id")?,
        square_index: index(row, 1, INDEX)?.ok_or_else(|| Error::corrupt(INDEX, "missing"))?,
        data_key: row.find_uuid(2, "square_customers.data_key")?,
        contact: row.find_bytes(3, "square_customers.contact")?,
        subject_index: index(row, 4, "square_customers.subject_index")?,
        phone_index: index(row, 5, "square_customers.phone_index")?,
        edition: Edition {
            version: row.find_int(6, "square_customers.version")?,
            updated_at: row.find_time(7, "square_customers.changed_at")?,
        },
        life: Life {
            ended_at: row.find_time(8, "square_customers.ended_at")?,
            recovered_at: row.find_time(9, "square_customers.recovered_at")?,
            merge: merged_at.zip(into).map(|(at, into)| Merge { at, into }),
        },
        shown: row.find_text(12, "square_customers.shown")?,
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
    let (subject, phone) = (bytes(&known.subject_index), bytes(&known.phone_index));
    let merge = known.life.merge;
    let into = merge.map(|merge| *merge.into.as_bytes());
    let holder = bytes(&known.life.merged_into());
    tx.execute(
        "UPDATE square_customers SET data_key = $3, contact = $4, subject_index = $5, \
         phone_index = $6, version = $7, changed_at = $8, is_there = $9, ended_at = $10, \
         recovered_at = $11, merged_at = $12, merged_into = $13, holder_index = $14, \
         updated_at = $15 WHERE company_id = $1 AND square_index = $2",
        &[
            known.company_id.as_str().into(),
            known.square_index.as_bytes().into(),
            known.data_key.into(),
            known.contact.as_deref().into(),
            subject.as_ref().map(<[u8; 16]>::as_slice).into(),
            phone.as_ref().map(<[u8; 16]>::as_slice).into(),
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

/// The condition for being the customer with an address (`$2`), or a number and no address (`$3`).
macro_rules! is_the_customer {
    () => {
        "c.company_id = $1 AND (c.subject_index = $2 OR c.phone_index = $3)"
    };
}

fn of_customer<'a>(
    company_id: &'a str,
    email_index: &'a BlindIndex,
    phone_index: Option<&'a BlindIndex>,
) -> [Value<'a>; 3] {
    let phone = phone_index.map(|index| index.as_bytes().as_slice());
    [
        company_id.into(),
        email_index.as_bytes().into(),
        phone.into(),
    ]
}

/// Everybody at Square who is tied to a customer, and is there.
///
/// # Errors
/// Those of the database.
pub async fn list_of_customer(
    tx: &mut Tx<'_>,
    company_id: &str,
    email_index: BlindIndex,
    phone_index: Option<BlindIndex>,
) -> Result<Vec<SquareCustomer>> {
    const LIST: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM square_customers c WHERE ",
        is_the_customer!(),
        " AND c.is_there ORDER BY c.square_index"
    );
    let values = of_customer(company_id, &email_index, phone_index.as_ref());
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
    phone_index: Option<BlindIndex>,
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
    let values = of_customer(company_id, &email_index, phone_index.as_ref());
    tx.query(LIST, &values)
        .await?
        .iter()
        .map(customer)
        .collect()
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
    phone_index: Option<BlindIndex>,
) -> Result<Vec<SquareCustomer>> {
    const LIST: &str = concat!(
        "WITH RECURSIVE line (square_index) AS (\
         SELECT c.square_index FROM square_customers c WHERE ",
        is_the_customer!(),
        " UNION SELECT c.square_index FROM square_customers c \
         JOIN line ON c.holder_index = line.square_index \
         WHERE c.company_id = $1 AND c.merged_into IS NOT NULL) SELECT ",
        columns!(),
        " FROM square_customers c JOIN line ON c.square_index = line.square_index \
         WHERE c.company_id = $1 ORDER BY c.square_index"
    );
    let values = of_customer(company_id, &email_index, phone_index.as_ref());
    tx.query(LIST, &values)
        .await?
        .iter()
        .map(customer)
        .collect()
}

/// The customer who is somebody at Square; `None` when there is none, or when the number leads to
/// several.
///
/// # Errors
/// Those of the database.
pub async fn find_owner(
    tx: &mut Tx<'_>,
    company_id: &str,
    owner: Owner,
) -> Result<Option<BlindIndex>> {
    const INDEX: &str = "customer_verification.email_index";
    let phone = match owner {
        Owner::Address(subject) => return Ok(Some(subject)),
        Owner::Nobody => return Ok(None),
        Owner::Number(phone) => phone,
    };
    let found = tx
        .query(
            "SELECT email_index FROM customer_verification \
             WHERE company_id = $1 AND phone_index = $2 LIMIT 2",
            &[company_id.into(), phone.as_bytes().into()],
        )
        .await?;
    match found.as_slice() {
        [only] => index(only, 0, INDEX),
        _ => Ok(None),
    }
}

/// A customer's number, by which somebody at Square may be tied to them.
///
/// # Errors
/// Those of the database.
pub async fn find_number(
    tx: &mut Tx<'_>,
    company_id: &str,
    email_index: BlindIndex,
) -> Result<Option<BlindIndex>> {
    let found = tx
        .find(
            "SELECT phone_index FROM customer_verification \
             WHERE company_id = $1 AND email_index = $2",
            &[company_id.into(), email_index.as_bytes().into()],
        )
        .await?;
    found.map_or(Ok(None), |row| {
        index(&row, 0, "customer_verification.phone_index")
    })
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
