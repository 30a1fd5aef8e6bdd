//! What the drills share: a load that remembers what it was answered, a receiver that remembers what
//! it was told, and the look afterwards at whether all of it is there.
//!
//! Guarantees: everything runs on loopback and ends with its handle; what was answered is looked for
//! from outside, by the interface and by the operator's commands.
//! Must not: know which fault it is.

pub mod load;
pub mod proof;
pub mod receiver;
pub mod site;
pub mod table;

use std::time::Duration;

/// Lets a fault last, or a load go on.
#[expect(
    clippy::disallowed_methods,
    reason = "the thread that leads a drill serves nobody, and a fault has no event but its length"
)]
pub fn rest(time: Duration) {
    std::thread::sleep(time);
}
