//! The documents themselves: complete, up to date, served.

use bonafide::http::openapi::{render, render_error_codes};

use super::{DOCUMENT, operations, resolved};
use crate::config::table::compare;
use crate::harness::{TestApp, flows};

flows!(the_document_is_served, the_page_asks_nobody_else);

#[test]
fn what_is_checked_in_is_up_to_date() {
    let document = render(&bonafide::http::document());
    compare("docs/openapi.json", &format!("{document}\n"));
    compare("docs/api-errors.md", &render_error_codes());
}

#[test]
fn every_reference_leads_somewhere() {
    fn follow(value: &'static serde_json::Value) -> usize {
        let here = usize::from(resolved(value) != value);
        let within: usize = match value {
            serde_json::Value::Object(fields) => fields.values().map(follow).sum(),
            serde_json::Value::Array(items) => items.iter().map(follow).sum(),
            _ => 0,
        };
        here + within
    }
    assert!(follow(&DOCUMENT) > 100);
}

#[test]
fn operations_are_named_once_and_described() {
    let mut names = std::collections::HashSet::new();
    for operation in operations() {
        let described = operation.described;
        let name = described["operationId"].as_str().unwrap();
        assert!(names.insert(name), "two operations are named {name}");
        assert!(described["summary"].is_string() && described["tags"].is_array());
        assert!(
            operation.documents(200) || operation.documents(201),
            "{name}"
        );
    }
    assert_eq!(DOCUMENT["openapi"].as_str().unwrap().get(..4), Some("3.1."));
}

#[test]
fn every_failure_has_an_example_of_each_of_its_words() {
    for operation in operations() {
        let words = operation.described["x-error-codes"].as_array();
        for word in words.into_iter().flatten() {
            let word = word.as_str().unwrap();
            let responses = operation.described["responses"].as_object().unwrap();
            let shown = responses.values().any(|response| {
                let content = &resolved(response)["content"]["application/json"];
                content["examples"][word]["value"]["error"].is_object()
                    || content["examples"][word]["value"]["error"].is_string()
            });
            assert!(shown, "{}: {word}", operation.template);
        }
    }
}

#[test]
fn an_unwell_server_has_an_example() {
    for (path, status) in [("/health", "unhealthy"), ("/health/ready", "not ready")] {
        let response = &DOCUMENT["paths"][path]["get"]["responses"]["503"];
        let example = &response["content"]["application/json"]["example"];
        assert_eq!(example["status"], status, "{path}");
    }
}

async fn the_document_is_served(app: TestApp) {
    let answer = app.get("/openapi.json").expect(200).await;
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.json, *DOCUMENT);
}

async fn the_page_asks_nobody_else(app: TestApp) {
    let moved = app.get("/docs").expect(303).await;
    assert_eq!(moved.header("location"), "/docs/");
    let page = app.get("/docs/").expect(200).await;
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
    assert!(!policy.contains("http") && !policy.contains("unsafe-eval"));
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    assert_eq!(page.header("x-frame-options"), "DENY");
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    let text = page.text();
    let links = text.split(['"', '\'']).filter(|part| part.contains("://"));
    assert_eq!(
        links.collect::<Vec<_>>(),
        [""; 0],
        "no address of another server"
    );
    for part in text.split("src=\"").skip(1) {
        let script = part.split('"').next().unwrap().trim_start_matches("./");
        let script = app.get(&format!("/docs/{script}")).expect(200).await;
        assert!(script.header("content-type").contains("javascript"));
    }
    let setup = app.get("/docs/swagger-initializer.js").expect(200).await;
    assert!(setup.text().contains("\"/openapi.json\""));
    assert!(setup.text().contains("\"validatorUrl\": \"none\""));
    assert_eq!(
        app.get("/docs/nothing").expect(404).await.code(),
        "not_found"
    );
    assert_eq!(app.records().await.len(), 0, "the page is no surface");
}
