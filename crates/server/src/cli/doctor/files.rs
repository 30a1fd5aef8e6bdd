//! Secrets and the data directory on the disk, and the files that are kept beside the database.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::check::Check;
use crate::cli::output::counted;
use crate::config::environment::Looked;
use crate::config::secrets::FILE_NAME;
use crate::config::{Config, DatabaseUrl};
use crate::erasure_list::ErasureList;

/// Bytes free below which the server has not long to live.
const SCARCE: u64 = 100 << 20;

/// Bytes free below which somebody should look.
const LITTLE: u64 = 1 << 30;

/// The files of an installation.
pub fn checks(looked: &Looked) -> Vec<Check> {
    let mut checks = vec![secrets(looked)];
    checks.extend(
        folders(&looked.config)
            .iter()
            .map(|folder| directory(folder)),
    );
    checks.extend(erasure_list(&looked.config));
    checks.extend(checkpoint_file(&looked.config));
    checks
}

fn secrets(looked: &Looked) -> Check {
    const NAME: &str = "secrets";
    let file = looked.config.storage.data_dir.join(FILE_NAME);
    let place = file.display();
    // A file that others can read was refused with the configuration.
    match &looked.config.storage.database {
        _ if looked.secrets_to_come => {
            Check::fine(NAME, format!("none yet: the first start makes {place}"))
        }
        DatabaseUrl::Sqlite(_) if file.exists() => Check::fine(
            NAME,
            format!("{place} can be read by its owner only; keep a copy of it elsewhere"),
        ),
        _ => Check::fine(NAME, "set as variables"),
    }
}

/// The folders that are written to: with PostgreSQL, none.
fn folders(config: &Config) -> Vec<PathBuf> {
    let DatabaseUrl::Sqlite(file) = &config.storage.database else {
        return Vec::new();
    };
    let mut folders = vec![config.storage.data_dir.clone()];
    let beside = file.parent().map(Path::to_path_buf).unwrap_or_default();
    if resolved(&beside) != resolved(&config.storage.data_dir) {
        folders.push(beside);
    }
    folders
}

/// One spelling for each folder, whether it exists or not.
fn resolved(folder: &Path) -> PathBuf {
    std::path::absolute(folder)
        .map(|path| path.canonicalize().unwrap_or(path))
        .unwrap_or_else(|_| folder.to_path_buf())
}

fn directory(folder: &Path) -> Check {
    const NAME: &str = "data directory";
    let place = folder.display();
    let existing = nearest_existing(folder);
    // The probe has no name, so nothing is left behind even if this process dies.
    if let Err(error) = tempfile::tempfile_in(&existing) {
        return Check::wrong(
            NAME,
            format!("{place} cannot be written to: {}", error.kind()),
            "give the user that runs the server the right to write there, or set DATA_DIR",
        );
    }
    let coming = match folder.exists() {
        true => "",
        false => " (made at the first start)",
    };
    match free_bytes(&existing) {
        None => Check::fine(NAME, format!("{place} can be written to{coming}")),
        Some(free) if free < SCARCE => Check::wrong(
            NAME,
            format!("{place} has only {} left", in_units(free)),
            "make room: without it every change is refused",
        ),
        Some(free) if free < LITTLE => Check::warning(
            NAME,
            format!("{place} has only {} left", in_units(free)),
            "make room soon",
        ),
        Some(free) => Check::fine(
            NAME,
            format!("{place} can be written to, {} free{coming}", in_units(free)),
        ),
    }
}

/// The erasure list, read as a start reads it, and whether it can be written on.
fn erasure_list(config: &Config) -> Option<Check> {
    const NAME: &str = "erasure list";
    let file = config.erasure_list.as_deref()?;
    let place = file.display();
    let listed = match ErasureList::at(file.to_path_buf()).read() {
        Ok(listed) => counted(listed.len() as u64, "erasure"),
        Err(problem) => {
            return Some(Check::wrong(
                NAME,
                format!("{place} cannot be read: {problem}"),
                "let the user that runs the server read it, or restore it from a copy: until then \
                 no server starts",
            ));
        }
    };
    Some(match append_to(file, config) {
        Ok(()) if file.exists() => Check::fine(NAME, format!("{place} holds {listed}")),
        Ok(()) => Check::fine(NAME, format!("{place} is made with the first erasure")),
        Err(error) => Check::wrong(
            NAME,
            format!("{place} cannot be written to: {}", error.kind()),
            "give the user that runs the server the right to write there, in a folder that \
             exists, or set ERASURE_LIST_FILE to another place",
        ),
    })
}

/// The file of the checkpoints, whether it can be written on.
fn checkpoint_file(config: &Config) -> Option<Check> {
    const NAME: &str = "checkpoint file";
    let file = config.checkpoints.file.as_deref()?;
    let place = file.display();
    Some(match append_to(file, config) {
        Ok(()) if file.exists() => Check::fine(NAME, format!("{place} can be appended to")),
        Ok(()) => Check::fine(NAME, format!("{place} is made with the first checkpoint")),
        Err(error) => Check::wrong(
            NAME,
            format!("{place} cannot be written to: {}", error.kind()),
            "give the user that runs the server the right to write there, in a folder that \
             exists, or set CHECKPOINT_FILE to another place",
        ),
    })
}

/// Opens a file to append to it, and appends nothing. Where there is none, its folder has to be one
/// that can be written to.
fn append_to(file: &Path, config: &Config) -> io::Result<()> {
    match OpenOptions::new().read(true).append(true).open(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            tempfile::tempfile_in(folder_of(file, config)).map(drop)
        }
        opened => opened.map(drop),
    }
}

/// The folder in which a file is to be made. Nobody makes it for its sake; one that the first start
/// makes is judged by the one above.
fn folder_of(file: &Path, config: &Config) -> PathBuf {
    let file = resolved(file);
    let folder = resolved(file.parent().unwrap_or(&file));
    let is_to_come = folders(config).iter().any(|made| resolved(made) == folder);
    match is_to_come {
        true => nearest_existing(&folder),
        false => folder,
    }
}

fn nearest_existing(folder: &Path) -> PathBuf {
    resolved(folder)
        .ancestors()
        .find(|path| path.exists())
        .map_or_else(|| PathBuf::from("/"), Path::to_path_buf)
}

fn free_bytes(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

fn in_units(bytes: u64) -> String {
    match bytes >> 30 {
        0 => format!("{} MiB", bytes >> 20),
        whole => format!("{whole} GiB"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::check::Verdict;

    #[test]
    fn a_folder_to_come_is_judged_by_the_one_above() {
        let above = tempfile::tempdir().unwrap();
        let check = directory(&above.path().join("a/b"));
        assert_ne!(check.verdict, Verdict::Wrong, "{check:?}");
        assert!(!above.path().join("a").exists());
    }

    #[test]
    fn what_is_no_folder_is_wrong() {
        let above = tempfile::tempdir().unwrap();
        let file = above.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(directory(&file).verdict, Verdict::Wrong);
    }

    #[test]
    fn space_is_told_in_round_units() {
        assert_eq!(in_units(5 << 20), "5 MiB");
        assert_eq!(in_units(3 << 30), "3 GiB");
    }
}
