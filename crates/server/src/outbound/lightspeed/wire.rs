//! Orders as the shop writes them, read with patience: a field that is missing, null or of another
//! type is a field that is not there, and what is not known is passed over.

use app::lightspeed::{FIELD, FIELD_TITLE, OrderPage, ShopOrder};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

/// The fields of an order that are asked for.
pub const FIELDS: &str = "id,internalId,email,paymentStatus,fulfillmentStatus,createTimestamp,\
                          updateTimestamp,shippingPerson,billingPerson,extraFields,\
                          orderExtraFields";

/// Reads an order; `None` when it lacks what makes it one: its number and its times.
pub fn order(value: &Value) -> Option<ShopOrder> {
    let order = value.as_object()?;
    let placed_at = time(order, "createTimestamp")?;
    Some(ShopOrder {
        id: text(order.get("id")?).filter(|id| !id.is_empty())?,
        email: order
            .get("email")
            .and_then(text)
            .filter(|email| !email.trim().is_empty()),
        phone: phone(order, "shippingPerson").or_else(|| phone(order, "billingPerson")),
        payment: order
            .get("paymentStatus")
            .and_then(text)
            .unwrap_or_default(),
        fulfilment: order
            .get("fulfillmentStatus")
            .and_then(text)
            .unwrap_or_default(),
        field: field(order),
        placed_at,
        updated_at: time(order, "updateTimestamp").unwrap_or(placed_at),
    })
}

/// Reads a page of orders; one that cannot be read is left out. A page that does not say how many there
/// are in all is none: it could be taken for the last one.
pub fn page(value: &Value) -> Option<OrderPage> {
    let items = value.get("items")?.as_array()?;
    Some(OrderPage {
        total: value.get("total")?.as_u64()?,
        listed: items.len() as u64,
        orders: items.iter().filter_map(order).collect(),
    })
}

/// The shop's internal number of an order.
pub fn internal_number(value: &Value) -> Option<String> {
    text(value.get("internalId")?)
}

/// How many orders or fields a change has touched.
pub fn update_count(value: &Value) -> u64 {
    value
        .get("updateCount")
        .and_then(Value::as_u64)
        .unwrap_or_default()
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Seconds since 1970. The dates beside them are written in a form of their own.
fn time(order: &Map<String, Value>, name: &str) -> Option<Timestamp> {
    let seconds = text(order.get(name)?)?.parse().ok()?;
    Timestamp::from_second(seconds).ok()
}

fn phone(order: &Map<String, Value>, person: &str) -> Option<String> {
    let phone = text(order.get(person)?.get("phone")?)?;
    (!phone.trim().is_empty()).then_some(phone)
}

/// What our field says; it is listed among all fields, and may be named in the map as well.
fn field(order: &Map<String, Value>) -> Option<String> {
    let listed = order.get("orderExtraFields").and_then(Value::as_array);
    let listed = listed.and_then(|fields| {
        let mut ours = fields
            .iter()
            .filter(|field| field.get("id").is_some_and(|id| id == FIELD));
        text(ours.next()?.get("value")?)
    });
    listed.or_else(|| text(order.get("extraFields")?.get(FIELD)?))
}

/// A new field of an order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewField<'a> {
    id: &'static str,
    value: &'a str,
    title: &'static str,
    customer_input_type: &'static str,
    order_details_display_section: &'static str,
    show_in_notifications: bool,
    show_in_invoice: bool,
}

impl<'a> NewField<'a> {
    /// Ours, where staff sees it and customers do not.
    pub fn of(value: &'a str) -> Self {
        Self {
            id: FIELD,
            value,
            title: FIELD_TITLE,
            customer_input_type: "TEXT",
            order_details_display_section: "customer_info",
            show_in_notifications: false,
            show_in_invoice: false,
        }
    }
}

/// Another value of a field.
#[derive(Serialize)]
pub struct FieldValue<'a> {
    /// The value.
    pub value: &'a str,
}

/// Another fulfilment status of an order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewStatus<'a> {
    /// The status.
    pub fulfillment_status: &'a str,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_order_is_read_as_documented() {
        let order = order(&json!({
            "id": "XJ12H", "internalId": 103_878_161, "email": "ann@example.com",
            "paymentStatus": "PAID", "fulfillmentStatus": "AWAITING_PROCESSING",
            "createDate": "2024-09-04 07:22:09 +0000",
            "createTimestamp": 1_725_434_529, "updateTimestamp": 1_725_434_600,
            "shippingPerson": {"name": "Ann", "phone": "+1 415 555 0123"},
            "extraFields": {}, "orderExtraFields": [
                {"id": "gift", "value": "yes"}, {"id": "bonafide", "value": "Verified: may ship"},
            ],
        }))
        .unwrap();
        assert_eq!(
            (order.id.as_str(), order.payment.as_str()),
            ("XJ12H", "PAID")
        );
        assert_eq!(order.phone.as_deref(), Some("+1 415 555 0123"));
        assert_eq!(order.field.as_deref(), Some("Verified: may ship"));
        assert_eq!(order.placed_at.as_second(), 1_725_434_529);
        assert_eq!(order.updated_at.as_second(), 1_725_434_600);
    }

    #[test]
    fn little_is_needed_and_much_is_forgiven() {
        for email in [json!(null), json!(""), json!("  "), json!({})] {
            let read = order(&json!({
                "id": 12, "email": email, "createTimestamp": "1725434529",
                "paymentStatus": null, "shippingPerson": null,
                "billingPerson": {"phone": ""}, "orderExtraFields": "none", "extraFields": [],
            }));
            let read = read.unwrap();
            assert_eq!((read.id.as_str(), read.payment.as_str()), ("12", ""));
            assert!(read.phone.is_none() && read.field.is_none());
            assert_eq!(read.updated_at, read.placed_at);
        }
    }

    #[test]
    fn without_number_or_time_it_is_none() {
        for value in [
            json!(null),
            json!([]),
            json!({"createTimestamp": 1}),
            json!({"id": "", "createTimestamp": 1}),
            json!({"id": "A"}),
            json!({"id": "A", "createTimestamp": "2024-09-04"}),
        ] {
            assert_eq!(order(&value), None, "{value}");
        }
    }
}
