//! The real clock and real randomness: the one place that asks the machine for
//! either. Everything else takes them as arguments.

use domain::clock::Clock;
use domain::random::Random;
use jiff::Timestamp;

/// The machine's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(
        clippy::disallowed_methods,
        reason = "this is the clock that is injected"
    )]
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        // Stored times are microseconds; what is decided on must be what is stored.
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }
}

/// The operating system's randomness, by way of a generator of this process.
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        // The generator fails only when the system has no randomness to give; a
        // predictable key would be worse than a dead process.
        if aws_lc_rs::rand::fill(bytes).is_err() {
            std::process::abort();
        }
    }
}
