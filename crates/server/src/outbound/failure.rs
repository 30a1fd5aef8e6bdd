//! What a failed request means for a delivery.
//!
//! The client's errors wrap each other, and some of them hide their cause from `source`; the cause
//! decides.

use std::error::Error;
use std::io;
use std::iter::successors;

use domain::delivery::Outcome;

use super::resolver::NotPublic;

/// The outcome of a request that got no answer.
pub fn outcome(error: &reqwest::Error) -> Outcome {
    if error.is_builder() {
        Outcome::Unsendable
    } else if is_caused_by::<NotPublic>(error) {
        Outcome::PrivateAddress
    } else if error.is_timeout() {
        Outcome::Timeout
    } else if is_caused_by::<rustls::Error>(error) {
        Outcome::Tls
    } else {
        Outcome::Unreachable
    }
}

/// Whether an error, or what caused it, is such a one.
pub fn is_caused_by<E: Error + 'static>(error: &reqwest::Error) -> bool {
    causes(error).any(|cause| cause.is::<E>())
}

/// An error and what caused it, down to the first cause.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    successors(Some(error), |error| cause(*error))
}

/// What caused an error. An [`io::Error`] that carries another error names that one's cause as its
/// own, so it is asked for what it carries.
fn cause<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>() {
        Some(error) => error.get_ref().map(|carried| carried as _),
        None => error.source(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_found_within_two_io_errors() {
        let cause = rustls::Error::DecryptError;
        let inner = io::Error::new(io::ErrorKind::InvalidData, cause);
        let outer = io::Error::other(inner);
        assert!(causes(&outer).any(|cause| cause.is::<rustls::Error>()));
        assert_eq!(causes(&outer).count(), 3);
        assert!(!causes(&outer).any(|cause| cause.is::<NotPublic>()));
    }
}
