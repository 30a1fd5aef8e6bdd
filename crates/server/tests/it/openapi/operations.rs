//! Every operation of the document refuses as it should, and leaves its record.

use serde_json::json;

use super::{Operation, operations};
use crate::harness::{Answer, Call, TestApp, flows};

flows!(
    secured_operations_refuse_strangers,
    secured_operations_name_the_missing_scope,
    no_operation_takes_another_method,
    no_operation_takes_another_media_type,
    public_operations_answer_anybody,
);

/// A request that is well-formed but for what the test is about.
fn call(app: &TestApp, operation: &Operation) -> Call {
    let call = app.call(&operation.verb(), &operation.path());
    match operation.takes() {
        Some("application/json") => call.json(&json!({})),
        Some(other) => call.body(other, ""),
        None => call,
    }
}

/// The answer is in the surface's shape, is documented, and left one record.
async fn assert_recorded(app: &TestApp, operation: &Operation, answer: &Answer, code: &str) {
    let name = operation.described["operationId"].as_str().unwrap();
    let records = app.records_of(answer.request_id()).await;
    assert_eq!(records.len(), 1, "{name}");
    let record = &records[0].record;
    assert_eq!(record.action.replace('.', "_"), name);
    assert_eq!(record.outcome.code, code, "{name}");
    assert!(operation.documents(answer.status.as_u16()), "{name}");
}

async fn secured_operations_refuse_strangers(app: TestApp) {
    let mut secured = 0;
    for operation in operations() {
        if operation.scope().is_none() {
            continue;
        }
        secured += 1;
        for call in [
            call(&app, &operation),
            call(&app, &operation).key("bf_aaaaaaaaaaaa_wrong"),
            call(&app, &operation).header("authorization", "Bearer x.y.z"),
        ] {
            let answer = call.expect(401).await;
            assert_eq!(answer.code(), "unauthenticated");
            assert!(answer.header("www-authenticate").starts_with("Bearer"));
            assert_recorded(&app, &operation, &answer, "unauthenticated").await;
        }
    }
    assert!(secured >= 13, "{secured} operations are secured");
    let token = operations()
        .into_iter()
        .find(|operation| operation.template == "/api/v1/auth/token")
        .unwrap();
    let answer = call(&app, &token).expect(401).await;
    assert_eq!(answer.json["error"], "invalid_client");
    assert_recorded(&app, &token, &answer, "unauthenticated").await;
}

async fn secured_operations_name_the_missing_scope(app: TestApp) {
    let one = app.key("default", "statistics:read").await;
    let other = app.key("default", "audit:read").await;
    for operation in operations() {
        let Some(scope) = operation.scope() else {
            continue;
        };
        let key = if scope == "statistics:read" {
            &other
        } else {
            &one
        };
        let answer = call(&app, &operation).key(key).expect(403).await;
        assert_eq!(answer.code(), "forbidden");
        let named = answer.text().contains(&format!("the scope {scope}."));
        assert!(named, "{}: {}", operation.template, answer.text());
        assert_recorded(&app, &operation, &answer, "forbidden").await;
    }
}

async fn no_operation_takes_another_method(app: TestApp) {
    for (number, operation) in operations().into_iter().enumerate() {
        // So many refusals from one address would be a flood, of which only the count is recorded.
        let app = app.reached_from(&format!("198.51.100.{number}:1"), false);
        for method in ["DELETE", "PUT", "TRACE"] {
            let answer = app.call(method, &operation.path()).expect(405).await;
            assert!(answer.header("allow").contains(&operation.verb()));
            let token = operation.template == "/api/v1/auth/token";
            assert!(token || answer.code() == "method_not_allowed");
            let audited = operation.template.starts_with("/api/") || operation.scope().is_some();
            let audited = usize::from(audited);
            let records = app.records_of(answer.request_id()).await;
            assert_eq!(records.len(), audited, "{}", operation.template);
        }
    }
}

async fn no_operation_takes_another_media_type(app: TestApp) {
    let key = app.key("default", "admin").await;
    for operation in operations() {
        if operation.takes().is_none() {
            continue;
        }
        for media in ["text/plain", "application/xml", "multipart/form-data"] {
            let call = app.call(&operation.verb(), &operation.path()).key(&key);
            let answer = call.body(media, "{}").expect(415).await;
            let token = operation.template == "/api/v1/auth/token";
            assert!(token || answer.code() == "unsupported_media_type");
            assert_recorded(&app, &operation, &answer, "unsupported_media_type").await;
        }
    }
}

async fn public_operations_answer_anybody(app: TestApp) {
    let mut public = Vec::new();
    for operation in operations() {
        if operation.scope().is_none() && operation.takes().is_none() {
            call(&app, &operation).expect(200).await;
            public.push(operation.template);
        }
    }
    public.sort_unstable();
    let health = ["", "/age-verification", "/live", "/ready"];
    assert_eq!(public, health.map(|part| format!("/health{part}")));
}
