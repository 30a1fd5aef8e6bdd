//! A collection for Postman (v2.1, which Bruno and Insomnia import too), made from the OpenAPI document.
//!
//! Guarantees: one request for each operation, in the order of the document's tags, with its documented
//! examples; the same document gives the same collection.
//! Must not: hold a secret; the key is a variable.

use serde_json::{Map, Value, json};

/// The schema that collections name.
const SCHEMA: &str = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json";

/// How deep an example is made up before it is given up.
const DEEPEST: usize = 8;

/// The collection of a document.
pub fn of(document: &Value) -> Value {
    let tags = list(&document["tags"]).map(|tag| folder(document, tag));
    json!({
        "info": {
            "name": at(document, "/info/title"),
            "description": at(document, "/info/description"),
            "version": at(document, "/info/version"),
            "schema": SCHEMA,
        },
        "auth": {"type": "apikey", "apikey": [
            {"key": "key", "value": "X-API-Key", "type": "string"},
            {"key": "value", "value": "{{apiKey}}", "type": "string"},
            {"key": "in", "value": "header", "type": "string"},
        ]},
        "variable": [
            {"key": "baseUrl", "value": "http://localhost:3000"},
            {"key": "apiKey", "value": ""},
        ],
        "item": tags.collect::<Vec<_>>(),
    })
}

/// The requests of a tag.
fn folder(document: &Value, tag: &Value) -> Value {
    let paths = document["paths"].as_object().into_iter().flatten();
    let operations = paths.flat_map(|(path, item)| {
        let methods = item.as_object().into_iter().flatten();
        methods.map(move |(method, operation)| (path, method, operation))
    });
    let own = operations.filter(|(.., operation)| at(operation, "/tags/0") == at(tag, "/name"));
    let items = own.map(|(path, method, operation)| request(document, path, method, operation));
    json!({
        "name": tag["name"],
        "description": tag["description"],
        "item": items.collect::<Vec<_>>(),
    })
}

fn request(document: &Value, path: &str, method: &str, operation: &Value) -> Value {
    let parameters: Vec<_> = list(&operation["parameters"])
        .map(|parameter| resolved(document, parameter))
        .collect();
    let of_kind = |kind: &'static str| {
        let own = parameters
            .iter()
            .filter(move |parameter| parameter["in"] == kind);
        own.map(|parameter| field(document, parameter))
    };
    let (variables, query): (Vec<_>, Vec<_>) =
        (of_kind("path").collect(), of_kind("query").collect());
    let mut request = json!({
        "method": method.to_uppercase(),
        "description": operation["description"],
        "url": url(path, &variables, &query),
        "header": of_kind("header").collect::<Vec<_>>(),
    });
    if let Some(fields) = request.as_object_mut() {
        fields.extend(
            body(document, &operation["requestBody"]).map(|body| ("body".to_owned(), body)),
        );
        if list(&operation["security"]).next().is_none() {
            fields.insert("auth".to_owned(), json!({"type": "noauth"}));
        }
    }
    json!({"name": operation["summary"], "request": request})
}

/// An address as Postman takes it apart: `{name}` in a path is `:name` there.
fn url(path: &str, variables: &[Value], query: &[Value]) -> Value {
    let path = path.replace('{', ":").replace('}', "");
    let segments: Vec<_> = path.trim_start_matches('/').split('/').collect();
    json!({
        "raw": format!("{{{{baseUrl}}}}{path}"),
        "host": ["{{baseUrl}}"],
        "path": segments,
        "variable": variables,
        "query": query,
    })
}

/// A parameter; what need not be given is off until it is wanted.
fn field(document: &Value, parameter: &Value) -> Value {
    let example = match &parameter["example"] {
        Value::Null => example(document, &parameter["schema"], 0),
        example => example.clone(),
    };
    let value = match example {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    };
    json!({
        "key": parameter["name"],
        "value": value,
        "description": parameter["description"],
        "disabled": parameter["required"] != true,
    })
}

/// The body; none where nothing needs to be said.
fn body(document: &Value, body: &Value) -> Option<Value> {
    let (media, content) = body["content"].as_object()?.iter().next()?;
    let example = example(document, &content["schema"], 0);
    if example.as_object().is_some_and(Map::is_empty) {
        return None;
    }
    if media == "application/x-www-form-urlencoded" {
        let fields = example.as_object()?.iter();
        let fields = fields.map(|(key, value)| json!({"key": key, "value": value}));
        return Some(json!({"mode": "urlencoded", "urlencoded": fields.collect::<Vec<_>>()}));
    }
    Some(json!({
        "mode": "raw",
        "raw": format!("{example:#}"),
        "options": {"raw": {"language": "json"}},
    }))
}

/// The documented example of a schema, or one made of those of its required fields.
fn example(document: &Value, schema: &Value, depth: usize) -> Value {
    let schema = resolved(document, schema);
    let shown = [
        &schema["example"],
        at(schema, "/examples/0"),
        &schema["default"],
    ];
    if let Some(shown) = shown.into_iter().find(|shown| !shown.is_null()) {
        return shown.clone();
    }
    if depth == DEEPEST {
        return Value::Null;
    }
    if let Some(choice) = list(&schema["oneOf"]).find(|choice| choice["type"] != "null") {
        return example(document, choice, depth + 1);
    }
    if let Some(items) = schema.get("items") {
        return json!([example(document, items, depth + 1)]);
    }
    let mut fields = Map::new();
    for part in list(&schema["allOf"]) {
        if let Value::Object(more) = example(document, part, depth + 1) {
            fields.extend(more);
        }
    }
    let properties = schema["properties"].as_object().into_iter().flatten();
    let required = |name: &str| list(&schema["required"]).any(|required| required == name);
    let any_required = list(&schema["required"]).next().is_some();
    for (name, property) in properties.filter(|(name, _)| !any_required || required(name)) {
        fields.insert(name.clone(), example(document, property, depth + 1));
    }
    Value::Object(fields)
}

/// What a pointer (RFC 6901) leads to; null if that is nothing.
fn at<'v>(value: &'v Value, pointer: &str) -> &'v Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Follows a reference, if it is one.
fn resolved<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    let reference = value["$ref"]
        .as_str()
        .and_then(|path| path.strip_prefix('#'));
    reference
        .and_then(|path| document.pointer(path))
        .unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::root;

    fn read(path: &str) -> Value {
        let text = std::fs::read_to_string(root().unwrap().join(path)).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn the_collection_is_up_to_date() {
        let made = of(&read("docs/openapi.json"));
        let kept = read(super::super::openapi::COLLECTION);
        assert!(made == kept, "run `cargo xtask openapi`");
    }

    #[test]
    fn every_operation_is_a_request_that_can_be_sent() {
        let document = read("docs/openapi.json");
        let paths = document["paths"].as_object().unwrap();
        let operations: usize = paths
            .values()
            .map(|item| item.as_object().unwrap().len())
            .sum();
        let collection = of(&document);
        let folders = list(&collection["item"]);
        let requests: Vec<_> = folders.flat_map(|folder| list(&folder["item"])).collect();
        assert_eq!(requests.len(), operations);
        for request in requests {
            let request = &request["request"];
            let raw = request["url"]["raw"].as_str().unwrap();
            assert!(
                raw.starts_with("{{baseUrl}}/") && !raw.contains("}/:}"),
                "{raw}"
            );
            for variable in list(&request["url"]["variable"]) {
                assert!(
                    variable["value"]
                        .as_str()
                        .is_some_and(|value| !value.is_empty()),
                    "{raw}"
                );
            }
            if let Some(body) = request["body"]["raw"].as_str() {
                let body: Value = serde_json::from_str(body).unwrap();
                assert!(
                    body.as_object().is_some_and(|fields| !fields.is_empty()),
                    "{raw} {body}"
                );
            }
        }
    }

    #[test]
    fn an_example_is_the_documented_one_or_made_of_what_is_required() {
        let document =
            json!({"components": {"schemas": {"Name": {"type": "string", "examples": ["Ann"]}}}});
        let name = json!({"$ref": "#/components/schemas/Name"});
        let schema = json!({
            "required": ["name", "names"],
            "properties": {
                "name": name,
                "names": {"type": "array", "items": name},
                "other": {"type": "string", "example": "not asked for"},
            },
        });
        assert_eq!(
            example(&document, &schema, 0),
            json!({"name": "Ann", "names": ["Ann"]})
        );
    }
}
