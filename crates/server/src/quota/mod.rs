//! Quotas, kept in this process or in Redis.
//!
//! Both keep the same sliding window, to the millisecond of the rules in `domain::rate`; with Redis
//! all instances share it.

mod ahead;
mod link;
pub mod memory;
pub mod redis;

use std::sync::Arc;
use std::time::Instant;

/// A clock in milliseconds from any fixed start.
pub type Milliseconds = Arc<dyn Fn() -> u64 + Send + Sync>;

/// A clock that no adjustment of the time of day disturbs.
#[must_use]
pub fn steady_clock() -> Milliseconds {
    let start = Instant::now();
    Arc::new(move || u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX))
}
