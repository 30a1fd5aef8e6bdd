//! A server with its database and a key, ready to be mistreated.

use std::path::PathBuf;

use tempfile::TempDir;
use test_support::postgres::{TestDatabase, database_for_test};
use test_support::{Server, ServerBuilder};

use crate::office::{ENCRYPTION_KEYS, INDEX_KEY, Key, Office};

/// Which database a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// A database that vanishes with the handle.
pub enum Database {
    Sqlite(TempDir),
    Postgres(TestDatabase),
}

impl Database {
    pub fn new(engine: Engine, name: &str) -> Self {
        match engine {
            Engine::Sqlite => Self::Sqlite(tempfile::tempdir().unwrap()),
            Engine::Postgres => Self::Postgres(database_for_test(name).unwrap()),
        }
    }

    pub fn url(&self) -> String {
        match self {
            Self::Sqlite(folder) => format!("sqlite://{}/bonafide.db", folder.path().display()),
            Self::Postgres(database) => database.url().to_owned(),
        }
    }

    /// The files of the database, where there are any.
    pub fn files(&self) -> Vec<PathBuf> {
        let Self::Sqlite(folder) = self else {
            return Vec::new();
        };
        let entries = std::fs::read_dir(folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

/// A server on a database, started as in production, with limits off and a key to ask with.
pub struct Scene {
    pub server: Server,
    pub key: Key,
    pub database: Database,
}

impl Scene {
    pub async fn start(engine: Engine, name: &str) -> Self {
        Self::start_with(engine, name, |builder| builder).await
    }

    pub async fn start_with(
        engine: Engine,
        name: &str,
        settle: impl FnOnce(ServerBuilder) -> ServerBuilder,
    ) -> Self {
        let database = Database::new(engine, name);
        let office = Office::open(&database.url()).await;
        let key = office.create_key("off").await;
        office.close().await;
        Self {
            server: settle(builder(&database.url())).start().unwrap(),
            key,
            database,
        }
    }

    pub async fn office(&self) -> Office {
        Office::open(&self.database.url()).await
    }
}

/// A server on this database.
pub fn builder(url: &str) -> ServerBuilder {
    ServerBuilder::new()
        .binary(env!("CARGO_BIN_EXE_bonafide"))
        .variable("ENCRYPTION_KEYS", ENCRYPTION_KEYS)
        .variable("INDEX_KEY", INDEX_KEY)
        .variable("DATABASE_URL", url)
}
