//! Taking away what has been kept for long enough: the oldest first, a few rows a transaction.
//!
//! Names begin with the time, so the oldest rows are the first of each table. A row's data key goes
//! with it wherever nothing else is sealed under it.

use domain::age::VerificationId;
use domain::number::SessionId;
use domain::random::least_uuid_v7;
use jiff::Timestamp;

use super::{age_statistics, data_keys};
use crate::{Result, Tx, Value};

/// Takes away sessions about numbers that began before a moment and are over, with their keys; at
/// most `count`. Returns how many there were.
///
/// # Errors
/// Those of the database.
pub async fn sessions(tx: &mut Tx<'_>, before: Timestamp, count: i64) -> Result<u64> {
    let least = SessionId::least(before);
    let deleted = tx
        .query(
            "DELETE FROM verification_sessions WHERE verification_id IN (SELECT verification_id \
             FROM verification_sessions WHERE verification_id < $1 AND status <> 'pending' \
             ORDER BY verification_id LIMIT $2) RETURNING data_key",
            &[least.as_str().into(), count.into()],
        )
        .await?;
    for row in &deleted {
        data_keys::destroy(tx, row.uuid(0, "verification_sessions.data_key")?).await?;
    }
    Ok(deleted.len() as u64)
}

/// Takes away deliveries that were enqueued before a moment and do not wait any more, with their
/// attempts; at most `count`. Returns how many there were.
///
/// # Errors
/// Those of the database.
pub async fn deliveries(tx: &mut Tx<'_>, before: Timestamp, count: i64) -> Result<u64> {
    let deleted = tx
        .query(
            "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE id < $1 \
             AND status <> 'waiting' ORDER BY id LIMIT $2) RETURNING id",
            &[least_uuid_v7(before).into(), count.into()],
        )
        .await?;
    for row in &deleted {
        let id = row.uuid(0, "deliveries.id")?;
        let attempts = "DELETE FROM delivery_attempts WHERE delivery = $1";
        tx.execute(attempts, &[id.into()]).await?;
    }
    Ok(deleted.len() as u64)
}

/// Takes away decisions about ages of before a day, and whoever was not decided on since, with their
/// keys; at most `count` decisions. Returns how many there were.
///
/// # Errors
/// Those of the database.
pub async fn ages(tx: &mut Tx<'_>, before: Timestamp, count: i64) -> Result<u64> {
    let bound = VerificationId::bound(before);
    let deleted = tx
        .query(
            "DELETE FROM age_decisions WHERE verification_id IN (SELECT verification_id \
             FROM age_decisions WHERE verification_id < $1 ORDER BY verification_id LIMIT $2) \
             RETURNING company_id, customer_index, verification_id",
            &[bound.as_str().into(), count.into()],
        )
        .await?;
    for row in &deleted {
        let company = row.text(0, "age_decisions.company_id")?;
        let customer = row.bytes(1, "age_decisions.customer_index")?;
        let decision = row.text(2, "age_decisions.verification_id")?;
        let values: [Value<'_>; 3] = [(&company).into(), (&customer).into(), (&decision).into()];
        let gone = "DELETE FROM age_customers WHERE company_id = $1 AND customer_index = $2 \
                    AND last_decision = $3 RETURNING data_key";
        if let Some(row) = tx.find(gone, &values).await? {
            data_keys::destroy(tx, row.uuid(0, "age_customers.data_key")?).await?;
        }
    }
    let day = [age_statistics::day_of(before).into()];
    let totals = "DELETE FROM age_daily_totals WHERE day < $1";
    tx.execute(totals, &day).await?;
    let reasons = "DELETE FROM age_daily_reasons WHERE day < $1";
    tx.execute(reasons, &day).await?;
    Ok(deleted.len() as u64)
}
