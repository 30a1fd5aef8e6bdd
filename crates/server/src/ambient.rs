//! The real clock and real randomness: the one place that asks the machine for
//! either. Everything else takes them as arguments.

use domain::clock::Clock;
use domain::random::Random;
use jiff::Timestamp;
use rand::Rng as _;

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

/// Cryptographically secure randomness: each thread's own generator (ChaCha),
/// seeded and seeded again by the operating system.
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        rand::rng().fill_bytes(bytes);
    }
}
