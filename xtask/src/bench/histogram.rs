//! Latencies in buckets that grow with the value: small, and true to about three per cent.
//!
//! Guarantees: constant memory, no allocation when recording; a quantile is never reported lower
//! than it was.
//! Must not: keep single values.

use std::time::Duration;

/// Buckets per power of two.
const STEPS: u64 = 32;
const STEP_BITS: u32 = STEPS.trailing_zeros();
/// Enough for values up to 2^42 ns, more than an hour.
const BUCKETS: usize = 40 * STEPS as usize;

/// How often each latency was seen.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    longest: Duration,
}

impl Histogram {
    /// An empty histogram.
    pub fn new() -> Self {
        Self {
            counts: vec![0; BUCKETS],
            total: 0,
            longest: Duration::ZERO,
        }
    }

    /// Counts one latency.
    pub fn record(&mut self, latency: Duration) {
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        let bucket = bucket_of(nanoseconds).min(BUCKETS - 1);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.total += 1;
        self.longest = self.longest.max(latency);
    }

    /// Adds everything that another histogram counted.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.total += other.total;
        self.longest = self.longest.max(other.longest);
    }

    /// How many latencies were counted.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The longest latency.
    pub fn longest(&self) -> Duration {
        self.longest
    }

    /// The latency that `share` (0 to 1) of all did not exceed; zero without any.
    pub fn quantile(&self, share: f64) -> Duration {
        let wanted = (self.total as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if *count > 0 && seen >= wanted {
                return Duration::from_nanos(upper_end(bucket)).min(self.longest);
            }
        }
        self.longest
    }
}

/// Values below `STEPS` have a bucket each; above, each power of two has `STEPS` equal buckets.
fn bucket_of(value: u64) -> usize {
    let magnitude = value.max(1).ilog2().saturating_sub(STEP_BITS);
    let step = value >> magnitude;
    (u64::from(magnitude) * STEPS + step) as usize
}

/// The highest value that falls into this bucket.
fn upper_end(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let magnitude = (bucket / STEPS).saturating_sub(1);
    let step = bucket - magnitude * STEPS;
    ((step + 1) << magnitude) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_lies_in_a_bucket_close_above_it() {
        for value in (0..5_000_000).step_by(97) {
            let end = upper_end(bucket_of(value));
            assert!(end >= value && end <= value + value / 30, "{value} {end}");
        }
    }

    #[test]
    fn quantiles_of_a_ramp() {
        let mut histogram = Histogram::new();
        for microseconds in 1..=1_000 {
            histogram.record(Duration::from_micros(microseconds));
        }
        let median = histogram.quantile(0.5).as_micros();
        assert!((500..=516).contains(&median), "{median}");
        assert_eq!(histogram.quantile(1.0), Duration::from_millis(1));
        assert_eq!(histogram.total(), 1_000);
    }
}
