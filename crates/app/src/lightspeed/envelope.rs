//! The envelope of a hook. Only what the signature covers is to be believed; the rest says where to
//! look.

use std::fmt;

use serde::Deserialize;
use serde_json::Number;

/// The longest number of an order.
const LONGEST: usize = 200;

/// What a hook says, as far as we read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The event's name for good; signed.
    pub event_id: String,
    /// When it was made, in the digits that are signed.
    pub created: String,
    /// Which store it says it is of; not signed.
    pub store_id: String,
    /// What it says has happened; not signed.
    pub event_type: String,
    /// Which order it says it is about; not signed.
    pub order: Option<OrderName>,
}

/// How an order is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderName {
    /// By the number that customers see: `XJ12H`.
    Number(String),
    /// By the shop's internal number, which older hooks name alone.
    Internal(String),
}

/// As it names a stream: `XJ12H`, or `#103878161` for an internal one.
impl fmt::Display for OrderName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => formatter.write_str(number),
            Self::Internal(number) => write!(formatter, "#{number}"),
        }
    }
}

impl OrderName {
    /// The number that customers see; `None` for a text that is no such number.
    #[must_use]
    pub fn number(text: &str) -> Option<Self> {
        let is_usable = (1..=LONGEST).contains(&text.chars().count())
            && !text.chars().any(char::is_control)
            // In a path these would mean another place.
            && text != "."
            && text != "..";
        is_usable.then(|| Self::Number(text.to_owned()))
    }

    fn internal(text: &str) -> Option<Self> {
        let is_number = (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        is_number.then(|| Self::Internal(text.to_owned()))
    }
}

impl Envelope {
    /// Reads a hook; `None` for what is none. A field that is there twice makes it none: which of
    /// the two was signed is anybody's guess.
    #[must_use]
    pub fn read(body: &[u8]) -> Option<Self> {
        let wire: Wire = serde_json::from_slice(body).ok()?;
        let number = wire.data.as_ref().and_then(|data| data.order_id.as_ref());
        let number = number.map(Text::read).unwrap_or_default();
        let internal = wire.entity_id.as_ref().map(Text::read).unwrap_or_default();
        Some(Self {
            event_id: wire.event_id,
            created: wire.event_created.read(),
            store_id: wire.store_id.read(),
            event_type: wire.event_type,
            order: OrderName::number(&number).or_else(|| OrderName::internal(&internal)),
        })
    }

    /// The event's type in a word of ours, if it is one that we want.
    #[must_use]
    pub fn topic(&self) -> Option<&'static str> {
        const WANTED: [&str; 3] = ["order.created", "order.updated", "order.deleted"];
        WANTED.into_iter().find(|topic| *topic == self.event_type)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    event_id: String,
    event_created: Text,
    store_id: Text,
    event_type: String,
    entity_id: Option<Text>,
    data: Option<Data>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    order_id: Option<Text>,
}

/// What is a number here is a text elsewhere, and something else where we do not look.
#[derive(Deserialize)]
#[serde(untagged)]
enum Text {
    Number(Number),
    Words(String),
    Other(serde::de::IgnoredAny),
}

impl Text {
    fn read(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Words(words) => words.clone(),
            Self::Other(_) => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Option<Envelope> {
        Envelope::read(body.as_bytes())
    }

    #[test]
    fn the_documented_envelope_is_read() {
        let envelope = read(
            r#"{"eventId":"80aece08-40e8-4145-8764-6c2f0d38678","eventCreated":1234567,
            "storeId":1003,"entityId":103878161,"eventType":"order.created",
            "data":{"orderId":"XJ12H","newPaymentStatus":"PAID"}}"#,
        )
        .unwrap();
        assert_eq!(envelope.created, "1234567");
        assert_eq!(envelope.store_id, "1003");
        assert_eq!(envelope.topic(), Some("order.created"));
        assert_eq!(envelope.order, OrderName::number("XJ12H"));
    }

    #[test]
    fn an_older_one_names_the_internal_number() {
        for data in [
            "",
            r#","data":null"#,
            r#","data":{}"#,
            r#","data":{"orderId":["x"]}"#,
        ] {
            let body = format!(
                r#"{{"eventId":"e","eventCreated":"7","storeId":"1003","entityId":103,"eventType":"order.updated"{data}}}"#
            );
            let envelope = read(&body).unwrap();
            assert_eq!(envelope.order.unwrap().to_string(), "#103");
        }
    }

    #[test]
    fn what_names_no_order_asks_for_none() {
        for (entity, order) in [("\"../x\"", "\"..\""), ("-1", "\"\""), ("1.5", "\".\"")] {
            let body = format!(
                r#"{{"eventId":"e","eventCreated":7,"storeId":1,"entityId":{entity},"eventType":"order.created","data":{{"orderId":{order}}}}}"#
            );
            assert_eq!(read(&body).unwrap().order, None);
        }
    }

    #[test]
    fn other_types_are_not_wanted() {
        let body = r#"{"eventId":"e","eventCreated":7,"storeId":1,"eventType":"unfinished_order.created"}"#;
        assert_eq!(read(body).unwrap().topic(), None);
    }

    #[test]
    fn what_is_no_envelope_is_not_read() {
        for body in [
            "",
            "[]",
            "{}",
            r#"{"eventId":7,"eventCreated":7,"storeId":1,"eventType":"order.created"}"#,
            r#"{"eventId":"e","eventId":"f","eventCreated":7,"storeId":1,"eventType":"order.created"}"#,
        ] {
            assert_eq!(read(body), None, "{body}");
        }
    }
}
