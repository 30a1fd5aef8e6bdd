//! Data keys, wrapped by the master key that each names.

use domain::seal::WrappedKey;
use jiff::Timestamp;
use uuid::Uuid;

use crate::{Result, Row, Tx};

/// What a data key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Everything about one person.
    Person,
    /// A company's own secrets.
    Company,
    /// The callers of one day, in the audit log.
    Callers,
    /// One event of the inbox.
    Event,
}

impl Purpose {
    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Company => "company",
            Self::Callers => "callers",
            Self::Event => "event",
        }
    }
}

/// Inserts a key; `false` when the company has one of that purpose and label.
/// Keys without a label are never in each other's way.
///
/// # Errors
/// Those of the database.
pub async fn insert(
    tx: &mut Tx<'_>,
    company_id: &str,
    purpose: Purpose,
    label: Option<&str>,
    key: &WrappedKey,
    created_at: Timestamp,
) -> Result<bool> {
    let inserted = tx
        .execute(
            "INSERT INTO data_keys (id, company_id, purpose, label, master_key, wrapped, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
            &[
                key.id.into(),
                company_id.into(),
                purpose.as_str().into(),
                label.into(),
                (&key.master_key).into(),
                (&key.wrapped).into(),
                created_at.into(),
            ],
        )
        .await?;
    Ok(inserted == 1)
}

/// The key of a purpose and label.
///
/// # Errors
/// Those of the database.
pub async fn find(
    tx: &mut Tx<'_>,
    company_id: &str,
    purpose: Purpose,
    label: &str,
) -> Result<Option<WrappedKey>> {
    tx.find(
        "SELECT id, master_key, wrapped FROM data_keys \
         WHERE company_id = $1 AND purpose = $2 AND label = $3",
        &[company_id.into(), purpose.as_str().into(), label.into()],
    )
    .await?
    .as_ref()
    .map(from_row)
    .transpose()
}

/// The key of a name; `None` once it is destroyed.
///
/// # Errors
/// Those of the database.
pub async fn find_by_id(tx: &mut Tx<'_>, id: Uuid) -> Result<Option<WrappedKey>> {
    tx.find(
        "SELECT id, master_key, wrapped FROM data_keys WHERE id = $1",
        &[id.into()],
    )
    .await?
    .as_ref()
    .map(from_row)
    .transpose()
}

/// Destroys a key: whatever is sealed under it can never be read again. Returns whether it was
/// there.
///
/// # Errors
/// Those of the database.
pub async fn destroy(tx: &mut Tx<'_>, id: Uuid) -> Result<bool> {
    let destroyed = tx
        .execute("DELETE FROM data_keys WHERE id = $1", &[id.into()])
        .await?;
    Ok(destroyed == 1)
}

pub(crate) fn from_row(row: &Row) -> Result<WrappedKey> {
    from_row_at(row, 0)
}

/// Reads the three columns from `at` on.
pub(crate) fn from_row_at(row: &Row, at: usize) -> Result<WrappedKey> {
    Ok(WrappedKey {
        id: row.uuid(at, "data_keys.id")?,
        master_key: row.text(at + 1, "data_keys.master_key")?,
        wrapped: row.bytes(at + 2, "data_keys.wrapped")?,
    })
}
