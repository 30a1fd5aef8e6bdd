//! A connection and the statements prepared on it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};

use super::Target;
use crate::{Result, Row, Value};

/// A PostgreSQL connection. Calls made on it at the same time are pipelined.
pub struct Connection {
    client: Client,
    /// Statements by where their text stands, which is static: its address and its length. Neither
    /// alone will do, nor a mixture of both, for texts may stand side by side or one in another.
    statements: Mutex<HashMap<(usize, usize), Statement>>,
}

impl Connection {
    pub(crate) async fn open(target: &Target) -> Result<Self> {
        let client = target.connect().await?;
        Ok(Self {
            client,
            statements: Mutex::default(),
        })
    }

    /// Whether the server or the network has ended it.
    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// The driver's own client, for migrations.
    pub(crate) fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    pub(crate) async fn execute(&self, sql: &'static str, values: &[Value<'_>]) -> Result<u64> {
        self.execute_native(sql, &native(values)).await
    }

    pub(crate) async fn query(&self, sql: &'static str, values: &[Value<'_>]) -> Result<Vec<Row>> {
        let rows = self.query_native(sql, &native(values)).await?;
        Ok(rows.into_iter().map(Row::Postgres).collect())
    }

    pub(crate) async fn execute_native(
        &self,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<u64> {
        let statement = self.prepared(sql).await?;
        Ok(self.client.execute(&statement, values).await?)
    }

    pub(crate) async fn query_native(
        &self,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<tokio_postgres::Row>> {
        let statement = self.prepared(sql).await?;
        Ok(self.client.query(&statement, values).await?)
    }

    /// Prepares a statement ahead of its use: running it then takes no further round trip, so
    /// nothing that is sent after it can overtake it.
    pub(crate) async fn prepare(&self, sql: &'static str) -> Result<()> {
        self.prepared(sql).await.map(drop)
    }

    /// Transaction control, which has no parameters.
    pub(crate) async fn control(&self, sql: &str) -> Result<()> {
        Ok(self.client.batch_execute(sql).await?)
    }

    async fn prepared(&self, sql: &'static str) -> Result<Statement> {
        let place = (sql.as_ptr() as usize, sql.len());
        let known = self.known().get(&place).cloned();
        if let Some(statement) = known {
            return Ok(statement);
        }
        let statement = self.client.prepare(sql).await?;
        self.known().insert(place, statement.clone());
        Ok(statement)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<(usize, usize), Statement>> {
        self.statements
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn native<'v>(values: &'v [Value<'_>]) -> Vec<&'v (dyn ToSql + Sync)> {
    values
        .iter()
        .map(|value| value as &(dyn ToSql + Sync))
        .collect()
}
