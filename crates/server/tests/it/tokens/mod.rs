//! Tokens: presented, exchanged for keys, checked against an identity provider, and signed at the
//! command line.

mod bearer;
mod command;
mod endpoint;
mod jwks;
mod provider;
pub mod signing;

use serde_json::{Value, json};

use crate::harness::{Answer, TestApp};

/// Asks about a customer with a bearer credential.
async fn ask(app: &TestApp, bearer: &str) -> Answer {
    app.post("/api/v1/customer/check-verification")
        .header("authorization", &format!("Bearer {bearer}"))
        .json(&json!({"email": "ann@example.com"}))
        .send()
        .await
}

/// Asks, and expects a status.
async fn expect(app: &TestApp, bearer: &str, status: u16) -> Answer {
    let answer = ask(app, bearer).await;
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text());
    answer
}

/// Asks with a token that must be refused; says why it was, according to the audit log.
async fn refusal(app: &TestApp, bearer: &str) -> String {
    let answer = expect(app, bearer, 401).await;
    assert_eq!(answer.code(), "unauthenticated");
    assert_eq!(
        answer.header("www-authenticate"),
        "Bearer realm=\"bonafide\", error=\"invalid_token\""
    );
    let records = app.records_of(answer.request_id()).await;
    assert_eq!(records.len(), 1);
    let record = &records[0].record;
    assert_eq!(
        (&*record.action, record.outcome.status),
        ("customer.check", 401)
    );
    record.detail.clone().unwrap()
}

/// Claims of a good token that may ask about customers, for an hour from now.
pub fn claims(app: &TestApp) -> Value {
    json!({
        "sub": "ann@example.com",
        "scope": "customers:read",
        "exp": app.now().as_second() + 3600,
    })
}

/// Claims with some of them changed; null takes one away.
fn claims_with(app: &TestApp, changes: Value) -> Value {
    let (Value::Object(mut claims), Value::Object(changes)) = (claims(app), changes) else {
        panic!("claims are objects");
    };
    for (name, value) in changes {
        if value.is_null() {
            claims.remove(&name);
        } else {
            claims.insert(name, value);
        }
    }
    claims.into()
}
