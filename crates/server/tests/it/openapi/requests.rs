//! The documented fields of requests are those that the server reads.

use serde_json::{Value, json};

use super::{operations, resolved};
use crate::harness::{TestApp, flows};

flows!(documented_fields_are_read, required_fields_are_missed);

/// What no field takes.
fn wrong() -> Value {
    json!([[[]]])
}

/// The documented object behind a schema that may also be null.
fn object(schema: &'static Value) -> &'static Value {
    match schema["oneOf"].as_array() {
        Some(choices) => resolved(&choices[0]),
        None => resolved(schema),
    }
}

/// Bodies with one documented field gone wrong each, and the field's path. There are objects without
/// any field.
fn bodies(schema: &'static Value) -> Vec<(String, Value)> {
    let mut bodies = Vec::new();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        bodies.push((name.clone(), json!({ name: wrong() })));
        let within = object(field);
        if within["properties"].is_object() {
            for (path, body) in self::bodies(within) {
                bodies.push((format!("{name}.{path}"), json!({ name: body })));
            }
        }
    }
    bodies
}

fn json_requests() -> impl Iterator<Item = (super::Operation, &'static Value)> {
    operations().into_iter().filter_map(|operation| {
        let content = &operation.described["requestBody"]["content"];
        let schema = &content.get("application/json")?["schema"];
        Some((operation, object(schema)))
    })
}

async fn documented_fields_are_read(app: TestApp) {
    let key = app
        .key_with("default", "admin", "customers=off", None)
        .await;
    let mut read = 0;
    for (operation, schema) in json_requests() {
        for (path, body) in bodies(schema) {
            let call = app.call(&operation.verb(), &operation.path()).key(&key);
            let answer = call.json(&body).expect(400).await;
            let named = answer.fields().iter().any(|field| field.starts_with(&path));
            assert!(named, "{} {body}: {}", operation.template, answer.text());
            read += 1;
        }
    }
    assert!(read > 25, "{read} fields");
}

async fn required_fields_are_missed(app: TestApp) {
    let key = app
        .key_with("default", "admin", "customers=off", None)
        .await;
    for (operation, schema) in json_requests() {
        let required: Vec<_> = match schema["required"].as_array() {
            Some(required) => required.iter().filter_map(Value::as_str).collect(),
            None => continue,
        };
        let call = app.call(&operation.verb(), &operation.path()).key(&key);
        let answer = call.json(&json!({})).expect(400).await;
        assert_eq!(answer.fields(), required, "{}", operation.template);
    }
}
