//! Bringing a database up to date. Migrations stand in two folders in lock-step
//! and never change once they have landed.

use std::path::Path;

use rusqlite::TransactionBehavior;

use crate::inspect::Migrations;
use crate::postgres::Connection as PostgresConnection;
use crate::sqlite::Connection as SqliteConnection;
use crate::{Error, Result, Row};

mod sqlite_migrations {
    refinery::embed_migrations!("migrations/sqlite");
}

mod postgres_migrations {
    refinery::embed_migrations!("migrations/postgres");
}

/// Name of the advisory lock that lets one instance migrate at a time.
const LOCK: &str = "SELECT pg_advisory_lock(1651470945)";
const UNLOCK: &str = "SELECT pg_advisory_unlock(1651470945)";

/// A database that a newer program has migrated is served as well: during an update the program
/// before may have to start again.
const ABORT_MISSING: bool = false;

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
        .set_abort_missing(ABORT_MISSING)
        .run(connection.raw())
        .map_err(|error| failed(&error))?;
    Ok(report.applied_migrations().len())
}

pub(crate) async fn postgres(connection: &mut PostgresConnection) -> Result<usize> {
    connection.control(LOCK).await?;
    let report = postgres_migrations::migrations::runner()
        .set_grouped(true)
        .set_abort_missing(ABORT_MISSING)
        .run_async(connection.client())
        .await
        .map_err(|error| failed(&error));
    connection.control(UNLOCK).await?;
    Ok(report?.applied_migrations().len())
}

/// The migrations of this program, and how many of them a history of `applied` lacks.
fn compared(known: usize, applied: usize) -> Migrations {
    Migrations {
        applied,
        pending: known.saturating_sub(applied),
    }
}

/// How far a database is whose history says this. Both folders hold the same migrations.
pub(crate) fn compared_with(history: &[Row]) -> Result<Migrations> {
    let known = sqlite_migrations::migrations::runner();
    Ok(compared(known.get_migrations().len(), counted(history)?))
}

/// How far a SQLite file is; one that does not exist has nothing yet, and is not made.
pub(crate) fn look_at_sqlite(path: &Path) -> Result<Migrations> {
    let known = sqlite_migrations::migrations::runner()
        .get_migrations()
        .len();
    if !path.exists() {
        return Ok(compared(known, 0));
    }
    let mut connection = SqliteConnection::open_reader(path)?;
    let has_history = !connection
        .query(
            "SELECT 1 FROM sqlite_master WHERE name = 'refinery_schema_history'",
            &[],
        )?
        .is_empty();
    let applied = if has_history {
        counted(&connection.query(APPLIED, &[])?)?
    } else {
        0
    };
    Ok(compared(known, applied))
}

/// How far a PostgreSQL database is.
pub(crate) async fn look_at_postgres(connection: &PostgresConnection) -> Result<Migrations> {
    let known = postgres_migrations::migrations::runner()
        .get_migrations()
        .len();
    let has_history = !connection
        .query(
            "SELECT 1 WHERE to_regclass('refinery_schema_history') IS NOT NULL",
            &[],
        )
        .await?
        .is_empty();
    let applied = if has_history {
        counted(&connection.query(APPLIED, &[]).await?)?
    } else {
        0
    };
    Ok(compared(known, applied))
}

pub(crate) const APPLIED: &str = "SELECT COUNT(*) FROM refinery_schema_history";

fn counted(rows: &[Row]) -> Result<usize> {
    let count = rows
        .first()
        .map_or(Ok(0), |row| row.int(0, "refinery_schema_history"))?;
    Ok(usize::try_from(count).unwrap_or_default())
}

fn failed(error: &refinery::Error) -> Error {
    Error::Refused(format!("migration: {error}"))
}
