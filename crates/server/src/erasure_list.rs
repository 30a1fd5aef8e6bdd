//! The erasure list as a file: one erasure a line, as JSON, with nothing in it that names anybody.
//!
//! Guarantees: a line is on the disk before the next is begun; what could not be written, because
//! the file was away or the process ended, is written the next time. Several instances may share one
//! file: an erasure that is written twice is one erasure.

use std::collections::HashSet;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use app::App;
use app::forget::{self, Erasure};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The file of the list.
#[derive(Clone, Debug)]
pub struct ErasureList {
    path: PathBuf,
}

/// An erasure as it is written down.
#[derive(Serialize, Deserialize)]
pub struct Line {
    erasure_id: Uuid,
    company_id: String,
    erased_at: Timestamp,
    keys: Vec<Uuid>,
}

impl From<Erasure> for Line {
    fn from(erasure: Erasure) -> Self {
        Self {
            erasure_id: erasure.id,
            company_id: erasure.company_id,
            erased_at: erasure.at,
            keys: erasure.keys,
        }
    }
}

impl From<Line> for Erasure {
    fn from(line: Line) -> Self {
        Self {
            id: line.erasure_id,
            company_id: line.company_id,
            at: line.erased_at,
            keys: line.keys,
        }
    }
}

/// Reads a list; a line that was cut off at its end, by a crash, counts as not written.
///
/// # Errors
/// What cannot be read, with the number of its line.
pub fn parse(text: &str) -> Result<Vec<Erasure>, String> {
    let mut erasures = Vec::new();
    for (at, line) in text.split_inclusive('\n').enumerate() {
        let is_whole = line.ends_with('\n');
        match serde_json::from_str::<Line>(line) {
            Ok(line) => erasures.push(line.into()),
            Err(_) if line.trim().is_empty() || !is_whole => {}
            Err(error) => return Err(format!("line {}: {error}", at + 1)),
        }
    }
    Ok(erasures)
}

impl ErasureList {
    /// The list at a path; the file is made when it is first written.
    #[must_use]
    pub const fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// What is written down.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn read(&self) -> Result<Vec<Erasure>, String> {
        match std::fs::read_to_string(&self.path) {
            Ok(text) => parse(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Writes down every erasure of the database that is not yet.
    ///
    /// # Errors
    /// Why that failed; the next time makes up for it.
    pub async fn keep_up(&self, app: &App) -> Result<u64, String> {
        let list = self.clone();
        let known = tokio::task::spawn_blocking(move || list.read());
        let known = known.await.map_err(|error| error.to_string())??;
        let known: HashSet<Uuid> = known.iter().map(|erasure| erasure.id).collect();
        let (mut after, mut lines, mut count) = (None, Vec::new(), 0);
        loop {
            let page = forget::list(app, after).await;
            let page = page.map_err(|error| error.cause().unwrap_or("unknown").to_owned())?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            for erasure in page {
                if !known.contains(&erasure.id) {
                    let line = Line::from(erasure);
                    serde_json::to_writer(&mut lines, &line).map_err(|error| error.to_string())?;
                    lines.push(b'\n');
                    count += 1;
                }
            }
        }
        let path = self.path.clone();
        let appended = tokio::task::spawn_blocking(move || append(&path, &lines));
        let appended = appended.await.map_err(|error| error.to_string())?;
        appended.map(|()| count).map_err(|error| error.to_string())
    }

    /// The same where nobody can be told but the log: the person is erased all the same.
    pub async fn keep_up_or_warn(&self, app: &App) {
        if let Err(cause) = self.keep_up(app).await {
            tracing::warn!(
                cause,
                "an erasure is not written down; the next one makes up for it"
            );
        }
    }
}

/// Appends lines, and returns when they are on the disk. A line that was cut off before is ended.
fn append(path: &Path, lines: &[u8]) -> io::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let before = std::fs::read(path).unwrap_or_default();
    let is_cut_off = before.last().is_some_and(|last| *last != b'\n');
    let mut options = OpenOptions::new();
    let mut file = options.create(true).append(true).mode(0o600).open(path)?;
    if is_cut_off {
        let whole = before.iter().rposition(|byte| *byte == b'\n');
        file.set_len(whole.map_or(0, |at| at as u64 + 1))?;
    }
    file.write_all(lines)?;
    file.sync_all()
}
