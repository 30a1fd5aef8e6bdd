//! What is written to Square, and its lists of customers.

use app::square::{Page, Profile, Shown};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

/// What staff reads above our attribute.
const NAME: &str = "ID verification";

/// What it is about.
const DESCRIPTION: &str =
    "Whether this customer has shown an ID, as the verification server knows it";

/// The schema of texts.
const TEXT: &str =
    "https://developer-production-s.squarecdn.com/schemas/v1/common.json#squareup.common.String";

/// A page of customers; one that cannot be read is left out. Where nobody is found, Square leaves out
/// the list as well.
pub fn page(value: &Value) -> Option<Page> {
    let page = value.as_object()?;
    let customers = match page.get("customers") {
        None | Some(Value::Null) => Vec::new(),
        Some(customers) => customers
            .as_array()?
            .iter()
            .filter_map(Profile::read)
            .collect(),
    };
    let cursor = page.get("cursor").and_then(Value::as_str);
    Some(Page {
        customers,
        cursor: cursor
            .filter(|cursor| !cursor.is_empty())
            .map(str::to_owned),
        count: page.get("count").and_then(Value::as_u64),
    })
}

/// A search for what was changed since then; a cursor is good only for the same search.
pub fn search(since: Timestamp, cursor: Option<&str>) -> Value {
    let mut search = json!({
        "limit": 100,
        "count": true,
        "query": {
            "filter": {"updated_at": {"start_at": since.to_string()}},
            "sort": {"field": "CREATED_AT", "order": "ASC"},
        },
    });
    if let (Some(cursor), Some(search)) = (cursor, search.as_object_mut()) {
        search.insert("cursor".to_owned(), cursor.into());
    }
    search
}

/// The definition of our attribute: staff sees it, and does not change it.
pub fn definition(key: &str, name: Uuid) -> Value {
    json!({
        "custom_attribute_definition": {
            "key": key, "name": NAME, "description": DESCRIPTION,
            "schema": {"$ref": TEXT}, "visibility": "VISIBILITY_READ_ONLY",
        },
        "idempotency_key": name.to_string(),
    })
}

/// Another value of our attribute. The key is of at most 45 characters.
pub fn value(shown: &Shown<'_>) -> Value {
    let (name, second) = (shown.name.simple(), shown.at.as_second());
    json!({
        "custom_attribute": {"value": shown.value},
        "idempotency_key": format!("{name}-{second}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_found_is_no_list_and_only_a_missing_cursor_ends_it() {
        let nobody = page(&json!({})).unwrap();
        assert!(nobody.customers.is_empty() && nobody.cursor.is_none());
        let empty = page(&json!({"cursor": "next"})).unwrap();
        assert_eq!(empty.cursor.as_deref(), Some("next"));
        let some = page(&json!({"customers": [{"id": "A"}, {"id": 7}, null], "count": 9})).unwrap();
        assert_eq!((some.customers.len(), some.count), (1, Some(9)));
        assert!(page(&json!([])).is_none() && page(&json!({"customers": "x"})).is_none());
    }

    #[test]
    fn keys_of_changes_are_short_enough() {
        let shown = Shown {
            value: "verified_21",
            name: Uuid::max(),
            at: Timestamp::from_second(9_999_999_999).unwrap(),
        };
        let value = value(&shown);
        assert!(value["idempotency_key"].as_str().unwrap().len() <= 45);
        let definition = definition("id-verification", Uuid::max());
        assert!(definition["idempotency_key"].as_str().unwrap().len() <= 45);
    }
}
