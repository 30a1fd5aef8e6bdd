//! Writing the audit log, checking it, and reading it out.

mod checkpoints;
mod export;
mod faults;
mod floods;
mod index;
mod list;
mod place;
mod reading;
mod recorder;
mod retire;
mod verify;

pub use checkpoints::Checkpoints;
pub use export::{Export, Exported, ExportedRecord, Range};
pub use faults::{BatchPlace, Fault, Place, Report};
pub use index::extend_index;
pub use list::{Cursor, Filter, Listed, Whom, list};
pub use place::place_of;
pub use recorder::{Draft, Recorder};
pub use retire::{make_months, retire};
pub use verify::{count, verify};
