//! Google on loopback, as far as we use it: tokens for assertions that are truly signed, a dataset with
//! tables, rows that are checked against the table's columns, and the ways in which it says no.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, Mutex};

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RsaKeyPair};
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use bonafide::ambient::SystemClock;
use data_encoding::BASE64;
use domain::clock::Clock as _;
use http::{HeaderMap, Method, StatusCode, header};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

pub const PROJECT: &str = "shop-project";
pub const DATASET: &str = "bonafide";
/// The name of the service account.
pub const EMAIL: &str = "bonafide@shop-project.iam.gserviceaccount.com";
/// The most bytes of a request.
const LARGEST: usize = 10 * 1024 * 1024;

/// The service account's key; making one takes a while.
static KEY: LazyLock<RsaKeyPair> =
    LazyLock::new(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap());

/// A request, as Google saw it.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: Method,
    pub path: String,
    pub body: String,
}

/// An answer that is given instead of the true one.
#[derive(Clone)]
pub enum Mood {
    Status(u16),
    RetryAfter(u16, u32),
    /// 403 with this reason.
    Forbids(&'static str),
    Text(&'static str),
    /// The rows are taken, and the answer comes when it was told to.
    TakesAndWaits(Arc<Notify>),
}

/// A row that was taken.
#[derive(Clone, Debug)]
pub struct Taken {
    pub table: String,
    pub insert_id: String,
    pub json: Value,
}

#[derive(Default)]
struct Desk {
    /// What the assertions' times are held against; none is a machine whose clock is right.
    now: Option<Timestamp>,
    has_no_dataset: bool,
    tables: BTreeMap<String, Value>,
    /// How many requests for rows a table that is made turns away first.
    slow: usize,
    turned_away: HashMap<String, usize>,
    /// Another instance makes each table just before this one.
    is_raced: bool,
    rows: Vec<Taken>,
    /// Names that are remembered, and whether any are.
    seen: BTreeSet<String>,
    forgets_names: bool,
    granted: usize,
    tokens: BTreeSet<String>,
    refuses_assertions: bool,
    /// What is said against rows, by part of their names, one after another.
    against: HashMap<String, VecDeque<&'static str>>,
    moods: VecDeque<Mood>,
    at_insert: VecDeque<Mood>,
    asked: Vec<Asked>,
    insert_ids: Vec<String>,
}

/// The service.
pub struct Google {
    address: SocketAddr,
    desk: Arc<Mutex<Desk>>,
    task: JoinHandle<()>,
}

impl Drop for Google {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Google {
    pub async fn open(now: Option<Timestamp>) -> Self {
        let desk = Arc::<Mutex<Desk>>::default();
        desk.lock().unwrap().now = now;
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

    fn with<T>(&self, work: impl FnOnce(&mut Desk) -> T) -> T {
        work(&mut self.desk.lock().unwrap())
    }

    /// `BIGQUERY_API_URL`.
    pub fn url(&self) -> String {
        format!("http://{}/bigquery/v2", self.address)
    }

    /// Where a machine of Google's asks for tokens.
    pub fn metadata(&self) -> String {
        format!("http://{}/computeMetadata/token", self.address)
    }

    /// The key file of the service account.
    pub fn key_file(&self) -> Value {
        let der: Pkcs8V1Der<'_> = KEY.as_der().unwrap();
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            BASE64.encode(der.as_ref())
        );
        json!({"type": "service_account", "project_id": PROJECT, "private_key_id": "key-1",
            "private_key": pem, "client_email": EMAIL, "client_id": "1",
            "token_uri": format!("http://{}/token", self.address)})
    }

    /// Makes its clock go with ours.
    pub fn it_is(&self, now: Timestamp) {
        self.with(|desk| desk.now = Some(now));
    }

    pub fn has_no_dataset(&self, is_so: bool) {
        self.with(|desk| desk.has_no_dataset = is_so);
    }

    /// Tables that are made turn so many requests for rows away.
    pub fn is_slow(&self, times: usize) {
        self.with(|desk| desk.slow = times);
    }

    pub fn is_raced(&self) {
        self.with(|desk| desk.is_raced = true);
    }

    /// Takes rows again that it has.
    pub fn forgets_names(&self) {
        self.with(|desk| desk.forgets_names = true);
    }

    pub fn refuses_assertions(&self, is_so: bool) {
        self.with(|desk| desk.refuses_assertions = is_so);
    }

    /// No token that was granted holds any more.
    pub fn revokes_tokens(&self) {
        self.with(|desk| desk.tokens.clear());
    }

    /// How many tokens were granted.
    pub fn granted(&self) -> usize {
        self.with(|desk| desk.granted)
    }

    /// Says this against rows whose name ends like this, one after another.
    pub fn objects(&self, name: &str, reasons: &[&'static str]) {
        let reasons = reasons.iter().copied().collect();
        self.with(|desk| desk.against.insert(name.to_owned(), reasons));
    }

    /// Answers the next request like this, whatever it is.
    pub fn be(&self, mood: Mood) {
        self.with(|desk| desk.moods.push_back(mood));
    }

    /// Answers the next request for rows like this.
    pub fn be_at_insert(&self, mood: Mood) {
        self.with(|desk| desk.at_insert.push_back(mood));
    }

    pub fn table(&self, name: &str) -> Option<Value> {
        self.with(|desk| desk.tables.get(name).cloned())
    }

    pub fn set_table(&self, name: &str, table: Value) {
        self.with(|desk| desk.tables.insert(name.to_owned(), table));
    }

    pub fn drops_table(&self, name: &str) {
        self.with(|desk| desk.tables.remove(name));
    }

    /// What was asked since the last time.
    pub fn asked(&self) -> Vec<Asked> {
        self.with(|desk| std::mem::take(&mut desk.asked))
    }

    /// The names of all rows that came since the last time, taken or not, in order.
    pub fn insert_ids(&self) -> Vec<String> {
        self.with(|desk| std::mem::take(&mut desk.insert_ids))
    }

    /// What a table holds.
    pub fn rows(&self, table: &str) -> Vec<Taken> {
        let of_table = |row: &&Taken| row.table == table;
        self.with(|desk| desk.rows.iter().filter(of_table).cloned().collect())
    }

    /// The names of a table's rows, each once, and how many rows there are.
    pub fn names(&self, table: &str) -> (BTreeSet<String>, usize) {
        let column = match table {
            "audit_records" => "record_id",
            _ => "verification_id",
        };
        let rows = self.rows(table);
        let name = |row: &Taken| row.json[column].as_str().unwrap().to_owned();
        (rows.iter().map(name).collect(), rows.len())
    }
}

async fn answer(State(desk): State<Arc<Mutex<Desk>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body: Bytes = body.collect().await.unwrap().to_bytes();
    let asked = Asked {
        method: parts.method.clone(),
        path: parts.uri.path().to_owned(),
        body: String::from_utf8(body.to_vec()).unwrap(),
    };
    let is_insert = asked.path.ends_with("/insertAll");
    let mood = {
        let mut desk = desk.lock().unwrap();
        desk.asked.push(asked.clone());
        match desk.moods.pop_front() {
            None if is_insert => desk.at_insert.pop_front(),
            mood => mood,
        }
    };
    match mood {
        Some(Mood::TakesAndWaits(word)) => {
            let answer = desk.lock().unwrap().serve(&asked, &parts.headers);
            word.notified().await;
            answer
        }
        Some(mood) => moody(&mood),
        None => desk.lock().unwrap().serve(&asked, &parts.headers),
    }
}

fn moody(mood: &Mood) -> Response {
    match mood {
        Mood::Status(status) => refuse(*status, "something"),
        Mood::RetryAfter(status, seconds) => {
            let headers = [(header::RETRY_AFTER, seconds.to_string())];
            (StatusCode::from_u16(*status).unwrap(), headers).into_response()
        }
        Mood::Forbids(reason) => refuse(403, reason),
        Mood::Text(text) => (*text).into_response(),
        Mood::TakesAndWaits(_) => refuse(500, "something"),
    }
}

fn refuse(status: u16, reason: &str) -> Response {
    let error = json!({"message": "no", "domain": "global", "reason": reason});
    let body = json!({"error": {"code": status, "message": "no", "errors": [error]}});
    (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
}

impl Desk {
    fn serve(&mut self, asked: &Asked, headers: &HeaderMap) -> Response {
        match asked.path.as_str() {
            "/token" => return self.exchange(&asked.body),
            "/computeMetadata/token" => {
                // Google's machines refuse who does not say that they mean it.
                return match headers.get("metadata-flavor").is_some() {
                    true => self.grant(),
                    false => refuse(403, "forbidden"),
                };
            }
            _ => {}
        }
        let authorized = headers.get(header::AUTHORIZATION);
        let token = authorized.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        if !token.is_some_and(|token| self.tokens.contains(token)) {
            return refuse(401, "authError");
        }
        let dataset = format!("/bigquery/v2/projects/{PROJECT}/datasets/{DATASET}");
        let Some(path) = asked.path.strip_prefix(&dataset) else {
            return refuse(404, "notFound");
        };
        if self.has_no_dataset {
            return refuse(404, "notFound");
        }
        let parts: Vec<_> = path.split('/').skip(1).collect();
        match (asked.method.as_str(), parts.as_slice()) {
            ("GET", []) => Json(json!({"kind": "bigquery#dataset"})).into_response(),
            ("POST", ["tables"]) => self.make(&asked.body),
            ("GET", ["tables", name]) => match self.tables.get(*name) {
                Some(table) => Json(table.clone()).into_response(),
                None => refuse(404, "notFound"),
            },
            ("POST", ["tables", name, "insertAll"]) => self.insert(name, &asked.body),
            _ => refuse(404, "notFound"),
        }
    }

    /// Takes an assertion apart with another library than the one that has signed it.
    fn exchange(&mut self, body: &str) -> Response {
        let form: HashMap<String, String> = url::form_urlencoded::parse(body.as_bytes())
            .into_owned()
            .collect();
        assert_eq!(
            form["grant_type"],
            "urn:ietf:params:oauth:grant-type:jwt-bearer"
        );
        let assertion = &form["assertion"];
        let known = jsonwebtoken::decode_header(assertion).unwrap();
        assert_eq!(
            (known.alg, known.kid.as_deref()),
            (Algorithm::RS256, Some("key-1"))
        );
        let mut validation = Validation::new(Algorithm::RS256);
        validation.validate_exp = false;
        validation.validate_aud = false;
        let key = DecodingKey::from_rsa_der(KEY.public_key().as_ref());
        let decoded = jsonwebtoken::decode::<Value>(assertion, &key, &validation);
        let Ok(decoded) = decoded else {
            return refuse(400, "invalid_grant");
        };
        let claims = decoded.claims;
        assert_eq!(claims["iss"], EMAIL);
        assert!(claims["aud"].as_str().unwrap().ends_with("/token"));
        assert_eq!(claims["scope"], "https://www.googleapis.com/auth/bigquery");
        let (issued, ends) = (
            claims["iat"].as_i64().unwrap(),
            claims["exp"].as_i64().unwrap(),
        );
        let now = self.now.unwrap_or_else(|| SystemClock.now()).as_second();
        let is_now = (issued - now).abs() <= 300 && (now + 1..=issued + 3600).contains(&ends);
        if self.refuses_assertions || !is_now {
            return refuse(400, "invalid_grant");
        }
        self.grant()
    }

    fn grant(&mut self) -> Response {
        self.granted += 1;
        let token = format!("ya29.{}", self.granted);
        self.tokens.insert(token.clone());
        Json(json!({"access_token": token, "expires_in": 3599, "token_type": "Bearer"}))
            .into_response()
    }

    fn make(&mut self, body: &str) -> Response {
        let mut table: Value = serde_json::from_str(body).unwrap();
        let reference = &table["tableReference"];
        assert_eq!(
            (&reference["projectId"], &reference["datasetId"]),
            (&json!(PROJECT), &json!(DATASET))
        );
        let name = reference["tableId"].as_str().unwrap().to_owned();
        table["kind"] = json!("bigquery#table");
        if self.tables.contains_key(&name) {
            return refuse(409, "duplicate");
        }
        self.tables.insert(name.clone(), table.clone());
        self.turned_away.insert(name, self.slow);
        if self.is_raced {
            return refuse(409, "duplicate");
        }
        Json(table).into_response()
    }

    fn insert(&mut self, name: &str, body: &str) -> Response {
        let Some(table) = self.tables.get(name).cloned() else {
            return refuse(404, "notFound");
        };
        match self.turned_away.get_mut(name) {
            Some(left) if *left > 0 => {
                *left -= 1;
                return refuse(404, "notFound");
            }
            _ => {}
        }
        if body.len() > LARGEST {
            return refuse(413, "tooLarge");
        }
        let request: Value = serde_json::from_str(body).unwrap();
        let rows = request["rows"].as_array().unwrap();
        assert!((1..=500).contains(&rows.len()), "{} rows", rows.len());
        let names: BTreeSet<_> = rows
            .iter()
            .map(|row| row["insertId"].as_str().unwrap())
            .collect();
        assert_eq!(names.len(), rows.len(), "a row stands twice in a request");
        let mut errors = BTreeMap::new();
        for (index, row) in rows.iter().enumerate() {
            let id = row["insertId"].as_str().unwrap().to_owned();
            assert!((1..=128).contains(&id.len()), "{id}");
            if let Some(reason) = self
                .objection(&id)
                .or_else(|| mistake(&table, &row["json"]))
            {
                errors.insert(index, reason);
            }
            self.insert_ids.push(id);
        }
        let is_stopped = !errors.is_empty() && request["skipInvalidRows"] != true;
        for (index, row) in rows.iter().enumerate() {
            if is_stopped {
                errors.entry(index).or_insert("stopped");
            }
            if !errors.contains_key(&index) {
                self.take(name, row);
            }
        }
        let errors: Vec<_> = errors
            .iter()
            .map(|(index, reason)| {
                json!({"index": index, "errors": [{"reason": reason, "location": "",
                    "debugInfo": "", "message": "no"}]})
            })
            .collect();
        let mut answer = json!({"kind": "bigquery#tableDataInsertAllResponse"});
        if !errors.is_empty() {
            answer["insertErrors"] = json!(errors);
        }
        Json(answer).into_response()
    }

    fn objection(&mut self, id: &str) -> Option<&'static str> {
        let mut against = self.against.iter_mut();
        let (_, reasons) = against.find(|(name, _)| id.ends_with(name.as_str()))?;
        reasons.pop_front()
    }

    fn take(&mut self, table: &str, row: &Value) {
        let insert_id = row["insertId"].as_str().unwrap().to_owned();
        let is_new = self.seen.insert(format!("{table} {insert_id}"));
        if is_new || self.forgets_names {
            self.rows.push(Taken {
                table: table.to_owned(),
                insert_id,
                json: row["json"].clone(),
            });
        }
    }
}

/// What is wrong with a row, by the table's columns.
fn mistake(table: &Value, row: &Value) -> Option<&'static str> {
    let fields = table["schema"]["fields"].as_array().unwrap();
    let is_known = |name: &String| fields.iter().any(|field| field["name"] == name.as_str());
    let is_sound = |field: &Value| {
        let value = &row[field["name"].as_str().unwrap()];
        match field["type"].as_str().unwrap() {
            _ if value.is_null() => field["mode"] != "REQUIRED",
            "STRING" => value.is_string(),
            "INTEGER" => value.is_i64(),
            "TIMESTAMP" => value
                .as_str()
                .is_some_and(|text| text.parse::<Timestamp>().is_ok()),
            _ => false,
        }
    };
    let is_fine = row.as_object().unwrap().keys().all(is_known) && fields.iter().all(is_sound);
    (!is_fine).then_some("invalid")
}
