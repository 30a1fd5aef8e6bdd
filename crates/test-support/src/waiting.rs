//! Waiting, with a limit, for something that another process does.
//!
//! Guarantees: returns as soon as the probe succeeds, and never later than the limit plus one probe.
//! Must not: be used where an event or an injected clock can say the same.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long to rest between two looks at a foreign process.
const PAUSE: Duration = Duration::from_millis(5);

/// Calls `probe` until it returns a value; an error of the probe, or `limit` going by, ends the wait.
///
/// `what` completes the sentence "… did not happen within 10s".
pub fn wait_for<T>(
    what: &str,
    limit: Duration,
    mut probe: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = probe()? {
            return Ok(value);
        }
        if Instant::now() >= deadline {
            bail!("{what} did not happen within {limit:?}");
        }
        rest();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a foreign process gives no event to wait for, and this thread serves nobody else"
)]
fn rest() {
    std::thread::sleep(PAUSE);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returns_the_first_value() {
        let mut looks = 0;
        let value = wait_for("the third look", Duration::from_secs(5), || {
            looks += 1;
            Ok((looks == 3).then_some(looks))
        });
        assert_eq!(value.unwrap(), 3);
    }

    #[test]
    fn gives_up_with_a_sentence() {
        let error = wait_for::<()>("nothing", Duration::from_millis(10), || Ok(None)).unwrap_err();
        assert_eq!(error.to_string(), "nothing did not happen within 10ms");
    }
}
