//! The merchant at the other end of the webhook: a server on loopback that believes what is signed, and
//! nothing else.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bonafide::outbound::resolver::SystemLookup;
use bonafide::outbound::{HttpSender, Settings};
use domain::webhook::{WebhookSecret, sign};
use jiff::Timestamp;
use serde_json::Value;

use crate::harness::TestApp;
use crate::outbound::receiver::{Receiver, status};

/// The merchant.
pub struct Merchant {
    receiver: Receiver,
    secret: WebhookSecret,
    sender: Arc<HttpSender>,
    /// How much was listened to.
    taken: Mutex<usize>,
}

/// A message as the merchant has it.
pub struct Told {
    pub at: Timestamp,
    pub body: Vec<u8>,
}

impl Told {
    /// What it is about.
    pub fn topic(&self) -> String {
        let message: Value = serde_json::from_slice(&self.body).unwrap();
        message["type"].as_str().unwrap().to_owned()
    }
}

impl Merchant {
    /// Has the company's webhook lead to a merchant.
    pub async fn open(app: &TestApp) -> Self {
        let receiver = Receiver::start(|_| status(200)).await;
        let settings = Settings {
            timeout: Duration::from_secs(30),
            allow_private_receivers: true,
            lookup: Arc::new(SystemLookup),
            extra_roots: Vec::new(),
        };
        Self {
            secret: app.webhook("default", &receiver.url("/orders")).await,
            sender: Arc::new(HttpSender::new(settings, app.app.clock.clone()).unwrap()),
            receiver,
            taken: Mutex::default(),
        }
    }

    /// What brings messages there.
    pub fn sender(&self) -> Arc<HttpSender> {
        self.sender.clone()
    }

    /// What came since the last time, each of it signed.
    pub fn take(&self) -> Vec<Told> {
        let received = self.receiver.received();
        let mut taken = self.taken.lock().unwrap();
        let new = received.iter().skip(*taken).map(|one| {
            let second = one.header("webhook-timestamp").parse().unwrap();
            let at = Timestamp::from_second(second).unwrap();
            let secrets = [self.secret.clone()];
            let signature = sign(&secrets, one.header("webhook-id"), at, &one.body);
            assert_eq!(one.header("webhook-signature"), signature);
            Told {
                at,
                body: one.body.to_vec(),
            }
        });
        let new = new.collect();
        *taken = received.len();
        new
    }
}
