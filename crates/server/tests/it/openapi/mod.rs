//! The OpenAPI document says what the server does.

mod documents;
mod operations;
mod requests;
mod schema;

pub use schema::check;

use std::sync::LazyLock;

use serde_json::{Value, json};

/// The document.
pub static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::to_value(bonafide::http::document()).unwrap());

/// One operation of the document.
#[derive(Clone, Copy)]
pub struct Operation {
    /// As it is documented, with `{…}` in it.
    pub template: &'static str,
    /// In upper case is what is sent.
    pub method: &'static str,
    /// Its description.
    pub described: &'static Value,
}

/// All operations of the document.
pub fn operations() -> Vec<Operation> {
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(template, item)| {
        let methods = item.as_object().unwrap().iter();
        methods.map(|(method, described)| Operation {
            template,
            method,
            described,
        })
    });
    operations.collect()
}

impl Operation {
    /// The method as it is sent.
    pub fn verb(&self) -> String {
        self.method.to_uppercase()
    }

    /// The path with the documented examples in place of its parameters.
    pub fn path(&self) -> String {
        let mut path = self.template.to_owned();
        for parameter in self.described["parameters"].as_array().unwrap() {
            if parameter["in"] == "path" {
                let name = format!("{{{}}}", parameter["name"].as_str().unwrap());
                path = path.replace(&name, parameter["example"].as_str().unwrap());
            }
        }
        assert!(!path.contains('{'), "{path}: a parameter has no example");
        path
    }

    /// The scope that a credential needs, if one is needed.
    pub fn scope(&self) -> Option<&'static str> {
        let alternatives = self.described["security"].as_array().unwrap();
        if alternatives.is_empty() {
            return None;
        }
        // A fourth, empty one where the body may hold what authorises.
        let offered = alternatives.get(3).is_some_and(|last| *last == json!({}));
        let expected = 3 + usize::from(offered);
        assert_eq!(alternatives.len(), expected, "{}", self.template);
        let by_body = self.template == "/api/v1/verification/submit";
        assert_eq!(offered, by_body, "{}", self.template);
        alternatives[0]["api_key"][0].as_str()
    }

    /// The media type of its request, if it takes one.
    pub fn takes(&self) -> Option<&'static str> {
        let content = self.described["requestBody"]["content"].as_object()?;
        content.keys().next().map(String::as_str)
    }

    /// Whether an answer of this status is documented.
    pub fn documents(&self, status: u16) -> bool {
        self.described["responses"]
            .get(status.to_string())
            .is_some()
    }
}

/// Follows a reference, if it is one.
pub fn resolved(value: &'static Value) -> &'static Value {
    match value["$ref"].as_str() {
        None => value,
        Some(path) => DOCUMENT
            .pointer(path.trim_start_matches('#'))
            .unwrap_or_else(|| panic!("{path} leads nowhere")),
    }
}
