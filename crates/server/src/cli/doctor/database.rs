//! The database: reachable, new enough, up to date, quick, in time, and written
//! under the keys at hand.

use std::time::{Duration, Instant};

use app::App;
use app::customers::{Fit, keys_fit};
use domain::clock::Clock as _;
use jiff::SignedDuration;
use store::inspect::Migrations;
use store::{Connections, Location};

use super::check::Check;
use crate::ambient::SystemClock;
use crate::cli::session;
use crate::config::{Config, DatabaseUrl};
use crate::runtime;

/// The oldest PostgreSQL that is supported.
const OLDEST_POSTGRES: i64 = 13;

/// A durable commit slower than this is felt by whoever waits for an answer.
const SLOW_COMMIT: Duration = Duration::from_millis(50);

/// How far clocks may be apart.
const SKEW: SignedDuration = SignedDuration::from_secs(1);

const NAME: &str = "database";

/// Everything about the database that can be looked at.
pub async fn checks(config: &Config) -> Vec<Check> {
    let location = match runtime::location(config) {
        Ok(location) => location,
        Err(failure) => {
            return vec![Check::wrong(
                NAME,
                failure.message(),
                "correct DATABASE_URL",
            )];
        }
    };
    let migrations = match location.migrations().await {
        Ok(migrations) => migrations,
        Err(error) => return vec![unreachable(config, &error.to_string())],
    };
    if migrations.pending > 0 {
        return vec![behind(config, migrations)];
    }
    let connections = Connections {
        readers: 1,
        writers: 1,
    };
    match runtime::open(config, &location, connections).await {
        Err(failure) => vec![unreachable(config, failure.message())],
        Ok(app) => {
            let checks = opened(config, &location, &app).await;
            session::close(app).await;
            checks
        }
    }
}

fn unreachable(config: &Config, cause: &str) -> Check {
    let cure = match &config.storage.database {
        DatabaseUrl::Sqlite(_) => "check that the file is a database of ours and can be written to",
        DatabaseUrl::Postgres(_) => {
            "check that PostgreSQL runs and that DATABASE_URL names its host, port, user and database"
        }
    };
    Check::wrong(NAME, cause, cure)
}

fn behind(config: &Config, migrations: Migrations) -> Check {
    let Migrations { applied, pending } = migrations;
    match (config.storage.auto_migrate, applied) {
        (true, 0) => Check::fine(NAME, "empty: the first start makes its tables"),
        (true, _) => Check::warning(
            NAME,
            format!("it lacks {pending} of this version's migrations"),
            "the next start applies them, and `bonafide migrate` does now",
        ),
        (false, _) => Check::wrong(
            NAME,
            format!("it lacks {pending} migrations, and AUTO_MIGRATE is false"),
            "run `bonafide migrate`",
        ),
    }
}

async fn opened(config: &Config, location: &Location, app: &App) -> Vec<Check> {
    let checks = async {
        Ok::<_, store::Error>(vec![
            version(app, location).await?,
            latency(app).await?,
            master_keys(config, app).await?,
        ])
    };
    let mut checks = match checks.await {
        Ok(checks) => checks,
        Err(error) => return vec![unreachable(config, &error.to_string())],
    };
    checks.extend(clock(app).await);
    checks.extend(fit(app).await);
    checks
}

async fn version(app: &App, location: &Location) -> store::Result<Check> {
    let version = app.store.version().await?;
    Ok(match location {
        Location::Sqlite(_) => Check::fine(NAME, format!("SQLite {}, up to date", version.name)),
        Location::Postgres(_) if version.major < OLDEST_POSTGRES => Check::wrong(
            NAME,
            format!("PostgreSQL {} is too old", version.name),
            format!("upgrade to PostgreSQL {OLDEST_POSTGRES} or newer"),
        ),
        Location::Postgres(_) => {
            Check::fine(NAME, format!("PostgreSQL {}, up to date", version.name))
        }
    })
}

async fn latency(app: &App) -> store::Result<Check> {
    const NAME: &str = "commit latency";
    let taken = app.store.commit_latency().await?;
    let finding = format!(
        "a durable commit takes {:.1} ms",
        taken.as_secs_f64() * 1000.0
    );
    Ok(if taken > SLOW_COMMIT {
        Check::warning(
            NAME,
            finding,
            "every answer waits for one: use a faster disk, or a database that is nearer",
        )
    } else {
        Check::fine(NAME, finding)
    })
}

async fn master_keys(config: &Config, app: &App) -> store::Result<Check> {
    const NAME: &str = "encryption";
    let at_hand = &config.secrets.encryption_keys;
    let used = app.store.master_keys().await?;
    let missing: Vec<_> = used
        .iter()
        .filter(|id| !at_hand.iter().any(|key| key.id == **id))
        .map(String::as_str)
        .collect();
    Ok(if missing.is_empty() {
        Check::fine(NAME, "every master key in use is at hand")
    } else {
        Check::wrong(
            NAME,
            format!(
                "data is sealed under {}, which is not at hand",
                missing.join(", ")
            ),
            "put the key back into ENCRYPTION_KEYS (or restore secrets.toml): without it that \
             data cannot be read",
        )
    })
}

async fn clock(app: &App) -> Option<Check> {
    const NAME: &str = "clock";
    let (before, started) = (SystemClock.now(), Instant::now());
    let there = app.store.database_time().await.ok()??;
    let halfway = SignedDuration::try_from(started.elapsed() / 2).ok()?;
    let skew = there.duration_since(before.checked_add(halfway).ok()?);
    let apart = format!("{:.3} s", skew.abs().as_secs_f64());
    Some(if skew.abs() > SKEW {
        Check::warning(
            NAME,
            format!("this machine and the database are {apart} apart"),
            "let both be set by NTP: expiry and ordering depend on the time",
        )
    } else {
        Check::fine(NAME, format!("within {apart} of the database's"))
    })
}

async fn fit(app: &App) -> Option<Check> {
    const NAME: &str = "keys";
    let check = match keys_fit(app).await.ok()? {
        // Nothing stored, nothing to tell.
        Fit::Untried => return None,
        Fit::Right => Check::fine(NAME, "a stored customer opens and is found under them"),
        Fit::NotOpened => Check::wrong(
            NAME,
            "a stored customer cannot be opened",
            "ENCRYPTION_KEYS holds another key under a known id: restore the right one",
        ),
        Fit::OtherIndex => Check::wrong(
            NAME,
            "INDEX_KEY is not the one that customers were stored with",
            "restore the right one: with another, no customer is found",
        ),
    };
    Some(check)
}
