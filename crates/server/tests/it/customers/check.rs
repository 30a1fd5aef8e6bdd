//! check-verification.

use serde_json::json;

use super::{BOTH, check, prove};
use crate::harness::{TestApp, flows};

flows!(
    an_unknown_customer_has_proven_nothing,
    a_customer_is_found_by_email
);

async fn an_unknown_customer_has_proven_nothing(app: TestApp) {
    let key = app.key("default", BOTH).await;
    let answer = check(&app, &key, &json!({"email": "nobody@example.com"}));
    insta::assert_snapshot!("unknown", answer.expect(200).await.wire());
}

async fn a_customer_is_found_by_email(app: TestApp) {
    let key = app.key("default", BOTH).await;
    prove(&app, &key, "ann@example.com", "veriff", true).await;
    let answer = check(&app, &key, &json!({"email": " Ann@Example.com "}));
    let json = answer.expect(200).await.json;
    assert_eq!(json["customer_found"], true);
    assert_eq!(json["veriff_approved"], true);
    assert_eq!(json["veriff_date"], "2025-01-01T00:00:00Z");
    assert_eq!(json["all_verified"], false);
}
