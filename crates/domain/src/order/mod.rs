//! An order that waits for proofs.
//!
//! Whoever has proven everything gets the order at once; everybody else's is held, reminded of,
//! and released by the last proof, or expires. [`next`] knows where an order goes from here,
//! [`Schedule`] when its customer is reminded and how long it waits. Neither knows a clock.

mod hold;
mod missing;
mod schedule;
mod status;

pub use hold::{Next, Occasion, is_overdue, next, placed};
pub use missing::Missing;
pub use schedule::{Schedule, ScheduleError};
pub use status::Status;
