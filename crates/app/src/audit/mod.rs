//! Writing the audit log, checking it, and reading it out.

mod checkpoints;
mod export;
mod floods;
mod recorder;
mod verify;

pub use checkpoints::Checkpoints;
pub use export::{ExportedRecord, export};
pub use recorder::{Draft, Recorder};
pub use verify::{Fault, Report, count, verify};
