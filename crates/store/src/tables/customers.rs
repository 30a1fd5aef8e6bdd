//! Customers and their standing: one row per company and e-mail address.

use domain::seal::{BlindIndex, WrappedKey};
use domain::standing::{ProofState, Standing};
use jiff::Timestamp;
use uuid::Uuid;

use super::data_keys;
use crate::{Error, Result, Row, Tx};

mod look_up;
mod seen;

pub use look_up::{Key, Wanted};
pub(crate) use look_up::{postgres, sqlite};
pub use seen::{Piece, Seen, list_evidence, see};

/// What a look-up finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What is proven.
    pub standing: Standing,
    /// When anything of it last changed.
    pub updated_at: Timestamp,
    /// Until when the age verification holds that is linked to the customer.
    pub age_verified_until: Option<Timestamp>,
    /// Whether it was the phone number that led here.
    pub by_phone: bool,
}

/// A customer to be written.
#[derive(Debug, Clone)]
pub struct Customer<'a> {
    /// Whose customer.
    pub company_id: &'a str,
    /// The keyed hash of the e-mail address.
    pub email_index: BlindIndex,
    /// The person's data key.
    pub data_key: Uuid,
    /// The newest evidence.
    pub last_evidence: Uuid,
    /// The sealed e-mail address.
    pub email: &'a [u8],
    /// The phone number of a new customer.
    pub phone: Option<Phone<'a>>,
    /// When the newest change that named a phone number happened.
    pub phone_changed_at: Option<Timestamp>,
    /// What is proven.
    pub standing: &'a Standing,
    /// When the customer was first heard of.
    pub created_at: Timestamp,
    /// Now.
    pub updated_at: Timestamp,
}

/// A phone number to be written.
#[derive(Debug, Clone)]
pub struct Phone<'a> {
    /// The keyed hash of the number.
    pub index: BlindIndex,
    /// The sealed number.
    pub sealed: &'a [u8],
}

/// A customer as found for an update: locked until the transaction ends.
#[derive(Debug, Clone)]
pub struct ForUpdate {
    /// What is proven so far.
    pub standing: Standing,
    /// When the newest change that named a phone number happened.
    pub phone_changed_at: Option<Timestamp>,
    /// The person's data key.
    pub data_key: WrappedKey,
    /// The newest evidence.
    pub last_evidence: Uuid,
    /// The keyed hash of the phone number.
    pub phone_index: Option<BlindIndex>,
    /// Until when the age verification holds that is linked to the customer.
    pub age_verified_until: Option<Timestamp>,
}

/// The columns of a standing.
macro_rules! standing_columns {
    () => {
        "c.veriff_approved, c.veriff_date, c.veriff_changed_at, c.membership_signed, \
         c.membership_date, c.membership_changed_at, c.email_optin, c.optin_date, \
         c.optin_changed_at"
    };
}

pub(super) use standing_columns;

/// How many columns a standing has, and how many a look-up.
const STANDING: usize = 9;
pub(super) const FOUND: usize = STANDING + 2;

fn standing(row: &Row) -> Result<Standing> {
    standing_at(row, 0)
}

fn standing_at(row: &Row, first: usize) -> Result<Standing> {
    let proof = |at: usize, name: &str| -> Result<ProofState> {
        let at = first + at;
        Ok(ProofState {
            given: row.bool(at, name)?,
            date: row.find_time(at + 1, name)?,
            occurred_at: row.find_time(at + 2, name)?,
        })
    };
    Ok(Standing {
        veriff: proof(0, "customer_verification.veriff_*")?,
        membership: proof(3, "customer_verification.membership_*")?,
        email_optin: proof(6, "customer_verification.optin_*")?,
    })
}

fn found(row: &Row) -> Result<Found> {
    found_at(row, 0)
}

/// Reads the columns of a look-up from `first` on.
pub(super) fn found_at(row: &Row, first: usize) -> Result<Found> {
    let after = first + STANDING;
    Ok(Found {
        standing: standing_at(row, first)?,
        updated_at: row.time(after, "customer_verification.updated_at")?,
        age_verified_until: row.find_time(after + 1, "customer_verification.age_verified_until")?,
        by_phone: false,
    })
}

/// A customer's sealed address beside the keyed hash it is looked up by.
#[derive(Debug, Clone)]
pub struct SealedAddress {
    /// Whose customer.
    pub company_id: String,
    /// The keyed hash of the e-mail address.
    pub email_index: BlindIndex,
    /// The sealed e-mail address.
    pub email: Vec<u8>,
    /// The person's data key.
    pub data_key: WrappedKey,
}

macro_rules! address {
    () => {
        "SELECT c.company_id, c.email_index, c.email, k.id, k.master_key, k.wrapped \
         FROM customer_verification c JOIN data_keys k ON k.id = c.data_key "
    };
}

fn address(row: &Row) -> Result<SealedAddress> {
    const INDEX: &str = "customer_verification.email_index";
    Ok(SealedAddress {
        company_id: row.text(0, "customer_verification.company_id")?,
        email_index: BlindIndex::from_bytes(&row.bytes(1, INDEX)?)
            .ok_or_else(|| Error::corrupt(INDEX, "wrong length"))?,
        email: row.bytes(2, "customer_verification.email")?,
        data_key: data_keys::from_row_at(row, 3)?,
    })
}

/// Any one customer, to try keys on; `None` while there is none.
///
/// # Errors
/// Those of the database.
pub async fn any_address(tx: &mut Tx<'_>) -> Result<Option<SealedAddress>> {
    let row = tx.find(concat!(address!(), "LIMIT 1"), &[]).await?;
    row.as_ref().map(address).transpose()
}

/// A customer's address; `None` when there is no such customer, or no key to open it.
///
/// # Errors
/// Those of the database.
pub async fn find_address(
    tx: &mut Tx<'_>,
    company_id: &str,
    email_index: BlindIndex,
) -> Result<Option<SealedAddress>> {
    let sql = concat!(address!(), "WHERE c.company_id = $1 AND c.email_index = $2");
    let row = tx
        .find(sql, &[company_id.into(), email_index.as_bytes().into()])
        .await?;
    row.as_ref().map(address).transpose()
}

/// Finds a customer and locks the row.
///
/// # Errors
/// Those of the database.
pub async fn find_for_update(
    tx: &mut Tx<'_>,
    company_id: &str,
    email_index: BlindIndex,
) -> Result<Option<ForUpdate>> {
    tx.find(
        concat!(
            "SELECT ",
            standing_columns!(),
            ", c.phone_changed_at, k.id, k.master_key, k.wrapped, c.last_evidence, \
             c.phone_index, c.age_verified_until FROM customer_verification c \
             JOIN data_keys k ON k.id = c.data_key \
             WHERE c.company_id = $1 AND c.email_index = $2 FOR UPDATE"
        ),
        &[company_id.into(), email_index.as_bytes().into()],
    )
    .await?
    .map(|row| {
        Ok(ForUpdate {
            standing: standing(&row)?,
            phone_changed_at: row.find_time(STANDING, "customer_verification.phone_changed_at")?,
            data_key: data_keys::from_row_at(&row, STANDING + 1)?,
            last_evidence: row.uuid(STANDING + 4, "customer_verification.last_evidence")?,
            phone_index: row
                .find_bytes(STANDING + 5, "customer_verification.phone_index")?
                .and_then(|bytes| BlindIndex::from_bytes(&bytes)),
            age_verified_until: row
                .find_time(STANDING + 6, "customer_verification.age_verified_until")?,
        })
    })
    .transpose()
}

/// A customer who has just been inserted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inserted {
    /// Until when an age proves the customer, which was linked to the address before anybody knew whose
    /// it is.
    pub age_verified_until: Option<Timestamp>,
}

/// Inserts a customer; `None` when another transaction was first. An age that was linked to the address
/// before counts at once.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx<'_>, customer: &Customer<'_>) -> Result<Option<Inserted>> {
    let Standing {
        veriff,
        membership,
        email_optin,
    } = customer.standing;
    let phone = customer.phone.as_ref();
    let inserted = tx
        .execute(
            "INSERT INTO customer_verification (company_id, email_index, data_key, \
             last_evidence, email, phone_index, phone, veriff_approved, veriff_date, veriff_changed_at, \
             membership_signed, membership_date, membership_changed_at, email_optin, optin_date, \
             optin_changed_at, created_at, updated_at, phone_changed_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, \
             $18, $19) ON CONFLICT DO NOTHING",
            &[
                customer.company_id.into(),
                customer.email_index.as_bytes().into(),
                customer.data_key.into(),
                customer.last_evidence.into(),
                customer.email.into(),
                phone.map(|phone| phone.index.as_bytes().as_slice()).into(),
                phone.map(|phone| phone.sealed).into(),
                veriff.given.into(),
                veriff.date.into(),
                veriff.occurred_at.into(),
                membership.given.into(),
                membership.date.into(),
                membership.occurred_at.into(),
                email_optin.given.into(),
                email_optin.date.into(),
                email_optin.occurred_at.into(),
                customer.created_at.into(),
                customer.updated_at.into(),
                customer.phone_changed_at.into(),
            ],
        )
        .await?;
    if inserted == 0 {
        return Ok(None);
    }
    let (company_id, email_index) = (customer.company_id, customer.email_index);
    let age_verified_until = match has_linked_age(tx, company_id, email_index).await? {
        true => refresh_age(tx, company_id, email_index).await?,
        false => None,
    };
    Ok(Some(Inserted { age_verified_until }))
}

async fn has_linked_age(
    tx: &mut Tx<'_>,
    company_id: &str,
    email_index: BlindIndex,
) -> Result<bool> {
    let row = tx
        .find(
            "SELECT 1 FROM age_customers WHERE company_id = $1 AND email_index = $2 \
             AND verification_id IS NOT NULL LIMIT 1",
            &[company_id.into(), email_index.as_bytes().into()],
        )
        .await?;
    Ok(row.is_some())
}

/// Writes a customer's standing and newest evidence. The row was locked by
/// [`find_for_update`]; `false` when it is gone.
///
/// # Errors
/// Those of the database.
pub async fn update(tx: &mut Tx<'_>, customer: &Customer<'_>) -> Result<bool> {
    let Standing {
        veriff,
        membership,
        email_optin,
    } = customer.standing;
    let updated = tx
        .execute(
            "UPDATE customer_verification SET veriff_approved = $3, veriff_date = $4, \
             veriff_changed_at = $5, membership_signed = $6, membership_date = $7, \
             membership_changed_at = $8, email_optin = $9, optin_date = $10, \
             optin_changed_at = $11, updated_at = $12, last_evidence = $13, \
             phone_changed_at = $14 \
             WHERE company_id = $1 AND email_index = $2",
            &[
                customer.company_id.into(),
                customer.email_index.as_bytes().into(),
                veriff.given.into(),
                veriff.date.into(),
                veriff.occurred_at.into(),
                membership.given.into(),
                membership.date.into(),
                membership.occurred_at.into(),
                email_optin.given.into(),
                email_optin.date.into(),
                email_optin.occurred_at.into(),
                customer.updated_at.into(),
                customer.last_evidence.into(),
                customer.phone_changed_at.into(),
            ],
        )
        .await?;
    Ok(updated == 1)
}

/// Names a newer piece of evidence, and changes nothing else.
///
/// # Errors
/// Those of the database.
pub async fn set_last_evidence(
    tx: &mut Tx<'_>,
    company_id: &str,
    email_index: BlindIndex,
    evidence: Uuid,
) -> Result<bool> {
    let updated = tx
        .execute(
            "UPDATE customer_verification SET last_evidence = $3 \
             WHERE company_id = $1 AND email_index = $2",
            &[
                company_id.into(),
                email_index.as_bytes().into(),
                evidence.into(),
            ],
        )
        .await?;
    Ok(updated == 1)
}

/// Gives a customer another phone number. A statement of its own: it moves an
/// index entry, which most updates have no need of.
///
/// # Errors
/// Those of the database.
pub async fn set_phone(
    tx: &mut Tx<'_>,
    company_id: &str,
    email_index: BlindIndex,
    phone: &Phone<'_>,
) -> Result<bool> {
    let updated = tx
        .execute(
            "UPDATE customer_verification SET phone_index = $3, phone = $4 \
             WHERE company_id = $1 AND email_index = $2",
            &[
                company_id.into(),
                email_index.as_bytes().into(),
                phone.index.as_bytes().into(),
                phone.sealed.into(),
            ],
        )
        .await?;
    Ok(updated == 1)
}

/// Notes which of the age verifications that are linked to a customer holds longest, if any does,
/// and returns until when. The customer must be locked, and what is linked written, before.
///
/// # Errors
/// Those of the database.
pub async fn refresh_age(
    tx: &mut Tx<'_>,
    company_id: &str,
    email_index: BlindIndex,
) -> Result<Option<Timestamp>> {
    let row = tx
        .find(
            "UPDATE customer_verification SET (age_verification_id, age_verified_until) = \
             (SELECT verification_id, expires_at FROM age_customers \
             WHERE company_id = $1 AND email_index = $2 AND verification_id IS NOT NULL \
             ORDER BY expires_at DESC LIMIT 1) WHERE company_id = $1 AND email_index = $2 \
             RETURNING age_verified_until",
            &[company_id.into(), email_index.as_bytes().into()],
        )
        .await?;
    row.map_or(Ok(None), |row| {
        row.find_time(0, "customer_verification.age_verified_until")
    })
}

/// How many customers a company has.
///
/// # Errors
/// Those of the database.
pub async fn count(tx: &mut Tx<'_>, company_id: &str) -> Result<i64> {
    let row = tx
        .find(
            "SELECT COUNT(*) FROM customer_verification WHERE company_id = $1",
            &[company_id.into()],
        )
        .await?;
    row.map_or(Ok(0), |row| row.int(0, "customer_verification.count"))
}
