//! The Customers surface as its clients see it.

mod bulk;
mod check;
mod tenancy;
mod update;

use serde_json::{Value, json};

use crate::harness::{Answer, Call, TestApp};

/// The paths.
pub const CHECK: &str = "/api/v1/customer/check-verification";
pub const UPDATE: &str = "/api/v1/customer/update-verification";
pub const BULK: &str = "/api/v1/customer/bulk-check";

/// The scopes of a shop's back office.
pub const BOTH: &str = "customers:read customers:write";

/// Asks about a customer.
pub fn check(app: &TestApp, key: &str, question: &Value) -> Call {
    app.post(CHECK).key(key).json(question)
}

/// Asks about many.
pub fn bulk(app: &TestApp, key: &str, emails: &Value) -> Call {
    app.post(BULK).key(key).json(&json!({ "emails": emails }))
}

/// Reports a change.
pub fn update(app: &TestApp, key: &str, change: &Value) -> Call {
    app.post(UPDATE).key(key).json(change)
}

/// Reports one proof, now.
pub async fn prove(app: &TestApp, key: &str, email: &str, proof: &str, status: bool) -> Answer {
    let change = json!({"email": email, "verification_type": proof, "status": status});
    update(app, key, &change).expect(200).await
}

/// What is known of a customer.
pub async fn standing(app: &TestApp, key: &str, email: &str) -> Value {
    let answer = check(app, key, &json!({ "email": email }));
    answer.expect(200).await.json
}
