//! The example's client for the API, called as a shop's own page would call it.

use serde_json::{Value, json};

use super::shop::Visit;

/// What became of a call, dates as texts.
fn call(visit: &mut Visit, token: &str, call: &str) -> Value {
    let connection = json!({"baseUrl": visit.server.base_url() + "/", "token": token});
    let script = format!(
        "import('./age.js').then(({{ AgeApi }}) => new AgeApi({connection}).{call}) \
         .then((answer) => JSON.parse(JSON.stringify(answer)))"
    );
    visit.page.evaluate(&script).unwrap()
}

const CLAIM: &str = "{customerId: 'caller/1', fullName: 'Ana María', dateOfBirth: '1991-04-27', \
    idNumberLast4: '1234', state: 'TX'}";

#[test]
fn every_call_says_what_became_of_it() {
    let mut visit = Visit::new();
    let token = visit.token(&["--role", "admin"]);
    visit.open("verify.html");
    let health = call(&mut visit, "", "health()");
    assert_eq!(health, json!({"outcome": "healthy", "storage": "sqlite"}));
    let never = call(&mut visit, &token, "status('caller/1')");
    assert_eq!(never, json!({"outcome": "never_verified"}));

    let first = call(&mut visit, &token, &format!("verify({CLAIM})"));
    assert_eq!(
        (&first["outcome"], &first["method"]),
        (&json!("verified"), &json!("full_verification"))
    );
    let second = call(&mut visit, &token, &format!("verify({CLAIM})"));
    assert_eq!(second["method"], "cache");
    assert_eq!(second["verificationId"], first["verificationId"]);
    let anew = call(&mut visit, &token, &format!("resubmit({CLAIM})"));
    assert_eq!(anew["method"], "full_verification");
    assert_ne!(anew["verificationId"], first["verificationId"]);
    let found = call(&mut visit, &token, "status('caller/1')");
    assert_eq!(found["outcome"], "found");
    for same in ["verificationId", "verifiedAt", "expiresAt", "age"] {
        assert_eq!(found[same], anew[same], "{same}");
    }
    assert_eq!(visit.refusals(), ["404 status/caller%2F1"]);

    // A path that is not there, and a period that is none, are failures like any other.
    let period = call(&mut visit, &token, "statistics(0)");
    assert_eq!(period["outcome"], "failed");
    assert!(period["requestId"].is_string(), "{period}");
    let nobody = call(&mut visit, "", "status('caller/1')");
    assert_eq!(nobody["outcome"], "unauthenticated");
}

#[test]
fn an_attempt_with_a_name_counts_once() {
    let mut visit = Visit::new();
    let token = visit.token(&["--role", "admin"]);
    visit.open("verify.html");
    let refused = CLAIM.replace("1234", "123");
    let first = call(&mut visit, &token, &format!("verify({refused}, 'one')"));
    assert_eq!(
        (&first["outcome"], &first["field"]),
        (&json!("refused"), &json!("idNumberLast4"))
    );
    for _ in 0..3 {
        let again = call(&mut visit, &token, &format!("verify({refused}, 'one')"));
        assert_eq!(again, first);
    }
    let counted = call(&mut visit, &token, "statistics(1)");
    assert_eq!(
        (&counted["total"], &counted["refused"]),
        (&json!(1), &json!(1))
    );
    call(&mut visit, &token, &format!("verify({refused}, 'two')"));
    let counted = call(&mut visit, &token, "statistics(1)");
    assert_eq!(counted["total"], 2);
}
