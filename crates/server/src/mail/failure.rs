//! What an error of the SMTP library means for a mail.

use std::error::Error as _;
use std::iter::successors;

use domain::mail::{Outcome, Reply, Stage};
use lettre::transport::smtp::Error;

/// The outcome of a conversation that failed at a stage.
pub fn outcome(stage: Stage, error: &Error) -> Outcome {
    if let Some(code) = error.status() {
        let said = error.source().map(ToString::to_string).unwrap_or_default();
        return Outcome::of_reply(stage, Reply::read(code.into(), &said));
    }
    let mut causes = successors(error.source(), |cause| (*cause).source());
    if error.is_tls() || causes.any(is_tls) {
        Outcome::Tls
    } else if error.is_timeout() {
        Outcome::Timeout
    } else {
        Outcome::Unreachable
    }
}

/// Errors of TLS come wrapped in those of the connection.
fn is_tls(cause: &(dyn std::error::Error + 'static)) -> bool {
    let carried = cause.downcast_ref::<std::io::Error>();
    let carried = carried.and_then(std::io::Error::get_ref);
    cause.is::<rustls::Error>() || carried.is_some_and(|carried| carried.is::<rustls::Error>())
}
