//! How often a caller may ask.
//!
//! A quota always answers: when its shared memory is out of reach it decides on its own and says so
//! in [`Quota::health`]. It is no place for business rules: it may forget everything at any time.

use std::sync::Arc;
use std::time::Duration;

use domain::rate::{Rate, Taken};
use futures_util::future::{BoxFuture, Either, Ready, ready};

/// What is counted together: `customers:<key id>`, `initiate:<company>`. Must name no person, for
/// it leaves the process in clear. Cloning is cheap.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct QuotaKey(Arc<str>);

impl QuotaKey {
    /// The key of one caller in one group of routes.
    #[must_use]
    pub fn new(group: &str, caller: &str) -> Self {
        Self(format!("{group}:{caller}").into())
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What is left after a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permit {
    /// The rate that was applied.
    pub rate: Rate,
    /// How many more requests would pass now.
    pub remaining: u64,
    /// Until the oldest request leaves the window; zero when there is none.
    pub reset: Duration,
}

/// Whether a request passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It passes, and was counted.
    Granted(Permit),
    /// It does not pass, and was not counted.
    Refused {
        /// What is left: nothing.
        permit: Permit,
        /// Until one more request would pass.
        retry_after: Duration,
    },
}

impl Verdict {
    /// The verdict on one request of what a window answered. A request that only looked is granted
    /// when another would have passed.
    #[must_use]
    pub fn of(rate: Rate, cost: u64, taken: Taken) -> Self {
        let Taken {
            granted,
            remaining,
            reset,
            retry_after,
        } = taken;
        let permit = Permit {
            rate,
            remaining,
            reset,
        };
        let passes = if cost == 0 {
            remaining > 0
        } else {
            granted > 0
        };
        if passes {
            Self::Granted(permit)
        } else {
            Self::Refused {
                permit,
                retry_after,
            }
        }
    }

    /// What is left, whatever the verdict.
    #[must_use]
    pub const fn permit(&self) -> &Permit {
        match self {
            Self::Granted(permit) | Self::Refused { permit, .. } => permit,
        }
    }

    /// Whether the request passes.
    #[must_use]
    pub const fn is_granted(&self) -> bool {
        matches!(self, Self::Granted(_))
    }
}

/// A verdict that is there, or has to be waited for.
pub type Verdicts<'a> = Either<Ready<Verdict>, BoxFuture<'a, Verdict>>;

/// A verdict that is there.
#[must_use]
pub fn at_once<'a>(verdict: Verdict) -> Verdicts<'a> {
    Either::Left(ready(verdict))
}

/// Where the counting takes place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaHealth {
    /// In this process, as configured.
    Memory,
    /// In a memory shared by all instances.
    Shared,
    /// In this process, because the shared memory is out of reach.
    Degraded {
        /// For how long already.
        lasting: Duration,
    },
}

/// A keeper of sliding windows.
pub trait Quota: Send + Sync {
    /// Takes one request from the window of the key, or (with cost 0) only looks. Costs above one
    /// count as one. Never fails, and answers within a fraction of a second whatever is broken. It may
    /// be counted before the verdict is waited for; whoever does not wait gets nothing back.
    fn take<'a>(&'a self, key: &'a QuotaKey, rate: Rate, cost: u64) -> Verdicts<'a>;

    /// Where the counting takes place now.
    fn health(&self) -> QuotaHealth;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_granted_when_another_request_would_pass() {
        let rate = Rate::parse("2/1m").unwrap();
        let taken = |granted, remaining| Taken {
            granted,
            remaining,
            reset: Duration::from_secs(9),
            retry_after: Duration::from_secs(if remaining == 0 { 9 } else { 0 }),
        };
        for (cost, granted, remaining, passes) in [
            (0, 0, 1, true),
            (0, 0, 0, false),
            (1, 1, 0, true),
            (1, 0, 0, false),
        ] {
            let verdict = Verdict::of(rate, cost, taken(granted, remaining));
            assert_eq!(verdict.is_granted(), passes);
            assert_eq!(verdict.permit().remaining, remaining);
        }
        assert_eq!(QuotaKey::new("customers", "k1").as_str(), "customers:k1");
    }
}
