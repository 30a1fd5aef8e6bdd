//! How the companies' webhook endpoints fare. One without a row has never failed.

use jiff::Timestamp;

use crate::{Result, Tx};

/// Where a company's webhooks go, and whether they may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The address, if there is one.
    pub url: Option<String>,
    /// Whether the company may use the server.
    pub is_active: bool,
    /// Since when every attempt has failed.
    pub failing_since: Option<Timestamp>,
    /// Since when, and why, nothing is sent there any more.
    pub off: Option<(Timestamp, String)>,
}

/// The endpoint of a company; `None` when there is no such company.
///
/// # Errors
/// Those of the database.
pub async fn find(tx: &mut Tx<'_>, company_id: &str) -> Result<Option<Endpoint>> {
    let row = tx
        .find(
            "SELECT c.webhook_url, c.is_active, e.failing_since, e.off_at, e.off_reason \
             FROM companies c LEFT JOIN webhook_endpoints e ON e.company_id = c.company_id \
             WHERE c.company_id = $1",
            &[company_id.into()],
        )
        .await?;
    row.map(|row| {
        let off_at = row.find_time(3, "webhook_endpoints.off_at")?;
        let reason = row.find_text(4, "webhook_endpoints.off_reason")?;
        Ok(Endpoint {
            url: row.find_text(0, "companies.webhook_url")?,
            is_active: row.bool(1, "companies.is_active")?,
            failing_since: row.find_time(2, "webhook_endpoints.failing_since")?,
            off: off_at.map(|at| (at, reason.unwrap_or_default())),
        })
    })
    .transpose()
}

/// Notes a failed attempt; returns since when all have failed. That begins anew when the last failure
/// was before `connected`: in the meantime the endpoint may have worked, and nobody would know.
///
/// # Errors
/// Those of the database.
pub async fn note_failure(
    tx: &mut Tx<'_>,
    company_id: &str,
    at: Timestamp,
    connected: Timestamp,
) -> Result<Timestamp> {
    let row = tx
        .find(
            "INSERT INTO webhook_endpoints (company_id, failing_since, failed_at) \
             VALUES ($1, $2, $2) ON CONFLICT (company_id) DO UPDATE \
             SET failing_since = CASE WHEN webhook_endpoints.failed_at < $3 \
             THEN excluded.failing_since \
             ELSE COALESCE(webhook_endpoints.failing_since, excluded.failing_since) END, \
             failed_at = excluded.failed_at RETURNING failing_since",
            &[company_id.into(), at.into(), connected.into()],
        )
        .await?;
    row.map_or(Ok(at), |row| row.time(0, "webhook_endpoints.failing_since"))
}

/// Notes a success: what failed before is forgotten.
///
/// # Errors
/// Those of the database.
pub async fn note_success(tx: &mut Tx<'_>, company_id: &str) -> Result<()> {
    tx.execute(
        "UPDATE webhook_endpoints SET failing_since = NULL \
         WHERE company_id = $1 AND failing_since IS NOT NULL",
        &[company_id.into()],
    )
    .await
    .map(drop)
}

/// Switches an endpoint off; `false` when it was off already.
///
/// # Errors
/// Those of the database.
pub async fn switch_off(
    tx: &mut Tx<'_>,
    company_id: &str,
    at: Timestamp,
    reason: &str,
) -> Result<bool> {
    let switched = tx
        .execute(
            "INSERT INTO webhook_endpoints (company_id, off_at, off_reason) VALUES ($1, $2, $3) \
             ON CONFLICT (company_id) DO UPDATE \
             SET off_at = excluded.off_at, off_reason = excluded.off_reason \
             WHERE webhook_endpoints.off_at IS NULL",
            &[company_id.into(), at.into(), reason.into()],
        )
        .await?;
    Ok(switched == 1)
}

/// Forgets everything about an endpoint: its company has named it anew.
///
/// # Errors
/// Those of the database.
pub async fn reset(tx: &mut Tx<'_>, company_id: &str) -> Result<()> {
    tx.execute(
        "DELETE FROM webhook_endpoints WHERE company_id = $1",
        &[company_id.into()],
    )
    .await
    .map(drop)
}
