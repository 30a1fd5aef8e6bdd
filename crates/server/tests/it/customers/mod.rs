//! The Customers surface as its clients see it.

mod check;

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

/// Reports one proof.
pub async fn prove(app: &TestApp, key: &str, email: &str, proof: &str, status: bool) -> Answer {
    let body = json!({"email": email, "verification_type": proof, "status": status});
    app.post(UPDATE).key(key).json(&body).expect(200).await
}
