//! The use cases as a command has them: opened for a moment, beside a running
//! server or without one, and closed in order.
//!
//! Guarantees: a command's first use of a database works, because the database is
//! brought up to date first (unless `AUTO_MIGRATE=false`); what a command changes
//! is in the audit log as the command's doing; its log is for trouble only.

use std::sync::Arc;
use std::time::Duration;

use app::App;
use app::exchange::Exchange;
use domain::random::uuid_v7;
use store::{Connections, Location};
use tracing_subscriber::filter::{LevelFilter, Targets};

use super::failure::Failure;
use crate::config::Config;
use crate::runtime;
use crate::telemetry::{self, LogGuard};

/// A command does one thing after another.
const CONNECTIONS: Connections = Connections {
    readers: 1,
    writers: 1,
};

/// Does `work` with the use cases open.
///
/// # Errors
/// When the database cannot be used, and those of `work`.
pub async fn with_app<T>(
    config: &Config,
    work: impl AsyncFnOnce(&App) -> Result<T, Failure>,
) -> Result<T, Failure> {
    with_shared_app(config, async |app| work(&app).await).await
}

/// The same for work that shares the use cases with tasks of its own.
///
/// # Errors
/// When the database cannot be used, and those of `work`.
pub async fn with_shared_app<T>(
    config: &Config,
    work: impl AsyncFnOnce(Arc<App>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let _log = quiet_log(config)?;
    let location = runtime::location(config)?;
    bring_up_to_date(config, &location).await?;
    let app = runtime::open(config, &location, CONNECTIONS).await?;
    let result = work(app.clone()).await;
    close(app).await;
    result
}

/// A log of warnings and errors, on the standard error output.
///
/// # Errors
/// There is a log already.
pub fn quiet_log(config: &Config) -> Result<LogGuard, Failure> {
    let warnings = Targets::new().with_default(LevelFilter::WARN);
    telemetry::init(warnings, config.telemetry.log_format, None)
        .map_err(|error| Failure::failed(format!("logging cannot begin: {error}")))
}

async fn bring_up_to_date(config: &Config, location: &Location) -> Result<(), Failure> {
    let migrations = location.migrations().await.map_err(runtime::unusable)?;
    if migrations.pending == 0 {
        return Ok(());
    }
    if config.storage.auto_migrate {
        return runtime::migrate(location, Duration::ZERO).await.map(drop);
    }
    Err(Failure::failed("the database is not up to date")
        .with_hint("`bonafide migrate` brings it up to date"))
}

/// What a command tells the audit log of itself.
pub fn exchange(app: &App, action: &'static str) -> Exchange {
    let at = app.clock.now();
    let exchange = Exchange::new(uuid_v7(at, app.random.as_ref()).to_string(), at, None, None);
    exchange.note_action(action);
    exchange.note_command();
    exchange
}

/// Waits for everything that is written and closes the database.
pub async fn close(app: Arc<App>) {
    let store = app.store.clone();
    drop(app);
    match Arc::try_unwrap(store) {
        Ok(store) => store.close().await,
        // Somebody still works; what it writes is committed before its answer.
        Err(_) => tracing::debug!("the database is still in use"),
    }
}
