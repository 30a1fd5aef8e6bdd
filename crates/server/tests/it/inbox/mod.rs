//! What comes in by hooks: taken from its sender alone, stored once, and processed in the end.

mod receiving;
mod refusals;
mod working;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use app::inbox::{self, Chosen, Event, Handled, Handler, Listed, Settings, Trouble, Worker};
use bonafide::http::hooks::{Hooks, SquareReception, VeriffReception};
use domain::hook::{HookKey, Source, square, veriff};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use crate::harness::{self, Call, TestApp};

/// The notification address, as Square knows it.
const ADDRESS: &str = "https://verify.example.com/hooks/square";
/// What Square signs with.
const SQUARE_KEY: &str = "signature-key";
/// What Veriff signs with.
const VERIFF_SECRET: &str = "abcdef12-abcd-abcd-abcd-abcdef012345";
/// What Veriff calls us.
const VERIFF_KEY: &str = "our-api-key";

fn key(secret: &str) -> HookKey {
    HookKey::new(secret).unwrap()
}

/// An instance that takes hooks of Square and Veriff.
pub async fn taking(app: &TestApp) -> TestApp {
    let square = SquareReception {
        company: "default".to_owned(),
        address: ADDRESS.to_owned(),
        keys: vec![key("the next key"), key(SQUARE_KEY)],
    };
    let veriff = VeriffReception {
        company: "default".to_owned(),
        api_key: bonafide::config::Secret::new(VERIFF_KEY),
        keys: vec![key(VERIFF_SECRET)],
    };
    let settings = harness::Settings {
        hooks: Hooks::default()
            .with(Source::Square, square)
            .with(Source::Veriff, veriff),
        ..harness::Settings::default()
    };
    app.another(settings).await
}

/// An event of Square about a customer.
pub fn event(id: &str, customer: &str) -> Value {
    json!({
        "merchant_id": "G7MMEBVW021Q4", "type": "customer.updated", "event_id": id,
        "created_at": "2025-01-01T00:00:00Z",
        "data": {"type": "customer", "id": customer, "object": {"customer": {
            "id": customer, "email_address": "marker@example.com", "version": 1,
        }}},
    })
}

/// A hook of Square, signed.
pub fn hook(app: &TestApp, event: &Value) -> Call {
    // What comes at one instant has no order.
    app.advance(std::time::Duration::from_millis(1));
    let body = event.to_string();
    let signature = square::sign(&key(SQUARE_KEY), ADDRESS, body.as_bytes());
    app.post("/hooks/square")
        .header("x-square-hmacsha256-signature", &signature)
        .body("application/json", body)
}

/// A hook of Veriff, signed.
fn veriff_hook(app: &TestApp, message: &Value) -> Call {
    app.advance(std::time::Duration::from_millis(1));
    let body = message.to_string();
    let signature = veriff::sign(&key(VERIFF_SECRET), body.as_bytes());
    app.post("/hooks/veriff")
        .header("x-auth-client", VERIFF_KEY)
        .header("x-hmac-signature", &signature)
        .body("application/json", body)
}

/// All events, the newest first.
async fn all(app: &TestApp) -> Vec<Listed> {
    inbox::list(&app.app, Chosen::default(), 1_000)
        .await
        .unwrap()
}

/// The only event.
pub async fn only(app: &TestApp) -> Listed {
    let mut listed = all(app).await;
    assert_eq!(listed.len(), 1);
    listed.remove(0)
}

/// What a handler answers.
type Answers = Box<dyn Fn(&Value) -> Result<Handled, Trouble> + Send + Sync>;

/// A handler that does as it is told, and remembers what it was given.
pub struct Told {
    answers: Answers,
    given: Mutex<VecDeque<Value>>,
}

impl Told {
    pub fn new(
        answers: impl Fn(&Value) -> Result<Handled, Trouble> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            answers: Box::new(answers),
            given: Mutex::default(),
        })
    }

    /// The names of the events that it was given since the last time.
    pub fn take(&self) -> Vec<String> {
        let given = std::mem::take(&mut *self.given.lock().unwrap());
        given
            .iter()
            .map(|event| event["event_id"].as_str().unwrap().to_owned())
            .collect()
    }
}

impl Handler for Told {
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, Trouble>> {
        Box::pin(async move {
            let event: Value = serde_json::from_slice(&event.body).unwrap();
            let answer = (self.answers)(&event);
            self.given.lock().unwrap().push_back(event);
            answer
        })
    }
}

fn worker(app: &TestApp, handler: &Arc<impl Handler + 'static>) -> Worker {
    Worker::new(app.app.clone(), settings()).with(Source::Square, handler.clone())
}

fn settings() -> Settings {
    Settings {
        schedule: inbox::schedule(),
        timeout: std::time::Duration::from_secs(30),
    }
}

/// Processes every event that is due now.
pub async fn work(app: &TestApp, handler: &Arc<impl Handler + 'static>) {
    worker(app, handler).run_due().await.unwrap();
}
