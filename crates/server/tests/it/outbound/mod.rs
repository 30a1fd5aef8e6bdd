//! Deliveries over real sockets: what receivers see, and what they can do to the sender.

mod answers;
mod guard;
mod oracle;
pub mod receiver;
mod troubles;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use app::deliveries::{Answer, Message, Sender as _};
use bonafide::outbound::resolver::SystemLookup;
use bonafide::outbound::{HttpSender, Settings};
use domain::clock::Clock;
use domain::delivery::Outcome;
use jiff::Timestamp;

/// Longer than any test may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Shorter than any test may take.
const IMPATIENCE: Duration = Duration::from_millis(200);

/// Friday, 20 November 2026, 12:00:00 GMT, and a bit.
const NOW: i64 = 1_795_176_000_250_000;

/// Time that stands still.
struct Standing;

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(NOW).unwrap()
    }
}

/// Patient, and allowed to reach this machine.
fn settings() -> Settings {
    Settings {
        timeout: PATIENCE,
        allow_private_receivers: true,
        lookup: Arc::new(SystemLookup),
        extra_roots: Vec::new(),
    }
}

fn sender(settings: Settings) -> HttpSender {
    HttpSender::new(settings, Arc::new(Standing)).unwrap()
}

fn message(url: &str) -> Message {
    Message {
        url: url.to_owned(),
        id: "msg_0190a5e80000700080000000000000ff".to_owned(),
        at: Standing.now(),
        signature: "v1,c2lnbmF0dXJl v1,YW5vdGhlcg==".to_owned(),
        body: r#"{"type":"number.verified","data":{"name":"Zoë"}}"#.into(),
    }
}

/// Sends one message and lets nobody hang.
async fn send(settings: Settings, url: &str) -> Answer {
    let sender = sender(settings);
    let message = message(url);
    let sent = tokio::time::timeout(PATIENCE / 2, sender.send(&message));
    sent.await.expect("the attempt ends by itself")
}

/// What came of one message.
async fn outcome(settings: Settings, url: &str) -> Outcome {
    send(settings, url).await.outcome
}
