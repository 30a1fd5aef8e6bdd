//! The list of erasures: which data keys were destroyed, when, and for which company.
//!
//! It names nobody: a key's name is made up when the key is. A backup from before an erasure still
//! has the key, and is told by its name.

use domain::seal::BlindIndex;
use jiff::Timestamp;
use uuid::Uuid;

use crate::{Error, Result, Tx};

/// One erasure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// Its name.
    pub id: Uuid,
    /// Whose customer it was.
    pub company_id: String,
    /// When.
    pub at: Timestamp,
    /// The keys that were destroyed.
    pub keys: Vec<Uuid>,
}

/// Inserts an erasure, unless it is known; returns whether it was new.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx<'_>, erasure: &Erasure) -> Result<bool> {
    let inserted = tx
        .execute(
            "INSERT INTO erasures (id, company_id, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            &[
                erasure.id.into(),
                (&erasure.company_id).into(),
                erasure.at.into(),
            ],
        )
        .await?;
    for key in &erasure.keys {
        tx.execute(
            "INSERT INTO erased_keys (data_key, erasure) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            &[(*key).into(), erasure.id.into()],
        )
        .await?;
    }
    Ok(inserted == 1)
}

/// At most `count` erasures after one, in the order of their names, which begin with the time.
///
/// # Errors
/// Those of the database.
pub async fn list(tx: &mut Tx<'_>, after: Uuid, count: i64) -> Result<Vec<Erasure>> {
    let rows = tx
        .query(
            "SELECT e.id, e.company_id, e.at, k.data_key FROM \
             (SELECT id, company_id, at FROM erasures WHERE id > $1 ORDER BY id LIMIT $2) AS e \
             LEFT JOIN erased_keys k ON k.erasure = e.id ORDER BY e.id, k.data_key",
            &[after.into(), count.into()],
        )
        .await?;
    let mut erasures: Vec<Erasure> = Vec::new();
    for row in &rows {
        let id = row.uuid(0, "erasures.id")?;
        let key = row.find_uuid(3, "erased_keys.data_key")?;
        match erasures.last_mut().filter(|last| last.id == id) {
            Some(erasure) => erasure.keys.extend(key),
            None => erasures.push(Erasure {
                id,
                company_id: row.text(1, "erasures.company_id")?,
                at: row.time(2, "erasures.at")?,
                keys: key.into_iter().collect(),
            }),
        }
    }
    Ok(erasures)
}

/// Whether a key is still here that was destroyed by the list.
///
/// # Errors
/// Those of the database.
pub async fn any_left(tx: &mut Tx<'_>) -> Result<bool> {
    let left = tx.find(
        "SELECT k.id FROM erased_keys e JOIN data_keys k ON k.id = e.data_key LIMIT 1",
        &[],
    );
    Ok(left.await?.is_some())
}

/// The next customers whose key is on the list; at most `count`.
///
/// # Errors
/// Those of the database.
pub async fn list_customers(tx: &mut Tx<'_>, count: i64) -> Result<Vec<(String, BlindIndex)>> {
    const INDEX: &str = "customer_verification.email_index";
    tx.query(
        "SELECT company_id, email_index FROM customer_verification \
         WHERE data_key IN (SELECT data_key FROM erased_keys) LIMIT $1",
        &[count.into()],
    )
    .await?
    .iter()
    .map(|row| {
        let index = BlindIndex::from_bytes(&row.bytes(1, INDEX)?);
        let index = index.ok_or_else(|| Error::corrupt(INDEX, "wrong length"))?;
        Ok((row.text(0, "customer_verification.company_id")?, index))
    })
    .collect()
}

/// Destroys every key of the list that is still here; returns how many there were.
///
/// # Errors
/// Those of the database.
pub async fn destroy_listed(tx: &mut Tx<'_>) -> Result<u64> {
    for sql in [
        "UPDATE inbox SET data_key = NULL, event = NULL, subject_index = NULL, lease = NULL, \
         finished_at = COALESCE(finished_at, received_at), outcome = 'erased', status = CASE \
         WHEN status IN ('waiting', 'parked') THEN 'ignored' ELSE status END WHERE data_key IN (SELECT data_key FROM erased_keys)",
        "DELETE FROM square_customers WHERE data_key IN (SELECT data_key FROM erased_keys)",
    ] {
        tx.execute(sql, &[]).await?;
    }
    tx.execute(
        "DELETE FROM data_keys WHERE id IN (SELECT data_key FROM erased_keys)",
        &[],
    )
    .await
}
