//! A seller's account at Square on loopback, as far as we use it: customers, lists with cursors, a
//! custom attribute, and the ways in which it says no.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use http::{Method, StatusCode, header};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::TOKEN;

/// A request, as Square saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub method: Method,
    pub path: String,
    pub query: String,
    pub body: Value,
}

/// An answer that is given instead of the true one.
#[derive(Clone)]
pub enum Mood {
    Status(u16),
    RetryAfter(u32),
    Redirect(String),
    Text(String),
    /// The true answer is given, once it was told to.
    Waits(Arc<tokio::sync::Notify>),
}

#[derive(Default)]
struct Desk {
    customers: BTreeMap<String, Value>,
    /// The keys of custom attributes that are defined.
    definitions: BTreeSet<String>,
    /// By id and key.
    attributes: BTreeMap<(String, String), String>,
    /// Idempotency keys, and what came with them.
    keys: HashMap<String, Value>,
    asked: Vec<Asked>,
    moods: VecDeque<Mood>,
    /// Answers by the number of the list, counted from the next one.
    at_list: BTreeMap<usize, Mood>,
    /// How many customers each page has, one after another; then the last number again.
    sizes: Vec<usize>,
}

/// The account.
pub struct Seller {
    address: SocketAddr,
    desk: Arc<Mutex<Desk>>,
    task: JoinHandle<()>,
}

impl Drop for Seller {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Seller {
    pub async fn open() -> Self {
        let desk = Arc::<Mutex<Desk>>::default();
        let router = Router::new().fallback(answer).with_state(desk.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            desk,
            task,
        }
    }

    /// `SQUARE_API_URL`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Has a customer, or changes them.
    pub fn has(&self, customer: Value) {
        let id = customer["id"].as_str().unwrap().to_owned();
        self.desk.lock().unwrap().customers.insert(id, customer);
    }

    /// Has so many customers, each with an address of their own.
    pub fn has_many(&self, count: usize) {
        for number in 0..count {
            self.has(json!({"id": format!("SQ{number:04}"), "version": 0,
                "updated_at": "2024-12-31T12:00:00Z",
                "email_address": format!("c{number}@example.com")}));
        }
    }

    /// Has a customer no longer.
    pub fn deletes(&self, id: &str) {
        self.desk.lock().unwrap().customers.remove(id);
    }

    /// What our attribute says of a customer.
    pub fn shows(&self, id: &str) -> Option<String> {
        let desk = self.desk.lock().unwrap();
        let key = (id.to_owned(), super::ATTRIBUTE.to_owned());
        desk.attributes.get(&key).cloned()
    }

    /// Forgets what attributes there are, as when somebody deletes the definition.
    pub fn undefines(&self) {
        let mut desk = self.desk.lock().unwrap();
        desk.definitions.clear();
        desk.attributes.clear();
    }

    /// Gives pages of these sizes.
    pub fn pages(&self, sizes: &[usize]) {
        self.desk.lock().unwrap().sizes = sizes.to_vec();
    }

    /// Answers the next request like this, whatever it is.
    pub fn be(&self, mood: Mood) {
        self.desk.lock().unwrap().moods.push_back(mood);
    }

    /// Answers the so many-th list from now like this; the next one is the first.
    pub fn be_at_list(&self, number: usize, mood: Mood) {
        self.desk.lock().unwrap().at_list.insert(number, mood);
    }

    /// What was asked since the last time.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.desk.lock().unwrap().asked)
    }

    /// The values that were written since the last time, with whose they are.
    pub fn written(&self) -> Vec<(String, String)> {
        let asked = self.asked();
        let written = asked
            .iter()
            .filter(|asked| asked.path.contains("/custom-attributes/"));
        written
            .map(|asked| {
                let id = asked.path.split('/').nth(3).unwrap().to_owned();
                let value = &asked.body["custom_attribute"]["value"];
                (id, value.as_str().unwrap().to_owned())
            })
            .collect()
    }
}

async fn answer(State(desk): State<Arc<Mutex<Desk>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body: Bytes = body.collect().await.unwrap().to_bytes();
    let asked = Asked {
        method: parts.method.clone(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    let authorized = parts.headers.get(header::AUTHORIZATION);
    let is_ours = authorized.is_some_and(|value| value == &format!("Bearer {TOKEN}"));
    let mood = desk.lock().unwrap().mood(&asked);
    match mood {
        Some(Mood::Waits(word)) => word.notified().await,
        Some(mood) => return moody(mood),
        None if !is_ours => return refuse(401, "AUTHENTICATION_ERROR", "UNAUTHORIZED"),
        None => {}
    }
    // Without it the application's own version is spoken, whatever that is.
    if !parts.headers.contains_key("square-version") {
        return refuse(400, "INVALID_REQUEST_ERROR", "BAD_REQUEST");
    }
    desk.lock().unwrap().serve(&asked)
}

fn moody(mood: Mood) -> Response {
    match mood {
        Mood::Status(status) => refuse(status, "API_ERROR", "SOMETHING"),
        Mood::RetryAfter(seconds) => {
            let headers = [(header::RETRY_AFTER, seconds.to_string())];
            (StatusCode::TOO_MANY_REQUESTS, headers).into_response()
        }
        Mood::Redirect(to) => (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
        Mood::Text(text) => text.into_response(),
        Mood::Waits(_) => refuse(500, "API_ERROR", "SOMETHING"),
    }
}

fn refuse(status: u16, category: &str, code: &str) -> Response {
    let body = json!({"errors": [{"category": category, "code": code, "detail": "no"}]});
    (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
}

fn missing() -> Response {
    refuse(404, "INVALID_REQUEST_ERROR", "NOT_FOUND")
}

fn bad() -> Response {
    refuse(400, "INVALID_REQUEST_ERROR", "BAD_REQUEST")
}

impl Desk {
    fn mood(&mut self, asked: &Asked) -> Option<Mood> {
        self.asked.push(asked.clone());
        let is_list = matches!(
            asked.path.as_str(),
            "/v2/customers" | "/v2/customers/search"
        );
        let mut planned = None;
        if is_list {
            let plan = std::mem::take(&mut self.at_list);
            for (number, mood) in plan {
                match number {
                    1 => planned = Some(mood),
                    _ => drop(self.at_list.insert(number - 1, mood)),
                }
            }
        }
        self.moods.pop_front().or(planned)
    }

    fn serve(&mut self, asked: &Asked) -> Response {
        let path = asked.path.clone();
        let parts: Vec<_> = path.split('/').skip(1).collect();
        match (asked.method.as_str(), parts.as_slice()) {
            ("GET", ["v2", "customers"]) => self.list(asked),
            ("POST", ["v2", "customers", "search"]) => self.search(&asked.body),
            ("GET", ["v2", "customers", "custom-attribute-definitions", key]) => {
                match self.definitions.contains(*key) {
                    true => {
                        Json(json!({"custom_attribute_definition": {"key": key}})).into_response()
                    }
                    false => missing(),
                }
            }
            ("POST", ["v2", "customers", "custom-attribute-definitions"]) => {
                self.define(&asked.body)
            }
            ("POST", ["v2", "customers", id, "custom-attributes", key]) => {
                self.set(id, key, &asked.body)
            }
            ("GET", ["v2", "customers", id]) => match self.customers.get(*id) {
                Some(customer) => Json(json!({ "customer": customer })).into_response(),
                None => missing(),
            },
            _ => missing(),
        }
    }

    fn list(&mut self, asked: &Asked) -> Response {
        let query: HashMap<String, String> = url::form_urlencoded::parse(asked.query.as_bytes())
            .into_owned()
            .collect();
        assert!(query["limit"].parse::<u32>().unwrap() <= 100);
        let all: Vec<_> = self.customers.values().cloned().collect();
        self.page(&all, "all", query.get("cursor").map(String::as_str))
    }

    fn search(&mut self, body: &Value) -> Response {
        let filter = &body["query"]["filter"];
        assert_eq!(
            filter.as_object().unwrap().len(),
            1,
            "only what changed is looked for"
        );
        let since = filter["updated_at"]["start_at"].as_str().unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let changed = |customer: &&Value| at(customer["updated_at"].as_str().unwrap()) >= at(since);
        let found = self.customers.values().filter(changed);
        let found: Vec<_> = found.cloned().collect();
        self.page(&found, since, body["cursor"].as_str())
    }

    /// A cursor is good for the query that it came with, and no other.
    fn page(&mut self, found: &[Value], query: &str, cursor: Option<&str>) -> Response {
        let offset = match cursor {
            None => 0,
            Some(cursor) => match cursor.strip_prefix(&format!("{query}+")) {
                Some(offset) => offset.parse().unwrap(),
                None => return bad(),
            },
        };
        let size = match self.sizes.as_slice() {
            [] => 100,
            [only] => *only,
            _ => self.sizes.remove(0),
        };
        let items: Vec<_> = found.iter().skip(offset).take(size).collect();
        let end = offset + items.len();
        let mut page = json!({});
        if !items.is_empty() {
            page = json!({"customers": items, "count": found.len()});
        }
        if end < found.len() {
            page["cursor"] = json!(format!("{query}+{end}"));
        }
        Json(page).into_response()
    }

    /// Whether an idempotency key is new; one that is used for something else is a mistake of ours.
    fn is_new(&mut self, body: &Value) -> bool {
        let key = body["idempotency_key"].as_str().unwrap();
        assert!((1..=45).contains(&key.len()), "{key}");
        let known = self.keys.insert(key.to_owned(), body.clone());
        assert!(
            known.as_ref().is_none_or(|known| known == body),
            "{key} is reused"
        );
        known.is_none()
    }

    fn define(&mut self, body: &Value) -> Response {
        let definition = &body["custom_attribute_definition"];
        for required in ["key", "name", "description", "visibility"] {
            assert!(definition[required].is_string(), "{required}");
        }
        assert!(
            definition["schema"]["$ref"]
                .as_str()
                .unwrap()
                .ends_with(".String")
        );
        let key = definition["key"].as_str().unwrap().to_owned();
        if self.is_new(body) && !self.definitions.insert(key) {
            return bad();
        }
        Json(body.clone()).into_response()
    }

    fn set(&mut self, id: &str, key: &str, body: &Value) -> Response {
        if !self.customers.contains_key(id) || !self.definitions.contains(key) {
            return missing();
        }
        let value = body["custom_attribute"]["value"]
            .as_str()
            .unwrap()
            .to_owned();
        if self.is_new(body) {
            self.attributes
                .insert((id.to_owned(), key.to_owned()), value);
        }
        Json(body.clone()).into_response()
    }
}
