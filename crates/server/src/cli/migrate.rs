//! `bonafide migrate`: brings the database up to date.

use clap::Args;
use serde::Serialize;

use super::failure::Failure;
use super::output::Output;
use super::session;
use crate::config::Config;
use crate::runtime;

/// Bring the database up to date.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct MigrateArguments {}

#[derive(Serialize)]
struct Migrated {
    applied: usize,
}

/// Applies what is missing, and says how much that was.
///
/// # Errors
/// When the database stays away, or refuses.
pub async fn run(output: Output, config: &Config) -> Result<(), Failure> {
    let _log = session::quiet_log(config)?;
    let location = runtime::location(config)?;
    let applied = runtime::migrate(&location, runtime::START_PATIENCE).await?;
    output.print(&Migrated { applied }, || match applied {
        0 => "The database is already up to date.".to_owned(),
        1 => "1 migration was applied; the database is up to date.".to_owned(),
        many => format!("{many} migrations were applied; the database is up to date."),
    })
}
