//! A Veriff on loopback, as far as we use it: sessions, decisions, signatures, and the ways in which
//! it says no.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use domain::hook::HookKey;
use domain::hook::veriff::sign;
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::{API_KEY, PREVIOUS, SECRET};

/// An answer that is given instead of the true one.
#[derive(Clone)]
pub enum Mood {
    Status(u16),
    RetryAfter(u32),
    Redirect(String),
    Text(String),
    /// The true answer with another signature.
    Forged,
    /// The true answer, signed with the secret before.
    Earlier,
}

#[derive(Default)]
struct Desk {
    /// By Veriff's name: the reference.
    sessions: BTreeMap<String, String>,
    /// By Veriff's name: the whole answer.
    decisions: BTreeMap<String, Value>,
    moods: VecDeque<Mood>,
    /// Method, path and body.
    asked: Vec<(String, String, Value)>,
}

/// Veriff.
pub struct Office {
    address: SocketAddr,
    desk: Arc<Mutex<Desk>>,
    /// How many requests may be answered; more than enough unless the doors are shut.
    doors: Arc<Semaphore>,
    task: JoinHandle<()>,
}

impl Drop for Office {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Clerk {
    desk: Arc<Mutex<Desk>>,
    doors: Arc<Semaphore>,
}

impl Office {
    pub async fn open() -> Self {
        let desk = Arc::<Mutex<Desk>>::default();
        let doors = Arc::new(Semaphore::new(1_000));
        let clerk = Clerk {
            desk: desk.clone(),
            doors: doors.clone(),
        };
        let router = Router::new().fallback(answer).with_state(clerk);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            desk,
            doors,
            task,
        }
    }

    /// `VERIFF_API_URL`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers the next request like this, whatever it is.
    pub fn be(&self, mood: Mood) {
        self.desk.lock().unwrap().moods.push_back(mood);
    }

    /// Decides on a session, and tells only who asks.
    pub fn decide(&self, session: &str, decision: Value) {
        let mut desk = self.desk.lock().unwrap();
        desk.decisions.insert(session.to_owned(), decision);
    }

    /// Veriff's names of the sessions made so far.
    pub fn sessions(&self) -> Vec<String> {
        self.desk.lock().unwrap().sessions.keys().cloned().collect()
    }

    /// What was asked since the last time.
    pub fn asked(&self) -> Vec<(String, String, Value)> {
        std::mem::take(&mut self.desk.lock().unwrap().asked)
    }

    /// How many sessions were asked for since the last time.
    pub fn bought(&self) -> usize {
        let asked = self.asked();
        asked.iter().filter(|(method, ..)| method == "POST").count()
    }

    /// Takes requests, and answers none until the doors open again.
    pub async fn shut(&self) {
        self.doors.acquire_many(1_000).await.unwrap().forget();
    }

    /// Answers whoever waits.
    pub fn open_doors(&self) {
        self.doors.add_permits(1_000);
    }

    /// Waits until somebody has asked for something.
    pub async fn until_asked(&self) {
        while self.desk.lock().unwrap().asked.is_empty() {
            tokio::task::yield_now().await;
        }
    }
}

async fn answer(State(clerk): State<Clerk>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body: Bytes = body.collect().await.unwrap().to_bytes();
    let path = parts.uri.path().to_owned();
    let (method, said) = (
        parts.method.to_string(),
        serde_json::from_slice(&body).unwrap_or_default(),
    );
    clerk
        .desk
        .lock()
        .unwrap()
        .asked
        .push((method.clone(), path.clone(), said));
    let _door = clerk.doors.acquire().await.unwrap();
    let mut desk = clerk.desk.lock().unwrap();
    let mood = desk.moods.pop_front();
    match mood {
        Some(Mood::Status(status)) => StatusCode::from_u16(status).unwrap().into_response(),
        Some(Mood::RetryAfter(seconds)) => {
            let headers = [(header::RETRY_AFTER, seconds.to_string())];
            (StatusCode::TOO_MANY_REQUESTS, headers).into_response()
        }
        Some(Mood::Redirect(to)) => (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
        Some(Mood::Text(text)) => signed(text, SECRET),
        mood => {
            let secret = match mood {
                Some(Mood::Earlier) => PREVIOUS,
                Some(_) => "another secret",
                None => SECRET,
            };
            desk.serve(&method, &path, &parts.headers, &body, secret)
        }
    }
}

fn signed(body: String, secret: &str) -> Response {
    let signature = sign(&HookKey::new(secret).unwrap(), body.as_bytes());
    let headers = [("x-hmac-signature", signature)];
    (headers, body).into_response()
}

impl Desk {
    fn serve(
        &mut self,
        method: &str,
        path: &str,
        headers: &HeaderMap,
        body: &[u8],
        secret: &str,
    ) -> Response {
        let parts: Vec<_> = path.split('/').skip(1).collect();
        let payload = match parts.as_slice() {
            ["v1", "sessions"] => body,
            ["v1", "sessions", session, "decision"] => session.as_bytes(),
            _ => return StatusCode::NOT_FOUND.into_response(),
        };
        let expected = sign(&HookKey::new(SECRET).unwrap(), payload);
        let is_ours =
            headers["x-auth-client"] == API_KEY && headers["x-hmac-signature"] == expected;
        if !is_ours {
            return StatusCode::UNAUTHORIZED.into_response();
        }
        match (method, parts.as_slice()) {
            ("POST", ["v1", "sessions"]) => self.make(body),
            ("GET", [.., session, _]) if self.sessions.contains_key(*session) => {
                let none = json!({"status": "success", "verification": null});
                let decision = self.decisions.get(*session).unwrap_or(&none);
                signed(decision.to_string(), secret)
            }
            _ => StatusCode::NOT_FOUND.into_response(),
        }
    }

    fn make(&mut self, body: &[u8]) -> Response {
        let asked: Value = serde_json::from_slice(body).unwrap();
        let reference = asked["verification"]["vendorData"].as_str().unwrap();
        let id = format!("12df6045-3846-3e45-946a-{:012}", self.sessions.len() + 1);
        self.sessions.insert(id.clone(), reference.to_owned());
        let body = json!({"status": "success", "verification": {
            "id": id, "url": format!("https://magic.veriff.me/v/token-{id}"),
            "vendorData": reference, "host": "https://magic.veriff.me", "status": "created",
            "sessionToken": "eyJ",
        }});
        (StatusCode::CREATED, signed(body.to_string(), SECRET)).into_response()
    }
}
