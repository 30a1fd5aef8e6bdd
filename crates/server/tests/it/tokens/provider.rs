//! An identity provider on the loopback interface, as far as its keys go.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::signing::Identity;

/// What the provider answers.
#[derive(Clone)]
pub enum Reply {
    /// This body.
    Body(Vec<u8>),
    /// This status and nothing else.
    Status(u16),
    /// This body, once it is released.
    Held(Vec<u8>),
    /// The keys are at another path.
    Elsewhere(String, Vec<u8>),
}

/// A running provider.
pub struct Provider {
    /// Where its keys are.
    pub url: String,
    told: Arc<Told>,
    task: JoinHandle<()>,
}

struct Told {
    reply: Mutex<Reply>,
    fetches: AtomicUsize,
    released: Notify,
}

impl Provider {
    /// Publishes the keys of `identities`.
    pub async fn publishing(identities: &[&Identity]) -> Self {
        let told = Arc::new(Told {
            reply: Mutex::new(Reply::Body(set(identities))),
            fetches: AtomicUsize::new(0),
            released: Notify::new(),
        });
        let router = Router::new()
            .route("/keys", get(keys))
            .route("/elsewhere", get(elsewhere))
            .with_state(told.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, told, task }
    }

    /// Publishes other keys from now on.
    pub fn publish(&self, identities: &[&Identity]) {
        self.answer(Reply::Body(set(identities)));
    }

    /// Answers something else from now on.
    pub fn answer(&self, reply: Reply) {
        *self.told.reply.lock().unwrap() = reply;
    }

    /// Lets an answer go that is held back.
    pub fn release(&self) {
        self.told.released.notify_one();
    }

    /// Waits until its keys have been asked for that often.
    pub async fn asked(&self, fetches: usize) {
        while self.fetches() < fetches {
            tokio::task::yield_now().await;
        }
    }

    /// How often its keys were asked for.
    pub fn fetches(&self) -> usize {
        self.told.fetches.load(Ordering::SeqCst)
    }

    /// Nobody listens any more.
    pub async fn stop(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// The JWK Set of some identities.
pub fn set(identities: &[&Identity]) -> Vec<u8> {
    let keys: Vec<Value> = identities.iter().map(|identity| identity.jwk()).collect();
    json!({"keys": keys}).to_string().into_bytes()
}

async fn keys(State(told): State<Arc<Told>>) -> Response {
    told.fetches.fetch_add(1, Ordering::SeqCst);
    let reply = told.reply.lock().unwrap().clone();
    match reply {
        Reply::Body(body) => body.into_response(),
        Reply::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Reply::Held(body) => {
            told.released.notified().await;
            body.into_response()
        }
        Reply::Elsewhere(path, _) => (StatusCode::FOUND, [("location", path)]).into_response(),
    }
}

async fn elsewhere(State(told): State<Arc<Told>>) -> Response {
    match told.reply.lock().unwrap().clone() {
        Reply::Elsewhere(_, body) => body.into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
