//! The real environment: the process's variables, the file `.env`, the data directory.
//!
//! A variable of the process wins over the same name in `.env`. Neither is ever changed.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;

use super::problems::Problems;
use super::{Config, Outside, reader, secrets};

/// The configuration of this process, with `.env` of the working directory.
///
/// # Errors
/// Every problem there is, together.
pub fn load() -> Result<Config, Problems> {
    Config::load(
        variables(Path::new(".env"), std::env::vars_os())?,
        &Outside {
            read_file: &|path| std::fs::read_to_string(path),
            stored_secrets: &secrets::stored,
        },
    )
}

/// What [`look`] found.
pub struct Looked {
    /// The configuration.
    pub config: Config,
    /// Whether its secrets are made up, because the first start has yet to make them.
    pub secrets_to_come: bool,
}

/// The configuration of this process, read without making anything on the disk.
///
/// # Errors
/// Every problem there is, together.
pub fn look() -> Result<Looked, Problems> {
    let to_come = Cell::new(false);
    let stored_secrets = |data_dir: &Path| {
        if data_dir.join(secrets::FILE_NAME).exists() {
            return secrets::stored(data_dir);
        }
        to_come.set(true);
        secrets::unkept()
    };
    let config = Config::load(
        variables(Path::new(".env"), std::env::vars_os())?,
        &Outside {
            read_file: &|path| std::fs::read_to_string(path),
            stored_secrets: &stored_secrets,
        },
    )?;
    Ok(Looked {
        config,
        secrets_to_come: to_come.get(),
    })
}

/// The variables of `file` and of the process, which win.
///
/// # Errors
/// The file cannot be read, or one of our variables is no text.
pub fn variables(
    file: &Path,
    process: impl IntoIterator<Item = (std::ffi::OsString, std::ffi::OsString)>,
) -> Result<BTreeMap<String, String>, Problems> {
    let mut problems = Problems::default();
    let mut variables = file_variables(file, &mut problems);
    for (name, value) in process {
        let Ok(name) = name.into_string() else {
            continue;
        };
        // An empty value is no value, so it does not hide the one in the file.
        match value.into_string() {
            Ok(value) if value.is_empty() => {
                variables.entry(name).or_insert(value);
            }
            Ok(value) => {
                variables.insert(name, value);
            }
            Err(_) if reader::is_known(&name) => problems.add(name, "is not UTF-8 text"),
            Err(_) => {}
        }
    }
    if problems.is_empty() {
        Ok(variables)
    } else {
        Err(problems)
    }
}

fn file_variables(file: &Path, problems: &mut Problems) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    let entries = match dotenvy::from_path_iter(file) {
        Ok(entries) => entries,
        Err(error) if error.not_found() => return variables,
        Err(_) => {
            problems.add(file.display().to_string(), "cannot be read");
            return variables;
        }
    };
    let mut place = "at its beginning".to_owned();
    for entry in entries {
        match entry {
            Ok((name, value)) => {
                place = format!("after {name}");
                variables.insert(name, value);
            }
            // The error itself would repeat the line, which may hold a secret.
            Err(_) => problems.add(
                file.display().to_string(),
                format!(
                    "has a malformed line {place}: write NAME=value, in quotes if it holds spaces"
                ),
            ),
        }
    }
    variables
}
