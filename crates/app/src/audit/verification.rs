//! Checking the log while others work, and how far that has come.
//!
//! One check at a time runs in a process; whoever asks meanwhile is told of that one. What the last one
//! found is kept until the next begins, and not beyond the process.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use super::faults::Report;
use super::verify::{count, verify};
use crate::{App, Result};

/// How a check stands.
#[derive(Debug, Clone)]
pub enum Stage {
    /// None was asked for yet.
    None,
    /// It runs.
    Running {
        /// When it began.
        began_at: Timestamp,
        /// How many records are checked.
        checked: u64,
        /// How many there were when it began.
        of: u64,
    },
    /// It is done.
    Done {
        /// When.
        at: Timestamp,
        /// What was found.
        report: Arc<Report>,
    },
    /// It could not be carried out.
    Failed {
        /// When.
        at: Timestamp,
    },
}

/// The check of this process.
#[derive(Default)]
pub struct Verification(Mutex<Known>);

#[derive(Default)]
enum Known {
    #[default]
    Nothing,
    Running {
        began_at: Timestamp,
        checked: Arc<AtomicU64>,
        of: u64,
    },
    Done(Timestamp, Arc<Report>),
    Failed(Timestamp),
}

impl Verification {
    /// How it stands.
    pub fn stage(&self) -> Stage {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Known::Nothing => Stage::None,
            Known::Running {
                began_at,
                checked,
                of,
            } => Stage::Running {
                began_at: *began_at,
                checked: checked.load(Ordering::Relaxed),
                of: *of,
            },
            Known::Done(at, report) => Stage::Done {
                at: *at,
                report: report.clone(),
            },
            Known::Failed(at) => Stage::Failed { at: *at },
        }
    }

    fn set(&self, known: Known) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = known;
    }

    /// Takes the place of whoever checks, unless somebody does.
    fn begin(&self, began_at: Timestamp, of: u64) -> Option<Arc<AtomicU64>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*known, Known::Running { .. }) {
            return None;
        }
        let checked = Arc::new(AtomicU64::new(0));
        *known = Known::Running {
            began_at,
            checked: checked.clone(),
            of,
        };
        Some(checked)
    }
}

/// Has the whole log checked, unless that is under way, and returns at once.
///
/// # Errors
/// [`crate::Code::Unavailable`] when the database is away.
pub async fn begin_verification(app: &Arc<App>) -> Result<()> {
    let of = count(&app.store).await?;
    let Some(checked) = app.verification.begin(app.clock.now(), of) else {
        return Ok(());
    };
    let app = app.clone();
    tokio::spawn(async move {
        let kept_from = app.retention.must_be_kept_from(app.clock.now());
        let report = verify(&app.store, Some(&app.key_ring), kept_from, &[], |records| {
            checked.store(records, Ordering::Relaxed);
        });
        let known = match report.await {
            Ok(report) => Known::Done(app.clock.now(), Arc::new(report)),
            Err(error) => {
                tracing::warn!(cause = error.cause(), "the audit log could not be checked");
                Known::Failed(app.clock.now())
            }
        };
        app.verification.set(known);
    });
    Ok(())
}
