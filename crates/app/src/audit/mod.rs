//! Writing the audit log, checking it, proving what stands in it, and reading it out.

mod announce;
mod checkpoints;
mod digest;
mod export;
mod faults;
mod floods;
mod list;
mod place;
mod prove;
mod reading;
mod recorder;
mod requests;
mod retire;
mod show;
mod spans;
mod verification;
mod verify;

pub use announce::{Announce, Announcements, CHECKPOINT, Published, published};
pub use checkpoints::Checkpoints;
pub use digest::{count_hours, extend_index, forget_hours};
pub use export::{Export, Exported, ExportedRecord, Range};
pub use faults::{BatchPlace, Fault, Place, Report};
pub use list::{Cursor, Filter, Listed, Page, Whom, list, list_about};
pub use place::place_of;
pub use prove::{Proven, keys, prove, prove_for};
pub use recorder::{Draft, Recorder};
pub use requests::places_of_request;
pub use retire::{make_months, retire};
pub use show::show;
pub use verification::{Stage, Verification, begin_verification};
pub use verify::{Kept, count, verify};
