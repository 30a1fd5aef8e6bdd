//! How the server tells of itself: log lines, what is said about a panic, and what others are told.
//!
//! Lines go to the standard error output, in UTC, written in batches by a thread of their own so
//! that no request waits for a terminal or a pipe. A panic is reported by its place only: its
//! message may quote data of a person.

pub mod reports;
pub mod telling;
pub mod traces;

use std::io::{self, BufWriter};
use std::panic::PanicHookInfo;

use tracing::Subscriber;
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry;
use tracing_subscriber::registry::LookupSpan;

use crate::config::LogFormat;
use crate::http::conventions::visit;
use reports::Reporter;

/// Lines that may wait to be written; beyond that, those who log wait instead of losing lines.
const WAITING_LINES: usize = 65_536;

/// Writes the last lines when dropped: keep it until the end of `main`.
#[must_use = "dropping it ends the log"]
pub struct LogGuard {
    _worker: WorkerGuard,
}

/// Starts the log of this process, to which `reporter` listens, and takes over the report of panics.
///
/// # Errors
/// The process has a log already.
pub fn init(
    level: Targets,
    format: LogFormat,
    reporter: Option<Reporter>,
) -> Result<LogGuard, tracing::subscriber::SetGlobalDefaultError> {
    let (writer, worker) = batches(BufWriter::new(io::stderr()));
    let reporter = reporter.map(|reporter| reporter.with_filter(LevelFilter::WARN));
    tracing::subscriber::set_global_default(subscriber(level, format, writer).with(reporter))?;
    std::panic::set_hook(Box::new(report_panic));
    Ok(LogGuard { _worker: worker })
}

fn batches(output: impl io::Write + Send + 'static) -> (NonBlocking, WorkerGuard) {
    NonBlockingBuilder::default()
        .lossy(false)
        .buffered_lines_limit(WAITING_LINES)
        .thread_name("log")
        .finish(output)
}

/// What turns events into lines of `format` on `writer`.
pub fn subscriber<W>(
    level: Targets,
    format: LogFormat,
    writer: W,
) -> impl Subscriber + for<'a> LookupSpan<'a> + Send + Sync + 'static
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_ansi(false);
    let lines = match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .boxed(),
    };
    registry().with(lines.with_filter(level))
}

/// Logs where a panic happened, and nothing of what it said.
pub fn report_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    let thread = std::thread::current();
    let request_id = visit::current(|visit| visit.exchange().request_id.clone());
    tracing::error!(
        request_id = request_id.as_deref().unwrap_or_default(),
        place = place.as_deref().unwrap_or("unknown"),
        thread = thread.name().unwrap_or("unnamed"),
        "a task panicked, which is a defect of this program: please report it"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged at `level` while `work` runs.
    fn log(level: &str, format: LogFormat, work: impl FnOnce()) -> String {
        let memory = Memory::default();
        let (writer, worker) = batches(memory.clone());
        let subscriber = subscriber(level.parse().unwrap(), format, writer);
        tracing::subscriber::with_default(subscriber, work);
        drop(worker);
        String::from_utf8(memory.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn json_lines_are_objects_with_a_time_in_utc() {
        let text = log("info", LogFormat::Json, || {
            tracing::info!(status = 200, "answered");
        });
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["level"], "INFO");
        assert_eq!(line["message"], "answered");
        assert_eq!(line["status"], 200);
        let time = line["timestamp"].as_str().unwrap();
        assert!(time.ends_with('Z') && time.parse::<jiff::Timestamp>().is_ok());
    }

    #[test]
    fn a_level_holds_but_for_its_exceptions() {
        let work = || {
            tracing::debug!("own detail");
            tracing::info!(target: "other", "foreign news");
            tracing::warn!(target: "other", "foreign trouble");
        };
        let text = log("warn,bonafide=debug", LogFormat::Text, work);
        assert!(text.contains("own detail") && text.contains("foreign trouble"));
        assert!(!text.contains("foreign news"));
        assert!(!text.contains('\u{1b}'), "no colours in a file");
    }

    #[test]
    fn a_panic_tells_its_place_and_not_its_message() {
        let text = log("info", LogFormat::Text, || {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(report_panic));
            let ended = std::panic::catch_unwind(|| panic!("hunter2"));
            std::panic::set_hook(before);
            assert!(ended.is_err());
        });
        assert!(text.contains("telemetry/mod.rs:"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}
