//! The Numbers surface as companies and their apps see it.

mod answers;
mod audit;
mod concurrency;
mod credentials;
mod expiry;
mod limits;
mod mistakes;
mod once;
mod page;
mod tenancy;

use serde_json::{Value, json};

use crate::harness::{Answer, Call, TestApp};

/// The paths.
pub const INITIATE: &str = "/api/v1/verification/initiate";
pub const SUBMIT: &str = "/api/v1/verification/submit";
pub const STATUS: &str = "/api/v1/verification/status";

/// The scopes of a company.
pub const ALL: &str = "numbers:read numbers:write";

/// The number of every session, unless a test says otherwise.
pub const NUMBER: &str = "+14155550123";
/// A number of somebody else.
pub const OTHER: &str = "+14155550124";

/// An open session, as its company knows it.
#[derive(Clone, Debug)]
pub struct Opened {
    pub id: String,
    pub token: String,
}

impl Opened {
    pub fn of(answer: &Answer) -> Self {
        let link = answer.json["deepLink"].as_str().unwrap().to_owned();
        let (_, token) = link.rsplit_once(['#', '=']).unwrap();
        Self {
            id: answer.json["verificationId"].as_str().unwrap().to_owned(),
            token: token.to_owned(),
        }
    }
}

/// Asks for a session.
pub fn initiate(app: &TestApp, key: &str, number: &str, request: &str) -> Call {
    let body = json!({ "mobileNumber": number, "requestId": request });
    app.post(INITIATE).bearer(key).json(&body)
}

/// Opens a session.
pub async fn open(app: &TestApp, key: &str, request: &str) -> Opened {
    Opened::of(&initiate(app, key, NUMBER, request).expect(201).await)
}

/// What an app submits.
pub fn submission(session: &Opened, number: &str) -> Value {
    json!({
        "verificationId": session.id,
        "mobileNumber": number,
        "appUserId": "user-7",
        "token": session.token,
    })
}

/// Submits a number with the session's token.
pub fn submit(app: &TestApp, session: &Opened, number: &str) -> Call {
    app.post(SUBMIT).json(&submission(session, number))
}

/// Submits a number with a credential of the company.
pub fn submit_as(app: &TestApp, key: &str, session: &Opened, number: &str) -> Call {
    let mut named = submission(session, number);
    named.as_object_mut().unwrap().remove("token");
    app.post(SUBMIT).bearer(key).json(&named)
}

/// A column of all sessions, in the order in which they were opened.
pub async fn rows(app: &TestApp, column: &str) -> Vec<String> {
    let sql = format!("SELECT {column} FROM verification_sessions ORDER BY verification_id");
    app.database()
        .sql(&sql)
        .await
        .into_iter()
        .flatten()
        .collect()
}

/// Looks a session up.
pub fn status(app: &TestApp, key: &str, id: &str) -> Call {
    app.get(&format!("{STATUS}/{id}")).bearer(key)
}
