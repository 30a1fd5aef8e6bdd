//! The Ages surface as its clients see it.

mod answers;
mod attempts;
mod audit;
mod concurrency;
mod credentials;
mod health;
mod link;
mod mistakes;
mod once;
mod statistics;
mod status;
mod validity;

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Answer, Call, TestApp};

/// The paths.
pub const VERIFY: &str = "/api/age-verification/verify";
pub const RESUBMIT: &str = "/api/age-verification/resubmit";
pub const STATUS: &str = "/api/age-verification/status";
pub const STATISTICS: &str = "/api/age-verification/statistics";

/// The scopes of a shop's front end and dashboard.
pub const ALL: &str = "ages:read ages:write statistics:read";

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What somebody says who is old enough.
pub fn adult(customer: &str) -> Value {
    json!({
        "customerId": customer,
        "fullName": "Ada Lovelace",
        "dateOfBirth": "1990-06-15",
        "idNumberLast4": "1234",
        "state": "TX",
    })
}

/// The same, with one field said otherwise.
pub fn adult_with(customer: &str, field: &str, value: &str) -> Value {
    let mut claim = adult(customer);
    claim[field] = value.into();
    claim
}

/// What somebody says who is too young.
pub fn minor(customer: &str) -> Value {
    adult_with(customer, "dateOfBirth", "2010-06-15")
}

/// Asks to be found old enough.
pub fn verify(app: &TestApp, key: &str, claim: &Value) -> Call {
    app.post(VERIFY).key(key).json(claim)
}

/// Asks anew.
pub fn resubmit(app: &TestApp, key: &str, claim: &Value) -> Call {
    app.post(RESUBMIT).key(key).json(claim)
}

/// Looks a customer up, whose name is already as it stands in a path.
pub fn status(app: &TestApp, key: &str, customer: &str) -> Call {
    app.get(&format!("{STATUS}/{customer}")).key(key)
}

/// Asks for counts.
pub fn statistics(app: &TestApp, key: &str, query: &str) -> Call {
    app.get(&format!("{STATISTICS}{query}")).key(key)
}

/// A verification that passes.
pub async fn pass(app: &TestApp, key: &str, customer: &str) -> Answer {
    verify(app, key, &adult(customer)).expect(200).await
}

/// An attempt that is refused.
pub async fn refuse(app: &TestApp, key: &str, customer: &str) -> Answer {
    verify(app, key, &minor(customer)).expect(400).await
}

/// An attempt that is not even checked.
pub async fn closed(app: &TestApp, key: &str, claim: &Value) -> Answer {
    verify(app, key, claim).expect(429).await
}

/// Uses all attempts up.
pub async fn use_up(app: &TestApp, key: &str, customer: &str) {
    for _ in 0..3 {
        refuse(app, key, customer).await;
    }
}

/// The answer as it goes over the wire, without the verification's random name.
pub fn wire(answer: &Answer) -> String {
    let wire = answer.wire();
    match answer.json["verificationId"].as_str() {
        Some(id) => {
            assert!(domain::age::VerificationId::parse(id).is_some(), "{id}");
            let (time, _) = id.rsplit_once('_').unwrap();
            wire.replace(id, &format!("{time}_<random>"))
        }
        None => wire,
    }
}
