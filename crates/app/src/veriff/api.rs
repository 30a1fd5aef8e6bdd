//! Veriff, as far as we ask it for anything.

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;
use uuid::Uuid;

/// A session that Veriff has made.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened {
    /// Its name for it.
    pub id: String,
    /// Where the customer goes. Whoever has it can go on in the customer's place.
    pub url: String,
}

impl fmt::Debug for Opened {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Opened({})", self.id)
    }
}

/// Why Veriff did not do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VeriffProblem {
    /// It cannot be reached: it knows nothing of the request.
    Unreachable,
    /// It was asked, and has not answered or failed: nobody knows whether it did it.
    Silent,
    /// It answers something that cannot be understood.
    Garbled,
    /// It answers something that it has not signed.
    Unsigned,
    /// It wants to be left alone for so long.
    Busy(Duration),
    /// It does not accept the key or the signature (401, 403).
    Refused,
    /// It does not do that (any other status of 400 to 499).
    Unacceptable,
}

impl VeriffProblem {
    /// Whether it may have done what was asked all the same.
    #[must_use]
    pub const fn may_be_done(self) -> bool {
        match self {
            Self::Silent | Self::Garbled | Self::Unsigned => true,
            Self::Unreachable | Self::Busy(_) | Self::Refused | Self::Unacceptable => false,
        }
    }
}

impl fmt::Display for VeriffProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Unreachable => "Veriff cannot be reached",
            Self::Silent => "Veriff does not answer",
            Self::Garbled => "Veriff answers something that cannot be understood",
            Self::Unsigned => "Veriff's answer is not signed with the shared secret",
            Self::Busy(_) => "Veriff takes no more requests for a while",
            Self::Refused => "Veriff refuses the API key",
            Self::Unacceptable => "Veriff does not accept the request",
        })
    }
}

impl std::error::Error for VeriffProblem {}

/// Veriff.
pub trait VeriffApi: Send + Sync {
    /// Makes a session under a reference of ours, from which the customer's browser goes `back` to an
    /// address, if one is given. Each call makes another, and each is paid for.
    fn open<'a>(
        &'a self,
        reference: Uuid,
        back: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Opened, VeriffProblem>>;

    /// The decision on a session, as Veriff wrote and signed it; `None` while there is none.
    fn decision<'a>(
        &'a self,
        session: &'a str,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, VeriffProblem>>;
}
