//! An event of Square about a customer, as its hook tells it.

use domain::square::Event;
use jiff::Timestamp;
use serde_json::Value;

use super::Profile;
use super::profile::{id, time};

/// What an event says.
#[derive(Debug)]
pub struct Told {
    /// Whom it is about.
    pub id: String,
    /// When it happened.
    pub at: Timestamp,
    /// Whether it says that the customer is gone.
    pub is_deletion: bool,
    /// The customer; a deletion may lack it.
    pub profile: Option<Profile>,
    /// Who was merged into whom.
    pub merges: Vec<(String, String)>,
}

impl Told {
    /// Reads an event; `None` when it does not say whom it is about. An event without a time of its
    /// own happened when it came.
    #[must_use]
    pub fn read(body: &[u8], received_at: Timestamp) -> Option<Self> {
        let event: Value = serde_json::from_slice(body).ok()?;
        let data = event.get("data")?;
        let object = data.get("object");
        let profile = object.and_then(|object| object.get("customer"));
        let profile = profile.and_then(Profile::read);
        let named = data.get("id").and_then(Value::as_str).and_then(id);
        let text = |name| event.get(name).and_then(Value::as_str);
        Some(Self {
            id: named.or_else(|| profile.as_ref().map(|profile| profile.id.clone()))?,
            at: text("created_at").and_then(time).unwrap_or(received_at),
            is_deletion: text("type") == Some("customer.deleted")
                || data.get("deleted").and_then(Value::as_bool) == Some(true),
            profile,
            merges: merges(object.and_then(|object| object.pointer("/event_context/merge"))),
        })
    }

    /// What it says has happened to whom it is about, beside merges.
    pub fn event(&self) -> Option<Event> {
        if self.is_deletion {
            return Some(Event::Deleted(self.at));
        }
        let is_recovered = self
            .profile
            .as_ref()
            .is_some_and(|profile| profile.is_recovered);
        is_recovered.then_some(Event::Recovered(self.at))
    }
}

fn merges(merge: Option<&Value>) -> Vec<(String, String)> {
    let into = |merge: &Value| {
        merge
            .get("to_customer_id")
            .and_then(Value::as_str)
            .and_then(id)
    };
    let from = |merge: &Value| {
        merge
            .get("from_customer_ids")
            .and_then(Value::as_array)
            .cloned()
    };
    let Some((into, from)) = merge.and_then(|merge| into(merge).zip(from(merge))) else {
        return Vec::new();
    };
    let from = from.iter().filter_map(Value::as_str).filter_map(id);
    from.filter(|from| *from != into)
        .map(|from| (from, into.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(event: &Value) -> Option<Told> {
        Told::read(event.to_string().as_bytes(), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_merge_says_who_went_into_whom() {
        let told = read(&json!({
            "type": "customer.created", "event_id": "e", "created_at": "2022-11-09T21:23:25.123456789Z",
            "data": {"type": "customer", "id": "TO", "object": {
                "customer": {"id": "TO", "version": 1, "creation_source": "MERGE"},
                "event_context": {"merge": {"from_customer_ids": ["A", "B", "TO", 7, "../x"],
                    "to_customer_id": "TO"}},
            }},
        }))
        .unwrap();
        assert_eq!((told.id.as_str(), told.is_deletion), ("TO", false));
        assert_eq!(told.at.as_microsecond(), 1_668_029_005_123_456);
        let pair = |from: &str| (from.to_owned(), "TO".to_owned());
        assert_eq!(told.merges, [pair("A"), pair("B")]);
        assert_eq!(told.event(), None);
    }

    #[test]
    fn a_deletion_may_say_little() {
        for data in [
            json!({"type": "customer", "id": "A", "deleted": true}),
            json!({"type": "customer", "id": "A", "deleted": true, "object": null}),
            json!({"type": "customer", "id": "A", "object": {}}),
        ] {
            let told = read(&json!({"type": "customer.deleted", "data": data})).unwrap();
            assert_eq!((told.profile, told.merges.len()), (None, 0));
            assert!(told.is_deletion);
        }
    }

    #[test]
    fn what_names_nobody_is_not_read() {
        for event in [
            json!(null),
            json!({}),
            json!({"data": {}}),
            json!({"data": {"id": ""}}),
            json!({"data": {"id": "a/b", "object": {"customer": {"id": ".."}}}}),
        ] {
            assert!(read(&event).is_none(), "{event}");
        }
    }

    #[test]
    fn who_comes_back_is_told() {
        for (source, expected) in [
            ("UNMERGE_RECOVERY", true),
            ("DELETION_RECOVERY", true),
            ("IMPORT", false),
        ] {
            let told = read(
                &json!({"type": "customer.created", "created_at": "2022-11-09T21:23:25Z",
                "data": {"id": "A", "object": {"customer": {"id": "A", "creation_source": source}}}}),
            );
            assert_eq!(told.unwrap().event().is_some(), expected, "{source}");
        }
    }
}
