//! How the installation is: its database, its audit log, its queues.

use domain::audit::LogHead;
use jiff::Timestamp;
use store::inspect::{Migrations, Version};
use store::tables::{audit, audit_checkpoints};

use crate::{App, Result, deliveries, inbox};

/// How the installation is.
#[derive(Debug, Clone)]
pub struct Condition {
    /// The database's software.
    pub database: Version,
    /// How far its tables are.
    pub migrations: Migrations,
    /// The end of each log; every writer has one of its own.
    pub logs: Vec<LogHead>,
    /// The number of the newest checkpoint, and when it was signed.
    pub checkpoint: Option<(i64, Timestamp)>,
    /// What waits to leave, of all companies.
    pub deliveries: deliveries::Depth,
    /// What waits to be processed, of all companies.
    pub inbox: inbox::Depth,
}

/// How the installation is.
///
/// # Errors
/// [`crate::Code::Unavailable`] when the database is away.
pub async fn condition(app: &App) -> Result<Condition> {
    let log = app.store.read(|mut tx| {
        Box::pin(async move {
            let heads = audit::heads(&mut tx).await?;
            Ok((heads, audit_checkpoints::newest(&mut tx).await?))
        })
    });
    let (logs, newest) = log.await?;
    Ok(Condition {
        database: app.store.version().await?,
        migrations: app.store.migrations().await?,
        logs,
        checkpoint: newest.map(|signed| (signed.checkpoint.number, signed.checkpoint.at)),
        deliveries: deliveries::depth(app).await?,
        inbox: inbox::depth(app).await?,
    })
}
