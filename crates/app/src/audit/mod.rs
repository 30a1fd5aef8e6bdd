//! Writing the audit log, checking it, and reading it out.

mod checkpoints;
mod export;
mod faults;
mod floods;
mod reading;
mod recorder;
mod verify;

pub use checkpoints::Checkpoints;
pub use export::{Exported, ExportedRecord, export};
pub use faults::{BatchPlace, Fault, Place, Report};
pub use recorder::{Draft, Recorder};
pub use verify::{count, verify};
