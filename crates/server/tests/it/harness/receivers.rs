//! The receivers of webhooks, in the test's own process: what they heard, and what they answer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use app::deliveries::{Answer, Message, Sender};
use domain::delivery::Outcome;
use domain::webhook::{WebhookSecret, sign};
use futures_util::future::{BoxFuture, pending, ready};
use jiff::Timestamp;
use serde_json::Value;

/// A message as it arrived.
#[derive(Clone, Debug)]
pub struct Heard {
    pub url: String,
    pub id: String,
    pub at: Timestamp,
    pub signature: String,
    pub body: Vec<u8>,
}

impl Heard {
    /// The body.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Whether the signatures are those of these secrets, in their order.
    pub fn is_signed_with(&self, secrets: &[WebhookSecret]) -> bool {
        self.signature == sign(secrets, &self.id, self.at, &self.body)
    }
}

/// What a receiver does with a message.
type Manner = Arc<dyn Fn(&Heard) -> Option<Answer> + Send + Sync>;

/// All receivers, by address. Each accepts, unless it was told otherwise.
#[derive(Default)]
pub struct Receivers {
    heard: Mutex<Vec<Heard>>,
    manners: Mutex<BTreeMap<String, Manner>>,
}

impl Receivers {
    /// None has heard anything.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// The receiver at `url` answers like this from now on; with nothing, it hangs for ever.
    pub fn answer(
        &self,
        url: &str,
        manner: impl Fn(&Heard) -> Option<Answer> + Send + Sync + 'static,
    ) {
        let mut manners = self.manners.lock().unwrap();
        manners.insert(url.to_owned(), Arc::new(manner));
    }

    /// The receiver at `url` answers with this status from now on.
    pub fn answer_status(&self, url: &str, status: u16) {
        self.answer(url, move |_| Some(Answer::of(Outcome::of_status(status))));
    }

    /// How many messages arrived at `url` and were not taken yet.
    pub fn heard_at(&self, url: &str) -> usize {
        let heard = self.heard.lock().unwrap();
        heard.iter().filter(|heard| heard.url == url).count()
    }

    /// What was heard since the last time, in the order of arrival.
    pub fn take(&self) -> Vec<Heard> {
        std::mem::take(&mut self.heard.lock().unwrap())
    }
}

impl Sender for Receivers {
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Answer> {
        let heard = Heard {
            url: message.url.clone(),
            id: message.id.clone(),
            at: message.at,
            signature: message.signature.clone(),
            body: message.body.clone(),
        };
        let manner = self.manners.lock().unwrap().get(&heard.url).cloned();
        let answer = match manner {
            None => Some(Answer::of(Outcome::of_status(200))),
            Some(manner) => manner(&heard),
        };
        self.heard.lock().unwrap().push(heard);
        match answer {
            Some(answer) => Box::pin(ready(answer)),
            None => Box::pin(pending()),
        }
    }
}
