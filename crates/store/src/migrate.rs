//! Bringing a database up to date. Migrations stand in two folders in lock-step
//! and never change once they have landed.

use rusqlite::TransactionBehavior;

use crate::postgres::Connection as PostgresConnection;
use crate::sqlite::Connection as SqliteConnection;
use crate::{Error, Result};

mod sqlite_migrations {
    refinery::embed_migrations!("migrations/sqlite");
}

mod postgres_migrations {
    refinery::embed_migrations!("migrations/postgres");
}

/// Name of the advisory lock that lets one instance migrate at a time.
const LOCK: &str = "SELECT pg_advisory_lock(1651470945)";
const UNLOCK: &str = "SELECT pg_advisory_unlock(1651470945)";

/// How often instances that start together on one file may get into each other's way.
const ATTEMPTS: usize = 5;

pub(crate) fn sqlite(connection: &mut SqliteConnection) -> Result<usize> {
    connection
        .raw()
        .set_transaction_behavior(TransactionBehavior::Immediate);
    let mut outcome = migrate_sqlite(connection);
    for _ in 1..ATTEMPTS {
        if outcome.is_ok() {
            break;
        }
        // What is to be applied is looked up before the transaction begins, so another process may
        // have applied it in between: look again.
        outcome = migrate_sqlite(connection);
    }
    outcome
}

fn migrate_sqlite(connection: &mut SqliteConnection) -> Result<usize> {
    let report = sqlite_migrations::migrations::runner()
        .set_grouped(true)
        .run(connection.raw())
        .map_err(|error| failed(&error))?;
    Ok(report.applied_migrations().len())
}

pub(crate) async fn postgres(connection: &mut PostgresConnection) -> Result<usize> {
    connection.control(LOCK).await?;
    let report = postgres_migrations::migrations::runner()
        .set_grouped(true)
        .run_async(connection.client())
        .await
        .map_err(|error| failed(&error));
    connection.control(UNLOCK).await?;
    Ok(report?.applied_migrations().len())
}

fn failed(error: &refinery::Error) -> Error {
    Error::Refused(format!("migration: {error}"))
}
