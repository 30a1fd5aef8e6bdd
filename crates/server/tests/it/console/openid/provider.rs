//! An identity provider on the loopback interface: its document, its keys, its door for browsers, and its
//! token endpoint, which takes a code once, from whom it was given, and looks at all that it must.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use bonafide::ambient::SystemClock;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use domain::clock::Clock as _;
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::Url;

use crate::tokens::signing::Identity;

/// What the provider calls us.
pub const CLIENT: &str = "bonafide console";
/// What it gave us to prove it with; some signs of it are encoded in a header.
pub const SECRET: &str = "s3cret:of + the%client";
/// Where it may send people back to.
pub const BACK: &str = "https://verify.example.com/console/openid/callback";

/// How a client shows that it is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientProof {
    Basic,
    Post,
    Public,
}

/// What it answers at one of its addresses.
#[derive(Clone)]
pub enum Reply {
    Json(Value),
    Status(u16),
    Refusal(u16, &'static str),
    Elsewhere,
    Endless,
    Never,
}

/// A running provider.
pub struct Provider {
    pub issuer: String,
    house: Arc<House>,
    task: JoinHandle<()>,
}

struct House {
    issuer: String,
    proof: ClientProof,
    published: Mutex<Vec<Value>>,
    replies: Mutex<HashMap<&'static str, Reply>>,
    grants: Mutex<HashMap<String, Grant>>,
    codes: AtomicUsize,
    /// Whoever comes to the door, and who signs what is said about them.
    visitor: Mutex<Option<(Identity, Value)>>,
}

/// What a code stands for.
struct Grant {
    challenge: String,
    back: String,
    token: String,
}

impl Provider {
    pub async fn open(proof: ClientProof, identities: &[&Identity]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}/realms/shop", listener.local_addr().unwrap());
        let house = Arc::new(House {
            issuer: issuer.clone(),
            proof,
            published: Mutex::default(),
            replies: Mutex::default(),
            grants: Mutex::default(),
            codes: AtomicUsize::new(0),
            visitor: Mutex::default(),
        });
        let router = Router::new()
            .route(
                "/realms/shop/.well-known/openid-configuration",
                get(document),
            )
            .route("/realms/shop/keys", get(keys))
            .route("/realms/shop/token", post(token))
            .route("/realms/shop/door", get(door))
            .with_state(house.clone());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let provider = Self {
            issuer,
            house,
            task,
        };
        provider.publish(identities);
        provider
    }

    /// Publishes these keys from now on.
    pub fn publish(&self, identities: &[&Identity]) {
        let keys = identities.iter().map(|identity| identity.jwk());
        *self.house.published.lock().unwrap() = keys.collect();
    }

    /// Answers something else at `document`, `keys` or `token` from now on.
    pub fn answer(&self, at: &'static str, reply: Reply) {
        self.house.replies.lock().unwrap().insert(at, reply);
    }

    /// Answers as usual there again.
    pub fn recover(&self, at: &'static str) {
        self.house.replies.lock().unwrap().remove(at);
    }

    /// What it says of itself, with some of it changed.
    pub fn document(&self, changes: &Value) -> Value {
        changed(said(&self.house), changes)
    }

    /// Has somebody sign in at its door, whom `token` names; the query with which they are sent back.
    pub fn approve(&self, door: &Url, token: String) -> String {
        self.house.grant(&asked(door), token)
    }

    /// Knows whoever comes to the door with a browser.
    pub fn know(&self, identity: Identity, claims: Value) {
        *self.house.visitor.lock().unwrap() = Some((identity, claims));
    }

    /// Nobody listens any more.
    pub async fn close(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// What somebody is sent to the door with.
pub fn asked(door: &Url) -> HashMap<String, String> {
    let pairs: Vec<_> = door.query_pairs().into_owned().collect();
    let count = pairs.len();
    let asked: HashMap<_, _> = pairs.into_iter().collect();
    assert_eq!(asked.len(), count, "each is said once");
    asked
}

/// An object with some members changed; null takes one away.
pub fn changed(object: Value, changes: &Value) -> Value {
    let (Value::Object(mut object), Value::Object(changes)) = (object, changes) else {
        panic!("both are objects");
    };
    for (name, value) in changes {
        match value {
            Value::Null => drop(object.remove(name)),
            value => drop(object.insert(name.clone(), value.clone())),
        }
    }
    object.into()
}

fn said(house: &House) -> Value {
    let at = |name: &str| format!("{}/{name}", house.issuer);
    let ways = match house.proof {
        ClientProof::Basic => json!(["client_secret_basic", "client_secret_post"]),
        ClientProof::Post => json!(["private_key_jwt", "client_secret_post"]),
        ClientProof::Public => Value::Null,
    };
    json!({
        "issuer": house.issuer,
        "authorization_endpoint": at("door?kc_locale=en"),
        "token_endpoint": at("token"),
        "jwks_uri": at("keys"),
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["plain", "S256"],
        "token_endpoint_auth_methods_supported": ways,
    })
}

async fn document(State(house): State<Arc<House>>) -> Response {
    let usual = || axum::Json(said(&house)).into_response();
    house.reply("document", usual).await
}

async fn keys(State(house): State<Arc<House>>) -> Response {
    let published = house.published.lock().unwrap().clone();
    let usual = || axum::Json(json!({"keys": published})).into_response();
    house.reply("keys", usual).await
}

async fn token(State(house): State<Arc<House>>, headers: HeaderMap, body: String) -> Response {
    let usual = || house.redeem(&headers, &body);
    house.reply("token", usual).await
}

/// A page on which somebody says that it is them.
async fn door(State(house): State<Arc<House>>, uri: http::Uri) -> Response {
    let address: Url = format!("http://provider{uri}").parse().unwrap();
    let asked = asked(&address);
    let now = SystemClock.now().as_second();
    let token = {
        let visitor = house.visitor.lock().unwrap();
        let (identity, claims) = visitor.as_ref().unwrap();
        let said = json!({
            "iss": house.issuer, "aud": asked["client_id"], "iat": now, "exp": now + 300,
            "nonce": asked["nonce"],
        });
        identity.token(&changed(said, claims))
    };
    let query = house.grant(&asked, token).replace('&', "&amp;");
    let link = format!("<a href=\"{}?{query}\">It is me</a>", asked["redirect_uri"]);
    let page =
        format!("<!doctype html><title>Provider</title><link rel=icon href=\"data:,\">{link}");
    ([(header::CONTENT_TYPE, "text/html")], page).into_response()
}

impl House {
    /// A code for whoever was sent to the door with that; the query with which they are sent back.
    fn grant(&self, asked: &HashMap<String, String>, token: String) -> String {
        let mut grants = self.grants.lock().unwrap();
        // One sign-in may be approved several times here.
        let code = format!(
            "code+{}/{}",
            self.codes.fetch_add(1, Ordering::SeqCst),
            asked["state"]
        );
        let grant = Grant {
            challenge: asked["code_challenge"].clone(),
            back: asked["redirect_uri"].clone(),
            token,
        };
        grants.insert(code.clone(), grant);
        url::form_urlencoded::Serializer::new(String::new())
            .append_pair("code", &code)
            .append_pair("state", &asked["state"])
            .finish()
    }

    async fn reply(&self, at: &'static str, usual: impl FnOnce() -> Response) -> Response {
        let reply = self.replies.lock().unwrap().get(at).cloned();
        match reply {
            None => usual(),
            Some(Reply::Json(value)) => axum::Json(value).into_response(),
            Some(Reply::Status(status)) => StatusCode::from_u16(status).unwrap().into_response(),
            Some(Reply::Refusal(status, word)) => refusal(status, word),
            Some(Reply::Elsewhere) => {
                (StatusCode::FOUND, [(header::LOCATION, "keys")]).into_response()
            }
            Some(Reply::Endless) => {
                let piece = || Ok::<_, std::io::Error>(vec![b' '; 64 * 1024]);
                let pieces = futures_util::stream::repeat_with(piece);
                Body::from_stream(pieces).into_response()
            }
            Some(Reply::Never) => std::future::pending().await,
        }
    }

    fn redeem(&self, headers: &HeaderMap, body: &str) -> Response {
        let form: HashMap<String, String> = url::form_urlencoded::parse(body.as_bytes())
            .into_owned()
            .collect();
        let field = |name: &str| form.get(name).map(String::as_str);
        let authorization = headers.get(header::AUTHORIZATION);
        let shown = (
            authorization.map(|value| value.to_str().unwrap().to_owned()),
            field("client_id"),
            field("client_secret"),
        );
        let basic = BASE64.encode(b"bonafide+console:s3cret%3Aof+%2B+the%25client");
        let expected = match self.proof {
            ClientProof::Basic => (Some(format!("Basic {basic}")), None, None),
            ClientProof::Post => (None, Some(CLIENT), Some(SECRET)),
            ClientProof::Public => (None, Some(CLIENT), None),
        };
        if shown != expected {
            return refusal(401, "invalid_client");
        }
        if field("grant_type") != Some("authorization_code") {
            return refusal(400, "invalid_request");
        }
        let code = field("code").unwrap_or_default();
        let grant = self.grants.lock().unwrap().remove(code);
        let verifier = field("code_verifier").unwrap_or_default();
        let challenge = digest(&SHA256, verifier.as_bytes());
        let challenge = BASE64URL_NOPAD.encode(challenge.as_ref());
        let back = field("redirect_uri").unwrap_or_default();
        match grant.filter(|grant| grant.challenge == challenge && grant.back == back) {
            Some(grant) => axum::Json(json!({
                "access_token": "of no use here", "token_type": "Bearer", "id_token": grant.token,
            }))
            .into_response(),
            None => refusal(400, "invalid_grant"),
        }
    }
}

fn refusal(status: u16, word: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    (status, axum::Json(json!({"error": word}))).into_response()
}
