//! Customers whose proofs are to be carried along their merges at Square.

use domain::seal::BlindIndex;
use jiff::Timestamp;

use crate::{Error, Result, Tx};

/// A customer whose proofs are to be carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carry {
    /// Whose customer.
    pub company_id: String,
    /// Which customer.
    pub email_index: BlindIndex,
    /// The newest asking: a number of its own.
    pub asked: i64,
}

/// Asks for a customer's proofs to be carried; `carry.asked` is a number that no other asking has,
/// so that who carries for an earlier one does not take this for done.
///
/// # Errors
/// Those of the database.
pub async fn ask(tx: &mut Tx<'_>, carry: &Carry, now: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO square_carries (company_id, email_index, asked, asked_at) \
         VALUES ($1, $2, $3, $4) ON CONFLICT (company_id, email_index) \
         DO UPDATE SET asked = excluded.asked",
        &[
            carry.company_id.as_str().into(),
            carry.email_index.as_bytes().into(),
            carry.asked.into(),
            now.into(),
        ],
    )
    .await
    .map(drop)
}

/// The same, if anybody at Square who is tied to the customer was ever merged, or merged into;
/// returns whether that is so.
///
/// # Errors
/// Those of the database.
pub async fn ask_if_merged(tx: &mut Tx<'_>, carry: &Carry, now: Timestamp) -> Result<bool> {
    let asked = tx
        .execute(
            "INSERT INTO square_carries (company_id, email_index, asked, asked_at) \
             SELECT $1, $2, $3, $4 FROM companies WHERE company_id = $1 AND EXISTS (\
             SELECT 1 FROM square_customers c WHERE c.company_id = $1 \
             AND c.subject_index = $2 \
             AND (c.merged_into IS NOT NULL OR EXISTS (SELECT 1 FROM square_customers m \
             WHERE m.company_id = $1 AND m.merged_into = c.square_index))) \
             ON CONFLICT (company_id, email_index) DO UPDATE SET asked = excluded.asked",
            &[
                carry.company_id.as_str().into(),
                carry.email_index.as_bytes().into(),
                carry.asked.into(),
                now.into(),
            ],
        )
        .await?;
    Ok(asked > 0)
}

/// At most `count` customers whose proofs are to be carried, those who wait longest first.
///
/// # Errors
/// Those of the database.
pub async fn list(tx: &mut Tx<'_>, company_id: &str, count: i64) -> Result<Vec<Carry>> {
    const INDEX: &str = "square_carries.email_index";
    let rows = tx
        .query(
            "SELECT company_id, email_index, asked FROM square_carries \
             WHERE company_id = $1 ORDER BY asked_at, email_index LIMIT $2",
            &[company_id.into(), count.into()],
        )
        .await?;
    let carry = |row: &crate::Row| {
        Ok(Carry {
            company_id: row.text(0, "square_carries.company_id")?,
            email_index: BlindIndex::from_bytes(&row.bytes(1, INDEX)?)
                .ok_or_else(|| Error::corrupt(INDEX, "wrong length"))?,
            asked: row.int(2, "square_carries.asked")?,
        })
    };
    rows.iter().map(carry).collect()
}

/// Lets others go before one that could not be carried.
///
/// # Errors
/// Those of the database.
pub async fn postpone(tx: &mut Tx<'_>, carry: &Carry, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE square_carries SET asked_at = $3 WHERE company_id = $1 AND email_index = $2",
        &[
            carry.company_id.as_str().into(),
            carry.email_index.as_bytes().into(),
            now.into(),
        ],
    )
    .await
    .map(drop)
}

/// Notes that the proofs were carried, unless that was asked for anew meanwhile.
///
/// # Errors
/// Those of the database.
pub async fn done(tx: &mut Tx<'_>, carry: &Carry) -> Result<()> {
    tx.execute(
        "DELETE FROM square_carries WHERE company_id = $1 AND email_index = $2 AND asked = $3",
        &[
            carry.company_id.as_str().into(),
            carry.email_index.as_bytes().into(),
            carry.asked.into(),
        ],
    )
    .await
    .map(drop)
}
