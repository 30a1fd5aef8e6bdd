//! One function body for both databases.
//!
//! Statements are written once, in PostgreSQL's dialect with `$n` parameters; for
//! SQLite the parameters become `?n` and row locks fall away (its one writer
//! needs none). The SQLite arm never waits, so its futures are ready at once.

use crate::postgres::Shared;
use crate::sqlite::Connection as SqliteConnection;
use crate::{Result, Row, Value};

/// A statement that finds one row or none: for one on SQLite, and for many on PostgreSQL, as a
/// [set](crate::postgres). It is a `static`, one in one place, by which it is told from others.
pub(crate) struct Statement {
    pub one: &'static str,
    pub many: &'static str,
}

/// A connection inside (or, for reads, outside) a transaction.
pub enum Tx<'a> {
    /// SQLite.
    Sqlite(&'a mut SqliteConnection),
    /// PostgreSQL; shared, because the units of one batch run on it side by side.
    Postgres(Shared<'a>),
}

impl Tx<'_> {
    /// Runs a statement and returns how many rows it touched.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn execute(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<u64> {
        match self {
            Self::Sqlite(connection) => connection.execute(sql, values),
            Self::Postgres(connection) => connection.execute(sql, values).await,
        }
    }

    /// Runs a statement and returns its rows.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn query(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<Vec<Row>> {
        match self {
            Self::Sqlite(connection) => connection.query(sql, values),
            Self::Postgres(connection) => connection.query(sql, values).await,
        }
    }

    /// Runs a statement that finds one row or none.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn find(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<Option<Row>> {
        Ok(self.query(sql, values).await?.into_iter().next())
    }

    /// Runs a statement that finds one row or none; on PostgreSQL it travels together with those of
    /// others.
    pub(crate) async fn find_together(
        &mut self,
        statement: &'static Statement,
        values: &[Value<'_>],
    ) -> Result<Option<Row>> {
        match self {
            Self::Sqlite(_) => self.find(statement.one, values).await,
            Self::Postgres(shared) => shared.together(statement.many, values).await,
        }
    }
}
