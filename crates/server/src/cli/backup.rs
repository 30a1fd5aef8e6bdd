//! `bonafide backup`: a copy of the database, beside a running server.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::failure::Failure;
use super::output::Output;
use super::session;
use crate::config::{Config, DatabaseUrl};
use crate::runtime;

/// Copy the database.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct BackupArguments {
    /// The file to make; there must be none of that name
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Serialize)]
struct Copied<'a> {
    file: &'a Path,
    bytes: u64,
}

/// Copies an SQLite database as it stands at one moment.
///
/// # Errors
/// When it cannot be copied, and for PostgreSQL.
pub async fn run(
    arguments: &BackupArguments,
    output: Output,
    config: &Config,
) -> Result<(), Failure> {
    let _log = session::quiet_log(config)?;
    if let DatabaseUrl::Postgres(_) = &config.storage.database {
        let words = "only an SQLite database is copied here";
        return Err(Failure::usage(words).with_hint("for PostgreSQL: docs/backup.md"));
    }
    let file = arguments.file.as_path();
    let copied = runtime::location(config)?.copy_to(file.to_path_buf()).await;
    let bytes = copied.map_err(|error| {
        Failure::failed(error.to_string())
            .with_hint("name a file that is not there yet, in a folder that can be written to")
    })?;
    output.print(&Copied { file, bytes }, || {
        let place = file.display();
        format!("{place}: {bytes} bytes. Keep the secrets as well, in another place.")
    })
}
