//! A customer as Square describes it, read with patience: whatever is missing, null or of another
//! shape is not there.

use std::fmt;

use domain::contact::Email;
use domain::square::Edition;
use jiff::Timestamp;
use serde_json::Value;

/// The longest id of a customer, in bytes; Square allows 191.
const LONGEST: usize = 255;

/// What we read of a customer of Square.
#[derive(Clone, PartialEq, Eq)]
pub struct Profile {
    /// Square's id.
    pub id: String,
    /// The address, if it is one that mail could reach. Nobody has proven it.
    pub email: Option<Email>,
    /// Which edition this is.
    pub edition: Edition,
    /// Whether it was brought back after a deletion or a merge.
    pub is_recovered: bool,
}

/// Who it is stays in it.
impl fmt::Debug for Profile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Profile({:?})", self.edition)
    }
}

impl Profile {
    /// Reads a customer; `None` for one without an id.
    #[must_use]
    pub fn read(customer: &Value) -> Option<Self> {
        let text = |name| customer.get(name).and_then(Value::as_str);
        let source = text("creation_source");
        Some(Self {
            id: text("id").and_then(id)?,
            email: text("email_address").and_then(|text| Email::parse(text).ok()),
            edition: Edition {
                version: customer.get("version").and_then(Value::as_i64),
                updated_at: text("updated_at").and_then(time),
            },
            is_recovered: matches!(source, Some("UNMERGE_RECOVERY" | "DELETION_RECOVERY")),
        })
    }
}

/// An id that can stand in a path and mean nothing else there.
pub(super) fn id(text: &str) -> Option<String> {
    let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_id = (1..=LONGEST).contains(&text.len()) && text.bytes().all(is_sign);
    is_id.then(|| text.to_owned())
}

/// A time as it is stored: to the microsecond.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    let at: Timestamp = text.parse().ok()?;
    Timestamp::from_microsecond(at.as_microsecond()).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_customer_is_read_as_documented() {
        let read = Profile::read(&json!({
            "id": "QPTXM8PQNX3Q726ZYHPMNP46XC", "created_at": "2022-11-09T21:23:25.519Z",
            "updated_at": "2022-11-09T21:23:25Z", "email_address": "Ann@Example.com",
            "phone_number": "+12126668929", "given_name": "Ann", "birthday": "1962-03-04",
            "creation_source": "DIRECTORY", "preferences": {"email_unsubscribed": false},
            "group_ids": ["x"], "version": 3,
        }))
        .unwrap();
        assert_eq!(read.edition.version, Some(3));
        assert_eq!(read.edition.updated_at.unwrap().as_second(), 1_668_029_005);
        assert!(read.email.is_some() && !read.is_recovered);
        let shown = format!("{read:?}");
        assert!(
            !shown.contains("xample") && !shown.contains("QPTX"),
            "{shown}"
        );
    }

    #[test]
    fn little_is_needed() {
        for customer in [
            json!({"id": "C"}),
            json!({"id": "C", "email_address": null, "phone_number": "", "version": null}),
            json!({"id": "C", "email_address": "nobody", "phone_number": "555", "updated_at": 7}),
        ] {
            let read = Profile::read(&customer).unwrap();
            assert!(read.email.is_none(), "{customer}");
            assert_eq!(read.edition, Edition::default());
        }
    }

    #[test]
    fn an_id_is_never_another_place() {
        for id in [
            json!(""),
            json!(".."),
            json!("a/b"),
            json!("a?b"),
            json!(7),
            json!(null),
        ] {
            assert_eq!(Profile::read(&json!({"id": id})), None, "{id}");
        }
    }
}
