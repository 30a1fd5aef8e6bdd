//! Compares answers with what the document says of them: as much of JSON Schema
//! as the document uses.

use serde_json::Value;

use super::{operations, resolved};
use crate::harness::Answer;

/// Every answer of a documented operation is documented: its status, and the
/// fields of its body, of which none is missing and none is unknown.
pub fn check(method: &str, path: &str, answer: &Answer) {
    let path = path.split('?').next().unwrap_or_default();
    let found = operations()
        .into_iter()
        .find(|operation| operation.verb() == method && is_of(operation.template, path));
    let Some(operation) = found else {
        return;
    };
    let status = answer.status.as_u16().to_string();
    let response = operation.described["responses"].get(&status);
    let response = response.unwrap_or_else(|| panic!("{method} {path}: {status} is undocumented"));
    let content = &resolved(response)["content"];
    let media = answer.headers.get("content-type");
    let media = media.and_then(|media| media.to_str().ok()?.split(';').next());
    if let Some(other) = media.filter(|media| *media != "application/json") {
        assert!(
            content[other].is_object(),
            "{method} {path}: {other} is undocumented"
        );
        return;
    }
    let schema = &content["application/json"]["schema"];
    let mut faults = Vec::new();
    compare(schema, &answer.json, "", &mut faults);
    assert!(faults.is_empty(), "{method} {path} {status}: {faults:?}");
}

fn is_of(template: &str, path: &str) -> bool {
    let (template, path) = (template.split('/'), path.split('/'));
    template.clone().count() == path.clone().count()
        && template
            .zip(path)
            .all(|(expected, part)| match expected.starts_with('{') {
                true => !part.is_empty(),
                false => expected == part,
            })
}

fn compare(schema: &'static Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    let schema = resolved(schema);
    if let Some(choices) = schema["oneOf"].as_array() {
        let fits = choices.iter().any(|choice| {
            let mut faults = Vec::new();
            compare(choice, value, at, &mut faults);
            faults.is_empty()
        });
        if !fits {
            faults.push(format!("{at} is none of the choices"));
        }
        return;
    }
    if !types(schema).iter().any(|kind| is_a(kind, value)) {
        faults.push(format!("{at} is of another type"));
        return;
    }
    match value {
        Value::Object(_) => compare_object(schema, value, at, faults),
        Value::Array(items) => {
            for item in items {
                compare(&schema["items"], item, &format!("{at}[]"), faults);
            }
        }
        _ => {}
    }
}

fn compare_object(schema: &'static Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    let parts = parts(schema);
    for (name, field) in value.as_object().unwrap() {
        let at = format!("{at}.{name}");
        let known = parts.iter().find_map(|part| {
            let named = part["properties"].get(name);
            named.or_else(|| part.get("additionalProperties"))
        });
        match known {
            Some(schema) => compare(schema, field, &at, faults),
            None => faults.push(format!("{at} is undocumented")),
        }
    }
    for part in parts {
        for name in part["required"].as_array().into_iter().flatten() {
            if value.get(name.as_str().unwrap()).is_none() {
                faults.push(format!("{at}.{name} is missing"));
            }
        }
    }
}

/// The schemas that apply together.
fn parts(schema: &'static Value) -> Vec<&'static Value> {
    let schema = resolved(schema);
    match schema["allOf"].as_array() {
        Some(all) => all.iter().flat_map(parts).collect(),
        None => vec![schema],
    }
}

fn types(schema: &'static Value) -> Vec<&'static str> {
    match &schema["type"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ if schema["allOf"].is_array() => vec!["object"],
        _ => Vec::new(),
    }
}

fn is_a(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        _ => false,
    }
}
