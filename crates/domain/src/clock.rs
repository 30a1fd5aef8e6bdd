//! Time as an argument, so that a year passes in a test in a millisecond.

use jiff::Timestamp;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Now, in whole microseconds: what is stored is what was decided on.
    fn now(&self) -> Timestamp;
}
