//! A Lightspeed eCom on loopback, as far as we use it: orders, their fields, their statuses, and the
//! ways in which it says no.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use http::{Method, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::{STORE, TOKEN};

/// A request, as the shop saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub method: Method,
    /// Below the store: `/orders/XJ12H`, as it was written.
    pub path: String,
    pub query: String,
    pub body: Value,
}

/// Something that happens to the orders.
type Happening = Box<dyn FnMut(&mut BTreeMap<String, Value>) + Send>;

#[derive(Default)]
struct Desk {
    orders: BTreeMap<String, Value>,
    asked: Vec<Asked>,
    /// Answers that are given instead of the true ones, one each.
    moods: VecDeque<Mood>,
    /// The answer to whatever comes after the next list of orders.
    later: Option<Mood>,
    /// What is to happen to a page of orders before it is written.
    between_pages: Option<Happening>,
    /// A fulfilment status that it does not know.
    unknown_status: Option<String>,
}

/// An answer that says no.
#[derive(Clone)]
pub enum Mood {
    Status(u16),
    RetryAfter(u32),
    Redirect(String),
    Text(String),
    /// It answers as usual, but only when it is told to.
    Waits(Arc<tokio::sync::Notify>),
}

/// The shop.
pub struct Shop {
    address: std::net::SocketAddr,
    desk: Arc<Mutex<Desk>>,
    task: JoinHandle<()>,
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shop {
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

    /// `LIGHTSPEED_API_URL`.
    pub fn url(&self) -> String {
        format!("http://{}/api/v3", self.address)
    }

    /// Takes an order, or changes some fields of it.
    pub fn order(&self, id: &str, fields: Value) {
        let mut desk = self.desk.lock().unwrap();
        let order = desk.orders.entry(id.to_owned()).or_insert_with(|| {
            json!({
                "id": id, "internalId": 103_878_161, "email": "ann@example.com",
                "paymentStatus": "PAID", "fulfillmentStatus": "AWAITING_PROCESSING",
                "createDate": "2025-01-01 00:00:00 +0000",
                "createTimestamp": 1_735_689_600, "updateTimestamp": 1_735_689_600,
                "shippingPerson": {"name": "Ann", "phone": "+14155550123"},
                "extraFields": {}, "orderExtraFields": [],
            })
        });
        let Value::Object(fields) = fields else {
            panic!("an order has fields");
        };
        for (name, value) in fields {
            order[name] = value;
        }
    }

    /// Deletes an order.
    pub fn delete(&self, id: &str) {
        self.desk.lock().unwrap().orders.remove(id);
    }

    /// What our field of an order says.
    pub fn field(&self, id: &str) -> Option<String> {
        let desk = self.desk.lock().unwrap();
        let fields = desk.orders[id]["orderExtraFields"].as_array().unwrap();
        let ours = fields.iter().find(|field| field["id"] == "bonafide")?;
        Some(ours["value"].as_str().unwrap().to_owned())
    }

    /// The fulfilment status of an order.
    pub fn fulfilment(&self, id: &str) -> String {
        let desk = self.desk.lock().unwrap();
        desk.orders[id]["fulfillmentStatus"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Does not know this fulfilment status from now on.
    pub fn does_not_know(&self, status: &str) {
        self.desk.lock().unwrap().unknown_status = Some(status.to_owned());
    }

    /// Answers the next request like this, whatever it is.
    pub fn be(&self, mood: Mood) {
        self.desk.lock().unwrap().moods.push_back(mood);
    }

    /// Answers as it should from now on.
    pub fn behaves(&self) {
        self.desk.lock().unwrap().moods.clear();
    }

    /// Answers the request after the next list of orders like this, whatever it is.
    pub fn later(&self, mood: Mood) {
        self.desk.lock().unwrap().later = Some(mood);
    }

    /// Does this to the orders whenever some are listed.
    pub fn between_pages(
        &self,
        happens: impl FnMut(&mut BTreeMap<String, Value>) + Send + 'static,
    ) {
        self.desk.lock().unwrap().between_pages = Some(Box::new(happens));
    }

    /// What was asked since the last time.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.desk.lock().unwrap().asked)
    }

    /// What was written since the last time, without what was only read.
    pub fn written(&self) -> Vec<Asked> {
        let mut asked = self.asked();
        asked.retain(|asked| asked.method != Method::GET);
        asked
    }
}

async fn answer(State(desk): State<Arc<Mutex<Desk>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body: Bytes = body.collect().await.unwrap().to_bytes();
    let store = format!("/api/v3/{STORE}");
    let authorized = parts.headers.get(header::AUTHORIZATION);
    let is_ours = authorized.is_some_and(|value| value == &format!("Bearer {TOKEN}"));
    let Some(path) = parts.uri.path().strip_prefix(&store).map(str::to_owned) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let asked = Asked {
        method: parts.method.clone(),
        path,
        query: parts.uri.query().unwrap_or_default().to_owned(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    let query = url::form_urlencoded::parse(asked.query.as_bytes());
    let query = query.into_owned().collect();
    let mood = {
        let mut desk = desk.lock().unwrap();
        desk.asked.push(asked.clone());
        desk.moods.pop_front()
    };
    match mood {
        Some(Mood::Waits(word)) => word.notified().await,
        Some(mood) => return moody(mood),
        None if !is_ours => return refuse(403),
        None => {}
    }
    desk.lock().unwrap().serve(&asked, &query)
}

fn moody(mood: Mood) -> Response {
    match mood {
        Mood::Status(status) => refuse(status),
        Mood::RetryAfter(seconds) => {
            let headers = [(header::RETRY_AFTER, seconds.to_string())];
            (StatusCode::TOO_MANY_REQUESTS, headers).into_response()
        }
        Mood::Redirect(to) => (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
        Mood::Text(text) => text.into_response(),
        Mood::Waits(_) => refuse(500),
    }
}

fn refuse(status: u16) -> Response {
    let body = json!({"errorMessage": "no", "errorCode": "NO"});
    (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
}

impl Desk {
    fn serve(&mut self, asked: &Asked, query: &HashMap<String, String>) -> Response {
        let path = asked.path.clone();
        let parts: Vec<_> = path.split('/').skip(1).collect();
        match (asked.method.as_str(), parts.as_slice()) {
            ("GET", ["orders"]) => self.list(query),
            ("GET", ["orders", id]) => match self.orders.get(*id) {
                Some(order) => Json(order.clone()).into_response(),
                None => refuse(404),
            },
            ("PUT", ["orders", id]) => {
                let status = asked.body["fulfillmentStatus"].clone();
                if status.as_str() == self.unknown_status.as_deref() {
                    return refuse(400);
                }
                self.change(id, |order| order["fulfillmentStatus"] = status)
            }
            ("PUT", ["orders", id, "extraFields", field]) => self.put_field(id, field, &asked.body),
            ("POST", ["orders", id, "extraFields"]) => {
                for required in ["id", "value", "title"] {
                    assert!(asked.body[required].is_string(), "{required}");
                }
                let field = asked.body.clone();
                let add = |order: &mut Value| {
                    order["orderExtraFields"]
                        .as_array_mut()
                        .unwrap()
                        .push(field);
                };
                drop(self.change(id, add));
                Json(json!({"createCount": 1})).into_response()
            }
            _ => refuse(405),
        }
    }

    fn list(&mut self, query: &HashMap<String, String>) -> Response {
        let number = |name: &str| query.get(name).and_then(|text| text.parse::<i64>().ok());
        let from = number("updatedFrom").unwrap_or_default();
        let wanted = |order: &&Value| {
            let ids = query
                .get("ids")
                .is_none_or(|ids| order["internalId"].as_u64() == ids.parse().ok());
            ids && order["updateTimestamp"].as_i64().unwrap() >= from
        };
        let offset = usize::try_from(number("offset").unwrap_or_default()).unwrap();
        let limit = usize::try_from(number("limit").unwrap_or(100).min(100)).unwrap();
        let found: Vec<Value> = self.orders.values().filter(wanted).cloned().collect();
        let items: Vec<_> = found.iter().skip(offset).take(limit).collect();
        let page = json!({
            "total": found.len(), "count": items.len(), "offset": offset, "limit": limit,
            "items": items,
        });
        self.moods.extend(self.later.take());
        if let Some(happens) = &mut self.between_pages {
            happens(&mut self.orders);
        }
        Json(page).into_response()
    }

    fn put_field(&mut self, id: &str, field: &str, body: &Value) -> Response {
        let value = body["value"].clone();
        let mut count = 0;
        let change = |order: &mut Value| {
            let fields = order["orderExtraFields"].as_array_mut().unwrap();
            for known in fields.iter_mut().filter(|known| known["id"] == field) {
                known["value"] = value.clone();
                count += 1;
            }
        };
        drop(self.change(id, change));
        Json(json!({"updateCount": count})).into_response()
    }

    fn change(&mut self, id: &str, change: impl FnOnce(&mut Value)) -> Response {
        let Some(order) = self.orders.get_mut(id) else {
            return refuse(404);
        };
        change(order);
        Json(json!({"updateCount": 1})).into_response()
    }
}
