//! API keys: one row a key, so that keys rotate.

use jiff::Timestamp;

use crate::{Result, Row, Tx};

/// An API key as it is stored: its hash, never the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyRow {
    /// The public half of the key.
    pub id: String,
    /// Whose it is.
    pub company_id: String,
    /// For people.
    pub name: String,
    /// SHA-256 of the whole key: 32 bytes, or no key matches it.
    pub hash: Vec<u8>,
    /// Space-separated scopes.
    pub scopes: String,
    /// Limits of its own, `customers=6000/1m` separated by spaces.
    pub limits: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// The key that took its place.
    pub replaced_by: Option<String>,
    /// The revision of the last change.
    pub revision: i64,
}

macro_rules! columns {
    () => {
        "id, company_id, name, hash, scopes, limits, created_at, expires_at, revoked_at, \
         replaced_by, revision"
    };
}

impl ApiKeyRow {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.text(0, "api_keys.id")?,
            company_id: row.text(1, "api_keys.company_id")?,
            name: row.text(2, "api_keys.name")?,
            hash: row.bytes(3, "api_keys.hash")?,
            scopes: row.text(4, "api_keys.scopes")?,
            limits: row.text(5, "api_keys.limits")?,
            created_at: row.time(6, "api_keys.created_at")?,
            expires_at: row.find_time(7, "api_keys.expires_at")?,
            revoked_at: row.find_time(8, "api_keys.revoked_at")?,
            replaced_by: row.find_text(9, "api_keys.replaced_by")?,
            revision: row.int(10, "api_keys.revision")?,
        })
    }
}

/// Inserts a key. Its id is random; a second one of the same id is refused by
/// the database.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx<'_>, key: &ApiKeyRow) -> Result<()> {
    tx.execute(
        concat!(
            "INSERT INTO api_keys (",
            columns!(),
            ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
        ),
        &[
            (&key.id).into(),
            (&key.company_id).into(),
            (&key.name).into(),
            (&key.hash).into(),
            (&key.scopes).into(),
            (&key.limits).into(),
            key.created_at.into(),
            key.expires_at.into(),
            key.revoked_at.into(),
            key.replaced_by.as_deref().into(),
            key.revision.into(),
        ],
    )
    .await
    .map(drop)
}

/// Writes what may change of a key; `false` when there is no such key.
///
/// # Errors
/// Those of the database.
pub async fn update(tx: &mut Tx<'_>, key: &ApiKeyRow) -> Result<bool> {
    let updated = tx
        .execute(
            "UPDATE api_keys SET name = $2, limits = $3, expires_at = $4, revoked_at = $5, \
             replaced_by = $6, revision = $7 WHERE id = $1",
            &[
                (&key.id).into(),
                (&key.name).into(),
                (&key.limits).into(),
                key.expires_at.into(),
                key.revoked_at.into(),
                key.replaced_by.as_deref().into(),
                key.revision.into(),
            ],
        )
        .await?;
    Ok(updated == 1)
}

/// One key by id.
///
/// # Errors
/// Those of the database.
pub async fn find(tx: &mut Tx<'_>, id: &str) -> Result<Option<ApiKeyRow>> {
    tx.find(
        concat!("SELECT ", columns!(), " FROM api_keys WHERE id = $1"),
        &[id.into()],
    )
    .await?
    .as_ref()
    .map(ApiKeyRow::from_row)
    .transpose()
}

/// The keys of one company, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn list(tx: &mut Tx<'_>, company_id: &str) -> Result<Vec<ApiKeyRow>> {
    tx.query(
        concat!(
            "SELECT ",
            columns!(),
            " FROM api_keys WHERE company_id = $1 ORDER BY created_at, id"
        ),
        &[company_id.into()],
    )
    .await?
    .iter()
    .map(ApiKeyRow::from_row)
    .collect()
}

/// At most `count` keys, oldest first, of one company or of all, those after the
/// key of id `after`; from the beginning when there is no such key.
///
/// # Errors
/// Those of the database.
pub async fn list_page(
    tx: &mut Tx<'_>,
    company_id: Option<&str>,
    after: Option<&str>,
    count: i64,
) -> Result<Vec<ApiKeyRow>> {
    let (time, id) = match after {
        Some(after) => find(tx, after).await?,
        None => None,
    }
    .map_or((Timestamp::MIN, String::new()), |key| {
        (key.created_at, key.id)
    });
    let rows = match company_id {
        Some(company_id) => {
            tx.query(
                concat!(
                    "SELECT ",
                    columns!(),
                    " FROM api_keys WHERE company_id = $1 AND (created_at, id) > ($2, $3) \
                     ORDER BY created_at, id LIMIT $4"
                ),
                &[company_id.into(), time.into(), (&id).into(), count.into()],
            )
            .await?
        }
        None => {
            tx.query(
                concat!(
                    "SELECT ",
                    columns!(),
                    " FROM api_keys WHERE (created_at, id) > ($1, $2) \
                     ORDER BY created_at, id LIMIT $3"
                ),
                &[time.into(), (&id).into(), count.into()],
            )
            .await?
        }
    };
    rows.iter().map(ApiKeyRow::from_row).collect()
}

/// The keys changed after a revision.
///
/// # Errors
/// Those of the database.
pub async fn list_changed(tx: &mut Tx<'_>, after: i64) -> Result<Vec<ApiKeyRow>> {
    tx.query(
        concat!(
            "SELECT ",
            columns!(),
            " FROM api_keys WHERE revision > $1 ORDER BY revision"
        ),
        &[after.into()],
    )
    .await?
    .iter()
    .map(ApiKeyRow::from_row)
    .collect()
}
