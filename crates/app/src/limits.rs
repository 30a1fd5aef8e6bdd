//! Which limit a request counts against, and what it is.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use domain::number::SessionId;
use domain::rate::Limit;

use crate::credentials::{Caller, KeyLimits};
use crate::quota::{Quota, QuotaKey, Verdict};

/// The names of limits, as in `--limit customers=6000/1m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LimitName {
    /// Customers and Orders together, per key.
    Customers,
    /// Initiating number verifications, per company.
    Initiate,
    /// Asking for the status of number verifications, per company.
    Status,
    /// Submitting a number, per session.
    Submit,
}

impl LimitName {
    /// All names.
    pub const ALL: [Self; 4] = [Self::Customers, Self::Initiate, Self::Status, Self::Submit];

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customers => "customers",
            Self::Initiate => "initiate",
            Self::Status => "status",
            Self::Submit => "submit",
        }
    }
}

impl fmt::Display for LimitName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for LimitName {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|known| known.as_str() == name)
            .ok_or_else(|| "expected customers, initiate, status or submit".into())
    }
}

/// Reads limits separated by spaces: `customers=6000/1m initiate=off`.
///
/// # Errors
/// A sentence about the first one that is not understood.
pub fn parse_all(text: &str) -> Result<KeyLimits, String> {
    text.split_whitespace().map(parse).collect()
}

/// Reads one limit: `customers=6000/1m`.
///
/// # Errors
/// A sentence about what is not understood.
pub fn parse(text: &str) -> Result<(LimitName, Limit), String> {
    let (name, limit) = text
        .split_once('=')
        .ok_or("expected NAME=COUNT/WINDOW, as in customers=6000/1m")?;
    Ok((
        name.parse()?,
        Limit::parse(limit).map_err(|error| error.to_string())?,
    ))
}

/// Writes limits as [`parse_all`] reads them.
pub fn render_all(limits: &KeyLimits) -> String {
    limits
        .iter()
        .map(|(name, limit)| format!("{name}={limit}"))
        .collect::<Vec<_>>()
        .join(" ")
}

/// The general limits, for keys that have none of their own.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Customers and Orders, per key.
    pub customers: Limit,
    /// Initiate, per company.
    pub initiate: Limit,
    /// Status, per company.
    pub status: Limit,
    /// Submit, per session.
    pub submit: Limit,
}

/// Takes from quotas.
pub struct Limiter {
    limits: Limits,
    quota: Arc<dyn Quota>,
}

impl Limiter {
    /// With general limits.
    pub fn new(limits: Limits, quota: Arc<dyn Quota>) -> Self {
        Self { limits, quota }
    }

    /// The state of the counters, for health.
    pub fn quota(&self) -> &dyn Quota {
        self.quota.as_ref()
    }

    /// Takes one request of a caller's quota of that name (`cost` 1), or only looks (`cost` 0);
    /// `None` when it has no limit.
    pub async fn take(&self, caller: &Caller, name: LimitName, cost: u64) -> Option<Verdict> {
        let Limit::Rate(rate) = self.limit(caller, name) else {
            return None;
        };
        let key = match name {
            LimitName::Customers => caller.customers_quota(),
            _ => &shared_quota(caller, name),
        };
        Some(self.quota.take(key, rate, cost).await)
    }

    /// Takes one submission of a session, by its public name; `None` when there is no limit. A key
    /// with a limit of its own counts alone. A company counts apart from all others: of a session
    /// that is not its own it uses nothing up, and sees nothing.
    pub async fn take_submission(&self, caller: &Caller, session: &SessionId) -> Option<Verdict> {
        const NAME: LimitName = LimitName::Submit;
        let Limit::Rate(rate) = self.limit(caller, NAME) else {
            return None;
        };
        let whose = match (caller.own_limit(NAME), caller.key()) {
            (Some(_), Some(key)) => format!("{session}:key:{key}"),
            _ => format!("{}:{session}", caller.company()),
        };
        let key = QuotaKey::new(NAME.as_str(), &whose);
        Some(self.quota.take(&key, rate, 1).await)
    }

    fn limit(&self, caller: &Caller, name: LimitName) -> Limit {
        caller.own_limit(name).unwrap_or(match name {
            LimitName::Customers => self.limits.customers,
            LimitName::Initiate => self.limits.initiate,
            LimitName::Status => self.limits.status,
            LimitName::Submit => self.limits.submit,
        })
    }
}

/// What a company's callers count against together; a key with a limit of its own counts alone.
fn shared_quota(caller: &Caller, name: LimitName) -> QuotaKey {
    match (caller.own_limit(name), caller.key()) {
        (Some(_), Some(key)) => QuotaKey::new(name.as_str(), &format!("key:{key}")),
        _ => QuotaKey::new(name.as_str(), caller.company()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_read_what_they_write() {
        let limits = parse_all("customers=6000/1m initiate=off").unwrap();
        assert_eq!(limits.len(), 2);
        assert_eq!(parse_all(&render_all(&limits)).unwrap(), limits);
        assert!(parse_all("").unwrap().is_empty());
        for wrong in ["customers", "cats=1/1m", "customers=x"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
