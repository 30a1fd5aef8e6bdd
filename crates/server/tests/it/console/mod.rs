//! The console as a browser gets it, without a browser: who comes in, what leaves, what is recorded.

mod audit;
mod companies;
mod customers;
mod deliveries;
mod example;
mod figures;
mod forms;
mod health;
mod inbox;
mod integrations;
mod keys;
mod links;
mod lists;
pub mod openid;
mod orders;
mod overview;
mod sessions;
mod sign_in;

use crate::harness::{Answer, Call, TestApp};

const FORM: &str = "application/x-www-form-urlencoded";

/// What the browser keeps where the connection is encrypted.
const COOKIE: &str = "__Host-bonafide";

/// Somebody who is signed in.
struct Admin {
    app: TestApp,
    cookie: String,
    mark: String,
}

impl Admin {
    /// Signs in with a credential, and looks at the first page.
    async fn with(app: &TestApp, credential: &str) -> Self {
        let answer = sign_in(app, credential).expect(303).await;
        assert_eq!(answer.header("location"), "../console");
        Self::of(app, &answer).await
    }

    /// Whoever was let in by that answer.
    async fn of(app: &TestApp, answer: &Answer) -> Self {
        let kept = answer.header("set-cookie");
        let cookie = kept.split(';').next().unwrap().to_owned();
        let mut admin = Self {
            app: app.clone(),
            cookie,
            mark: String::new(),
        };
        let page = admin.get("/console").expect(200).await;
        admin.mark = field(&page, "mark");
        admin
    }

    /// Signs in with a new administrator's key.
    async fn new(app: &TestApp) -> Self {
        Self::with(app, &app.key("default", "admin").await).await
    }

    fn get(&self, path: &str) -> Call {
        self.app.get(path).header("cookie", &self.cookie)
    }

    /// Sends a form of this session.
    fn send(&self, path: &str, fields: &[(&str, &str)]) -> Call {
        let mut fields = fields.to_vec();
        fields.push(("mark", &self.mark));
        send(&self.app, path, &fields).header("cookie", &self.cookie)
    }
}

/// Sends a form.
fn send(app: &TestApp, path: &str, fields: &[(&str, &str)]) -> Call {
    let form = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    app.post(path).body(FORM, form)
}

fn sign_in(app: &TestApp, credential: &str) -> Call {
    send(
        app,
        "/console/sign-in",
        &[("credential", credential), ("way", "")],
    )
}

/// What a hidden field of a page holds.
fn field(page: &Answer, name: &str) -> String {
    let text = page.text();
    let begin = format!("name=\"{name}\" value=\"");
    let (_, rest) = text
        .split_once(&begin)
        .unwrap_or_else(|| panic!("no {name}: {text}"));
    rest.split('"').next().unwrap().to_owned()
}

/// The action, the outcome and the credential of the record that an answer left.
async fn record(app: &TestApp, answer: &Answer) -> (String, String, String) {
    let records = app.records_of(answer.request_id()).await;
    assert_eq!(records.len(), 1);
    let record = records.into_iter().next().unwrap().record;
    let (action, code) = (record.action, record.outcome.code);
    (action.into(), code.into(), record.credential.to_string())
}

/// How the audit log calls a key.
fn named(key: &str) -> String {
    format!("key:{}", crate::harness::key_id(key))
}

/// The pages that need nothing but a session.
const PAGES: [&str; 22] = [
    "/console/",
    "/console/numbers",
    "/console/ages",
    "/console/ages?days=365",
    "/console/keys",
    "/console/audit",
    "/console/audit/check",
    "/console/companies",
    "/console/companies/default",
    "/console/integrations",
    "/console/health",
    "/console/inbox",
    "/console/inbox?status=waiting",
    "/console/inbox?status=parked",
    "/console/deliveries",
    "/console/deliveries?status=exhausted",
    "/console/customers",
    "/console",
    "/console?figures=7d",
    "/console/orders",
    "/console/orders?status=all",
    "/console/sessions",
];

/// The forms that change something.
const FORMS: [&str; 27] = [
    "/console/example",
    "/console/example/remove",
    "/console/keys",
    "/console/keys/aaaaaaaaaaaa/rotate",
    "/console/keys/aaaaaaaaaaaa/revoke",
    "/console/companies",
    "/console/companies/default/change",
    "/console/companies/default/secret",
    "/console/companies/default/on",
    "/console/companies/default/off",
    "/console/inbox/again",
    "/console/inbox/01941f29-7c00-7d1f-9a3f-803767c1cef5/open",
    "/console/inbox/01941f29-7c00-7d1f-9a3f-803767c1cef5/again",
    "/console/audit/check",
    "/console/audit/records/1.1.0/proof",
    "/console/deliveries/01941f29-7c00-7d1f-9a3f-803767c1cef5/open",
    "/console/deliveries/01941f29-7c00-7d1f-9a3f-803767c1cef5/again",
    "/console/customers/find",
    "/console/customers/00000000000000000000000000000000/reveal",
    "/console/customers/00000000000000000000000000000000/change",
    "/console/customers/00000000000000000000000000000000/export",
    "/console/customers/00000000000000000000000000000000/erase",
    "/console/orders/1001/release",
    "/console/orders/1001/cancel",
    "/console/sessions/01941f29-7c00-7d1f-9a3f-803767c1cef5/end",
    "/console/sign-out",
    "/console/sign-out-everywhere",
];
