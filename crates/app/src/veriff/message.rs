//! Decisions as Veriff writes them, by hook or when asked, read with patience: fields are added
//! without notice, and all but the session's name can be missing or null.

use std::fmt;

use domain::hook::veriff::Decision;
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::SOURCE;
use crate::inbox::Incoming;

/// A decision.
pub struct Message {
    /// Veriff's name for the session.
    pub session: String,
    /// Our reference, if it is one.
    pub reference: Option<Uuid>,
    /// The word of the outcome. The status beside `verification` is that of the interface.
    pub status: Option<String>,
    /// The number of the outcome, which decides nothing: two outcomes share one.
    pub code: Option<i64>,
    /// When it was decided, to the microsecond, if that can be read.
    pub decided_at: Option<Timestamp>,
    /// The birth date on the document, as it was written.
    pub birth_date: Option<String>,
    /// The last day on which the document is valid, as it was written.
    pub valid_until: Option<String>,
}

/// Whom it is about stays in it.
impl fmt::Debug for Message {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Message({}, {:?})", self.session, self.status)
    }
}

impl Message {
    /// Reads a body; `None` when it is no decision on a session.
    #[must_use]
    pub fn read(body: &[u8]) -> Option<Self> {
        let message: Value = serde_json::from_slice(body).ok()?;
        let decision = message.get("verification")?;
        let text = |value: &Value, name: &str| {
            let text = value.get(name).and_then(Value::as_str);
            text.map(str::to_owned)
        };
        let part = |name: &str, field: &str| decision.get(name).and_then(|part| text(part, field));
        Some(Self {
            session: text(decision, "id").filter(|id| !id.is_empty())?,
            reference: text(decision, "vendorData").and_then(|text| text.parse().ok()),
            status: text(decision, "status"),
            code: decision.get("code").and_then(Value::as_i64),
            decided_at: text(decision, "decisionTime").and_then(|text| time(&text)),
            birth_date: part("person", "dateOfBirth"),
            valid_until: part("document", "validUntil"),
        })
    }
}

/// A time as it is stored: to the microsecond.
fn time(text: &str) -> Option<Timestamp> {
    let at: Timestamp = text.parse().ok()?;
    Timestamp::from_microsecond(at.as_microsecond()).ok()
}

/// The event of a decision, whether a hook brought it or it was asked for: both have one name.
#[must_use]
pub fn incoming(company: &str, body: &[u8]) -> Option<Incoming> {
    let message: Value = serde_json::from_slice(body).ok()?;
    let decision = message.get("verification")?;
    let text = |name| decision.get(name).and_then(Value::as_str);
    let session = text("id").filter(|session| !session.is_empty())?;
    let name = Decision {
        session,
        attempt: text("attemptId").unwrap_or_default(),
        status: text("status").unwrap_or_default(),
        decided_at: text("decisionTime").unwrap_or_default(),
    };
    Some(Incoming {
        company: company.to_owned(),
        source: SOURCE,
        name: name.name(),
        topic: "decision",
        stream: Some(session.to_owned()),
        body: Some(body.to_vec()),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_decision_is_read_as_documented() {
        let body = json!({
            "status": "success", "technicalData": {"ip": "186.153.67.122"},
            "verification": {
                "id": "12df6045-3846-3e45-946a-14fa6136d78b",
                "attemptId": "00bca969-b53a-4fad-b065-874d41a7b2b8",
                "vendorData": "7f6a3c1e-54b7-4c0e-9d0a-2f3b7a4c5d6e", "endUserId": null,
                "status": "approved", "code": 9001, "reason": null, "reasonCode": null,
                "decisionTime": "2019-11-06T07:18:36.916Z",
                "person": {"firstName": "SARAH", "dateOfBirth": "1967-03-30"},
                "document": {"type": "DRIVERS_LICENSE", "validUntil": "2022-04-20"},
                "additionalVerifiedData": {"estimatedAge": 32}, "somethingNew": {},
            },
        });
        let message = Message::read(body.to_string().as_bytes()).unwrap();
        assert_eq!(message.session, "12df6045-3846-3e45-946a-14fa6136d78b");
        assert!(message.reference.is_some());
        assert_eq!(message.status.as_deref(), Some("approved"));
        assert_eq!(message.code, Some(9001));
        assert_eq!(message.birth_date.as_deref(), Some("1967-03-30"));
        assert_eq!(message.valid_until.as_deref(), Some("2022-04-20"));
        let at = message.decided_at.unwrap();
        assert_eq!(at.to_string(), "2019-11-06T07:18:36.916Z");
        assert!(!format!("{message:?}").contains("1967"));
    }

    #[test]
    fn nulls_are_forgiven_and_what_is_no_decision_is_none() {
        let body = json!({"status": "success", "verification": {
            "id": "a", "vendorData": null, "status": "declined", "code": "9102",
            "decisionTime": null, "person": null, "document": null, "reasonCode": null,
        }});
        let message = Message::read(body.to_string().as_bytes()).unwrap();
        assert!(message.reference.is_none() && message.decided_at.is_none());
        assert!(message.birth_date.is_none() && message.valid_until.is_none());
        assert_eq!(message.code, None);
        for body in [
            json!(null),
            json!([]),
            json!({"status": "success"}),
            json!({"status": "success", "verification": null}),
            json!({"verification": {"status": "approved"}}),
            json!({"verification": {"id": "", "status": "approved"}}),
        ] {
            let body = body.to_string();
            assert!(Message::read(body.as_bytes()).is_none(), "{body}");
            assert!(incoming("default", body.as_bytes()).is_none(), "{body}");
        }
    }
}
