//! A look at the database from outside the daily work, for those who check an
//! installation.
//!
//! It changes nothing but the counter of changes.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::work::{Lane, Unit, Written};
use crate::{Result, Store, Tx, migrate};

/// Commits that are measured.
const COMMITS: u32 = 5;

/// How far a database is behind this program, in migrations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migrations {
    /// Those that it has.
    pub applied: usize,
    /// Those that it lacks.
    pub pending: usize,
}

/// What the database says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// As people write it, for example `16.4`.
    pub name: String,
    /// The number before the first dot.
    pub major: i64,
}

impl Store {
    /// The version of the database's software.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn version(&self) -> Result<Version> {
        let name = self
            .read(|mut tx| {
                Box::pin(async move {
                    let sql = match &tx {
                        Tx::Sqlite(_) => "SELECT sqlite_version()",
                        Tx::Postgres(_) => "SELECT current_setting('server_version')",
                    };
                    let row = tx.find(sql, &[]).await?;
                    row.map_or(Ok(String::new()), |row| row.text(0, "version"))
                })
            })
            .await?;
        let digits: String = name.chars().take_while(char::is_ascii_digit).collect();
        Ok(Version {
            major: digits.parse().unwrap_or_default(),
            name,
        })
    }

    /// How far the database is, of the migrations that this program has.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn migrations(&self) -> Result<Migrations> {
        let applied =
            self.read(|mut tx| Box::pin(async move { tx.query(migrate::APPLIED, &[]).await }));
        migrate::compared_with(&applied.await?)
    }

    /// The time on the database's own clock; `None` for SQLite, which has none.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn database_time(&self) -> Result<Option<Timestamp>> {
        self.read(|mut tx| {
            Box::pin(async move {
                if matches!(tx, Tx::Sqlite(_)) {
                    return Ok(None);
                }
                let sql = "SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::bigint";
                let row = tx.find(sql, &[]).await?;
                row.map(|row| row.time(0, "clock_timestamp")).transpose()
            })
        })
        .await
    }

    /// The ids of all master keys that something stored is wrapped under.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn master_keys(&self) -> Result<Vec<String>> {
        self.read(|mut tx| {
            Box::pin(async move {
                tx.query(
                    "SELECT master_key FROM data_keys \
                     UNION SELECT master_key FROM signing_keys ORDER BY 1",
                    &[],
                )
                .await?
                .iter()
                .map(|row| row.text(0, "data_keys.master_key"))
                .collect()
            })
        })
        .await
    }

    /// How long a durable commit takes: the median of a few.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn commit_latency(&self) -> Result<Duration> {
        // The first one connects and prepares.
        self.write(Raise).await?;
        let mut taken = Vec::new();
        for _ in 0..COMMITS {
            let started = Instant::now();
            self.write(Raise).await?;
            taken.push(started.elapsed());
        }
        taken.sort_unstable();
        Ok(taken.get(taken.len() / 2).copied().unwrap_or_default())
    }
}

/// Raises the counter of changes, at which others look and find nothing new. Writing what stands
/// there already would not do: SQLite notices, and writes nothing.
struct Raise;

impl Unit for Raise {
    type Output = ();

    fn lane(&self) -> Lane {
        Lane::of(b"inspect")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> Result<Written<()>> {
        tx.execute("UPDATE change_counter SET revision = revision + 1", &[])
            .await?;
        Ok(Written {
            output: (),
            records: Vec::new(),
        })
    }
}
