//! What others are told of the server: Sentry of what is wrong, a collector of what took how long.

mod panics;
mod sentry;
mod traces;

use std::time::Duration;

use serde_json::Value;
use test_support::waiting::wait_for;

use crate::outbound::receiver::{Received, Receiver};

/// How long something that is told at once may take to arrive.
const SOON: Duration = Duration::from_secs(10);

/// Waits until `enough` of what came.
fn until(receiver: &Receiver, enough: impl Fn(&[Received]) -> bool) -> Vec<Received> {
    let came = wait_for("what is told", SOON, || {
        let received = receiver.received();
        Ok(enough(&received).then_some(received))
    });
    came.unwrap()
}

/// The body as JSON.
fn json(received: &Received) -> Value {
    serde_json::from_slice(&received.body).unwrap()
}
