//! Randomness as an argument, so that the rules stay pure and tests repeatable.

use uuid::Uuid;

/// A source of cryptographically secure random bytes.
pub trait Random: Send + Sync {
    /// Fills `bytes` completely.
    fn fill(&self, bytes: &mut [u8]);
}

/// `N` random bytes.
pub fn bytes<const N: usize>(random: &dyn Random) -> [u8; N] {
    let mut bytes = [0; N];
    random.fill(&mut bytes);
    bytes
}

/// A UUID of version 7 (RFC 9562 §5.7): Unix milliseconds first, so that rows
/// made one after another lie side by side in an index.
pub fn uuid_v7(at: jiff::Timestamp, random: &dyn Random) -> Uuid {
    let milliseconds = u64::try_from(at.as_millisecond()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(milliseconds, &bytes(random)).into_uuid()
}

/// The least UUID of version 7 that can be made at a moment: what was named before it is less.
pub fn least_uuid_v7(at: jiff::Timestamp) -> Uuid {
    let milliseconds = u64::try_from(at.as_millisecond()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(milliseconds, &[0; 10]).into_uuid()
}

#[cfg(test)]
pub(crate) mod fixed {
    //! A repeatable source for tests.

    use std::sync::atomic::{AtomicU8, Ordering};

    /// Counts up, so that no two draws are alike.
    #[derive(Default)]
    pub struct Counting(AtomicU8);

    impl super::Random for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            for byte in bytes {
                *byte = self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
