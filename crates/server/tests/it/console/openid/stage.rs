//! What the stories of a sign-in begin with: a provider, a server that goes by it, and somebody on
//! their way from one to the other and back.

use std::time::Duration;

use app::console::Administrators;
use bonafide::config::{Issuer, OpenId, Secret};
use domain::access::CompanyId;
use serde_json::{Value, json};
use url::Url;

use super::provider::{CLIENT, ClientProof, Provider, SECRET, asked, changed};
use crate::harness::{Answer, IdentityProvider, Settings, TestApp};
use crate::tokens::signing::Identity;

pub(super) const MARIA: &str = "maria@example.com";
pub(super) const SUBJECT: &str = "248289761001";

/// The cookie of a sign-in that was begun.
pub(super) const ATTEMPT: &str = "__Host-bonafide-openid";

/// A provider, whoever signs for it, and a server that lets Maria and one other in by it.
pub(super) struct Stage {
    pub(super) provider: Provider,
    pub(super) identity: Identity,
    pub(super) app: TestApp,
}

impl Stage {
    pub(super) async fn set(app: &TestApp) -> Self {
        Self::with(app, ClientProof::Basic, Identity::es256("one")).await
    }

    pub(super) async fn with(app: &TestApp, proof: ClientProof, identity: Identity) -> Self {
        let provider = Provider::open(proof, &[&identity]).await;
        let settings = settings(&provider.issuer, proof, &["Maria@Example.com", SUBJECT]);
        Self {
            app: app.another(settings).await,
            provider,
            identity,
        }
    }

    /// The same server, reached from somewhere where nobody has tried yet.
    pub(super) fn elsewhere(&self, number: usize) -> TestApp {
        let network = &self.app.nonce()[..4];
        let address = format!("[2001:db8:{network}:{number:x}::1]:1");
        self.app.reached_from(&address, false)
    }

    /// What an ID token says about Maria, with some of it changed.
    pub(super) fn claims(&self, begun: &Begun, changes: &Value) -> Value {
        let now = self.app.now().as_second();
        let said = json!({
            "iss": self.provider.issuer, "sub": "1", "aud": CLIENT, "exp": now + 300, "iat": now,
            "nonce": asked(&begun.door)["nonce"], "email": MARIA, "email_verified": true,
            "name": "Maria Santos",
        });
        changed(said, changes)
    }

    /// Has Maria come back, with changes to what the provider says about her.
    pub(super) async fn maria(&self, app: &TestApp, changes: &Value) -> Answer {
        let begun = begin(app, "").await;
        let token = self.identity.token(&self.claims(&begun, changes));
        begun
            .back(app, &self.provider.approve(&begun.door, token))
            .await
    }
}

pub(super) fn settings(issuer: &str, proof: ClientProof, listed: &[&str]) -> Settings {
    let listed: Vec<String> = listed.iter().map(|one| (*one).to_owned()).collect();
    let administrators = Administrators::new(issuer, CompanyId::default(), &listed).unwrap();
    let openid = OpenId {
        issuer: Issuer::parse(issuer).unwrap(),
        client_id: CLIENT.to_owned(),
        client_secret: (proof != ClientProof::Public).then(|| Secret::new(SECRET)),
        administrators: listed,
    };
    Settings {
        openid: Some(IdentityProvider {
            openid,
            patience: Duration::from_millis(500),
            allow_private: false,
        }),
        administrators: Some(administrators),
        ..Settings::default()
    }
}

/// Somebody on their way to the provider.
pub(super) struct Begun {
    pub(super) door: Url,
    pub(super) cookie: String,
}

pub(super) async fn begin(app: &TestApp, way: &str) -> Begun {
    let way: String = url::form_urlencoded::byte_serialize(way.as_bytes()).collect();
    let path = format!("/console/openid?way={way}");
    let answer = app.get(&path).expect(303).await;
    Begun {
        door: answer.header("location").parse().unwrap(),
        cookie: pair(answer.header("set-cookie")),
    }
}

impl Begun {
    pub(super) async fn back(&self, app: &TestApp, query: &str) -> Answer {
        let call = app.get(&format!("/console/openid/callback?{query}"));
        // As a browser says it that another site has sent here.
        let call = call.header("sec-fetch-site", "cross-site");
        call.header("cookie", &self.cookie).send().await
    }
}

/// What a browser sends of a cookie.
pub(super) fn pair(cookie: &str) -> String {
    cookie.split(';').next().unwrap().to_owned()
}

pub(super) fn cookies(answer: &Answer) -> Vec<String> {
    let lines = answer.headers.get_all("set-cookie").iter();
    lines
        .map(|line| line.to_str().unwrap().to_owned())
        .collect()
}

/// Whoever is refused gets no session; what the audit log says about it.
pub(super) async fn refused(app: &TestApp, answer: &Answer, status: u16) -> String {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text());
    let text = answer.text();
    assert!(text.contains("Sign in to the console"), "{text}");
    assert!(text.contains("Sign in with 127.0.0.1"), "{text}");
    let kept = cookies(answer);
    assert!(
        kept.iter()
            .all(|cookie| cookie.starts_with(ATTEMPT) && cookie.ends_with("Max-Age=0")),
        "{kept:?}"
    );
    let records = app.records_of(answer.request_id()).await;
    assert_eq!(records.len(), 1);
    let record = &records[0].record;
    assert!(
        record.action.starts_with("console.openid."),
        "{}",
        record.action
    );
    assert_eq!(
        (&*record.credential, record.outcome.status),
        ("", status.into())
    );
    record.detail.clone().unwrap_or_default()
}
