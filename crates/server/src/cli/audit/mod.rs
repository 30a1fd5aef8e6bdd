//! `bonafide audit …`: checking the audit log, proving what stands in it, and reading it out.

mod proofs;

use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use app::App;
use app::audit::{self, Export, Exported, ExportedRecord, Kept, Range, Report};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use serde::Serialize;

use super::failure::Failure;
use super::of_app;
use super::output::{Output, counted};
use super::session::with_app;
use crate::config::{Config, environment};
use crate::http::audit::CheckpointDocument;

/// The audit log.
#[derive(Subcommand, Clone, Debug)]
pub enum AuditCommand {
    /// Check that no record was changed, removed, inserted or reordered; exit code 1 if one was
    Verify(VerifyArguments),
    /// Print records as JSON, one a line, the oldest of each log first
    Export(ExportArguments),
    /// Print the proof that a record is in the log, as JSON: one a line when a request has several
    Prove(proofs::ProveArguments),
    /// Check proofs and receipts, offline, with nothing but a public key; exit code 1 if one does not hold
    Check(proofs::CheckArguments),
    /// Print the public key that signs checkpoints
    Key,
    /// Have another key sign checkpoints; the key before signs that it is the next
    RotateKey,
}

/// What to compare the log with.
#[derive(Args, Clone, Debug, Default)]
pub struct VerifyArguments {
    /// A file of checkpoints that was kept elsewhere, as `CHECKPOINT_FILE` is written: what was cut
    /// off or written anew since is found
    #[arg(long, value_name = "FILE")]
    pub checkpoints: Option<PathBuf>,
}

/// Which records to print; without a range, all of them.
#[derive(Args, Clone, Debug, Default)]
pub struct ExportArguments {
    /// The first moment, for example 2026-01-01T00:00:00Z
    #[arg(long, value_name = "TIME")]
    pub from: Option<Timestamp>,
    /// The moment to stop before, for example 2026-02-01T00:00:00Z
    #[arg(long, value_name = "TIME")]
    pub to: Option<Timestamp>,
}

/// Does what is asked.
///
/// # Errors
/// Why it was not done; for `verify` also that something was found.
pub async fn run(command: AuditCommand, output: Output) -> Result<(), Failure> {
    match command {
        // No configuration and no database: whoever checks a proof may have neither.
        AuditCommand::Check(arguments) => proofs::check(&arguments, output),
        command => of_database(command, output, &environment::load()?).await,
    }
}

async fn of_database(
    command: AuditCommand,
    output: Output,
    config: &Config,
) -> Result<(), Failure> {
    with_app(config, async |app| match command {
        AuditCommand::Verify(arguments) => verify(app, &arguments, output).await,
        AuditCommand::Export(range) => export(app, &range).await,
        AuditCommand::Prove(wanted) => proofs::prove(app, &wanted).await,
        AuditCommand::Key => proofs::key(app, output).await,
        AuditCommand::RotateKey => proofs::rotate_key(app, output).await,
        AuditCommand::Check(arguments) => proofs::check(&arguments, output),
    })
    .await
}

/// What was checked, as programs read it.
#[derive(Serialize)]
struct Verified {
    logs: u64,
    batches: u64,
    records: u64,
    checkpoints: u64,
    kept: u64,
    faults: Vec<String>,
}

async fn verify(app: &App, arguments: &VerifyArguments, output: Output) -> Result<(), Failure> {
    let kept = match &arguments.checkpoints {
        Some(file) => kept(file)?,
        None => Vec::new(),
    };
    let bar = progress_bar(audit::count(&app.store).await.map_err(of_app)?);
    let report = audit::verify(
        &app.store,
        Some(&app.key_ring),
        app.retention.must_be_kept_from(app.clock.now()),
        &kept,
        |records| {
            bar.set_position(records);
        },
    )
    .await;
    bar.finish_and_clear();
    let report = report.map_err(of_app)?;
    output.print(&verified(&report), || in_words(&report))?;
    match report.faults.len() {
        0 => Ok(()),
        faults => Err(Failure::failed(format!(
            "the audit log is not as it was written: {}",
            counted(faults as u64, "fault")
        ))
        .with_hint("compare with a backup, and keep the database as it is for the investigation")),
    }
}

/// The checkpoints of a file.
fn kept(file: &Path) -> Result<Vec<Kept>, Failure> {
    let text = proofs::read(file)?;
    let lines = text.lines().zip(1_u64..);
    let kept = lines.map(|(line, number)| {
        let document: Option<CheckpointDocument> = serde_json::from_str(line).ok();
        document
            .and_then(|document| document.kept())
            .ok_or_else(|| {
                Failure::failed(format!(
                    "line {number} of {} is no checkpoint",
                    file.display()
                ))
                .with_hint("name a file that CHECKPOINT_FILE wrote, whole")
            })
    });
    kept.collect()
}

/// Seen when a person watches; `indicatif` shows nothing on what is no terminal.
fn progress_bar(records: u64) -> ProgressBar {
    drawn(
        Some(records),
        "{bar:40} {human_pos} of {human_len} records, {eta} left",
    )
}

/// The same for an export, of which nobody knows how many records it will have. On a terminal the
/// records themselves are seen.
fn export_bar() -> ProgressBar {
    match io::stdout().is_terminal() {
        true => ProgressBar::hidden(),
        false => drawn(None, "{spinner} {human_pos} records"),
    }
}

fn drawn(records: Option<u64>, template: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(records, ProgressDrawTarget::stderr());
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn verified(report: &Report) -> Verified {
    Verified {
        logs: report.logs,
        batches: report.batches,
        records: report.records,
        checkpoints: report.checkpoints,
        kept: report.kept,
        faults: report.faults.iter().map(ToString::to_string).collect(),
    }
}

/// Every fault on a line of its own, then what was checked.
pub fn in_words(report: &Report) -> String {
    let faults = report.faults.iter().map(ToString::to_string);
    let kept = match report.kept {
        0 => String::new(),
        kept => format!(
            ", compared with {} kept elsewhere",
            counted(kept, "checkpoint")
        ),
    };
    let checked = format!(
        "checked {} in {} of {}, under {}{kept}",
        counted(report.records, "record"),
        counted(report.batches, "batch"),
        counted(report.logs, "log"),
        counted(report.checkpoints, "signed checkpoint"),
    );
    let verdict = match report.faults.len() {
        0 => format!("The audit log is intact: {checked}."),
        _ => format!("The audit log is NOT intact: {checked}."),
    };
    faults.chain([verdict]).collect::<Vec<_>>().join("\n")
}

async fn export(app: &App, range: &ExportArguments) -> Result<(), Failure> {
    let mut lines = Lines {
        output: BufWriter::new(io::stdout().lock()),
        failed: None,
    };
    let exported = write_all(app, range, &mut lines).await;
    match (lines.finish(), exported) {
        // A reader that has seen enough is no error.
        (Some(error), _) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        (Some(error), _) => Err(Failure::failed(format!(
            "the records cannot be printed: {error}"
        ))),
        (None, exported) => complete(exported.map_err(of_app)?),
    }
}

async fn write_all(
    app: &App,
    range: &ExportArguments,
    lines: &mut Lines<impl Write>,
) -> app::Result<Exported> {
    let range = Range {
        company: None,
        from: range.from,
        to: range.to,
    };
    let bar = export_bar();
    let mut export = Export::begin(app, range).await?;
    while let Some(page) = export.next().await? {
        page.iter().try_for_each(|record| lines.write(record))?;
        bar.inc(page.len() as u64);
    }
    bar.finish_and_clear();
    Ok(export.exported())
}

/// Whether everything there is was read.
fn complete(exported: Exported) -> Result<(), Failure> {
    match exported.unreadable {
        0 => Ok(()),
        unreadable => Err(Failure::failed(format!(
            "the export is not complete: {} could not be read",
            counted(unreadable, "batch")
        ))
        .with_hint("`bonafide audit verify` names what does not fit")),
    }
}

/// Records on their way out; the first failure of the output is kept.
struct Lines<W: Write> {
    output: BufWriter<W>,
    failed: Option<io::Error>,
}

impl<W: Write> Lines<W> {
    fn write(&mut self, record: &ExportedRecord) -> app::Result<()> {
        let written = serde_json::to_writer(&mut self.output, record)
            .map_err(io::Error::from)
            .and_then(|()| self.output.write_all(b"\n"));
        written.map_err(|error| {
            let stopped = app::Error::internal(&error);
            self.failed = Some(error);
            stopped
        })
    }

    fn finish(mut self) -> Option<io::Error> {
        self.failed.take().or_else(|| self.output.flush().err())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_left_is_told_from_other_failures() {
        let mut lines = Lines {
            output: BufWriter::new(Closed),
            failed: None,
        };
        lines.output.write_all(b"{}").unwrap();
        let error = lines.finish().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
