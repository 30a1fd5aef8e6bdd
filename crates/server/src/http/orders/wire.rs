//! The bodies of the surface and of its webhooks, exactly as clients know them.

use app::orders::{
    Cursor, CustomerVerified, Event, Listed, OrderMoved, Placed, Request, Shown, Story,
};
use app::{Code, Error, FieldProblem};
use domain::order::{Missing, Status};
use domain::standing::Proof;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::conventions::customer::CheckAnswer;
use crate::http::conventions::failure::Failure;
use crate::http::conventions::fields::{Fields, Raw};
use crate::http::conventions::json::{Seconds, render};
use crate::http::conventions::page::{Page, Query};

/// The longest name of an order, in characters.
const LONGEST_ID: usize = 200;

/// The longest name of a shop, in characters.
const LONGEST_SOURCE: usize = 100;

/// How far a sender's clock may be ahead of ours.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// An order.
#[derive(Deserialize, ToSchema)]
pub struct PlaceRequest<'a> {
    /// The shop's number for it; the company has one order of that name.
    #[serde(borrow, default)]
    #[schema(value_type = String, required, min_length = 1, max_length = 200, examples("1001"))]
    order_id: Raw<'a>,
    /// The shop it comes from; `api` unless told otherwise.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100, examples("web shop"))]
    source: Raw<'a>,
    /// The customer's e-mail address.
    #[serde(borrow, default)]
    #[schema(value_type = String, required, format = Email, max_length = 254, examples("ada@example.com"))]
    email: Raw<'a>,
    /// The customer's phone number, as in E.164.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, examples("+12345678900"))]
    phone: Raw<'a>,
    /// When it was placed; now unless told otherwise.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, format = DateTime, examples("2024-09-15T14:32:00Z"))]
    placed_at: Raw<'a>,
}

impl PlaceRequest<'_> {
    pub fn validate(self, fields: &mut Fields, now: Timestamp) -> Option<Request> {
        let id = fields.parsed("order_id", self.order_id, order_id);
        let id = fields.required("order_id", id, self.order_id);
        let source = fields.name("source", self.source, LONGEST_SOURCE);
        let email = fields.email("email", self.email);
        let email = fields.required("email", email, self.email);
        let phone = fields.phone("phone", self.phone);
        let placed_at = fields.time("placed_at", self.placed_at);
        if placed_at.is_some_and(|at| at.duration_since(now) > AHEAD) {
            fields.refuse("placed_at", "must not lie in the future");
        }
        Some(Request {
            order_id: id?,
            source,
            email: email?,
            phone,
            placed_at,
            follows_shop: false,
        })
    }
}

/// A shop's name for an order; otherwise what is wrong with it.
pub fn order_id(text: &str) -> Result<String, &'static str> {
    if text.trim().is_empty() {
        Err(FieldProblem::MISSING)
    } else if text.chars().count() > LONGEST_ID || text.chars().any(char::is_control) {
        Err("must be 1 to 200 printable characters")
    } else {
        Ok(text.to_owned())
    }
}

/// The order id that a path names; a text that cannot name an order names none.
///
/// # Errors
/// That there is no such order.
pub fn known_id(text: &str) -> Result<&str, Failure> {
    match order_id(text) {
        Ok(_) => Ok(text),
        Err(_) => Err(Error::new(Code::NotFound, "There is no order of that order_id.").into()),
    }
}

/// Why staff decide so.
#[derive(Deserialize, ToSchema)]
pub struct ReasonRequest<'a> {
    /// In their own words; kept sealed, and shown in the order's timeline.
    #[serde(borrow, default)]
    #[schema(value_type = String, required, min_length = 1, max_length = 1024, examples("Seen in the store, ID checked"))]
    reason: Raw<'a>,
}

impl ReasonRequest<'_> {
    pub fn validate(self, fields: &mut Fields) -> Option<String> {
        fields.filled("reason", self.reason)
    }
}

/// Which orders to list, and from where on.
pub fn list_query(
    query: &Query,
    fields: &mut Fields,
) -> Option<(Option<Status>, Option<Cursor>, Page)> {
    let status = query.text("status", fields).map(Status::parse);
    if status == Some(None) {
        let words = Status::ALL.map(Status::as_str).join(", ");
        fields.refuse("status", format!("must be one of {words}"));
    }
    let page = query.page(fields);
    let cursor = page.cursor.as_deref().map(Cursor::parse);
    if cursor == Some(None) {
        fields.refuse("cursor", "must be a next_cursor of this list");
    }
    Some((status.flatten(), cursor.flatten(), page))
}

/// An order.
#[derive(Serialize, ToSchema)]
pub struct OrderAnswer<'a> {
    /// The shop's number for it.
    #[schema(examples("1001"))]
    order_id: &'a str,
    /// The shop it came from.
    #[schema(examples("web shop"))]
    source: &'a str,
    /// `released`, `held`, `expired`, `late` or `cancelled`.
    #[schema(examples("held"))]
    status: &'static str,
    /// What the customer has not proven: `veriff`, `membership`, `email_optin`. Of an order that is
    /// released or cancelled: what was missing then.
    #[schema(value_type = Vec<String>, examples(json!(["veriff", "membership"])))]
    missing: Vec<&'static str>,
    /// When it was placed.
    #[schema(value_type = String, format = DateTime, examples("2024-09-15T14:32:00Z"))]
    placed_at: Seconds,
    /// Until when it is, or was, held; null when it is released or cancelled.
    #[schema(value_type = Option<String>, required, format = DateTime, examples("2024-09-18T14:32:00Z"))]
    deadline: Option<Seconds>,
    /// What is proven about its customer now.
    customer: CheckAnswer,
}

impl<'a> OrderAnswer<'a> {
    fn of(order: &'a Shown) -> Self {
        Self {
            order_id: &order.order_id,
            source: &order.source,
            status: order.status.as_str(),
            missing: words(order.missing),
            placed_at: Seconds(order.placed_at),
            deadline: order.deadline.map(Seconds),
            customer: CheckAnswer::of(&order.customer),
        }
    }
}

fn words(missing: Missing) -> Vec<&'static str> {
    missing.proofs().map(Proof::as_str).collect()
}

/// The answer to a placing.
pub fn placed(placed: &Placed) -> (u16, Vec<u8>) {
    let status = if placed.is_new { 201 } else { 200 };
    (status, render(&OrderAnswer::of(&placed.order)))
}

/// The answer to a decision.
pub fn settled(order: &Shown) -> (u16, Vec<u8>) {
    (200, render(&OrderAnswer::of(order)))
}

/// A page of orders.
#[derive(Serialize, ToSchema)]
pub struct OrdersAnswer<'a> {
    /// The last placed first.
    orders: Vec<OrderAnswer<'a>>,
    /// The `cursor` of the next page; null on the last.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// The answer to a listing.
pub fn listed(listed: &[Listed], next_cursor: Option<String>) -> Vec<u8> {
    let orders = listed.iter().map(|listed| OrderAnswer::of(&listed.order));
    render(&OrdersAnswer {
        orders: orders.collect(),
        next_cursor,
    })
}

/// An order and what has happened to it.
#[derive(Serialize, ToSchema)]
pub struct StoryAnswer<'a> {
    #[serde(flatten)]
    order: OrderAnswer<'a>,
    /// From its beginning on.
    timeline: Vec<MomentAnswer<'a>>,
}

/// Something that happened to an order.
#[derive(Serialize, ToSchema)]
pub struct MomentAnswer<'a> {
    /// When.
    #[schema(value_type = String, format = DateTime, examples("2024-09-15T14:32:00Z"))]
    at: Seconds,
    /// `placed`, `held`, `reminder`, `proof`, `released`, `expired`, `late` or `cancelled`.
    #[schema(examples("held"))]
    event: &'a str,
    /// More of it, for people; of what staff did, their reason.
    #[schema(required, examples("missing: veriff, membership"))]
    detail: Option<&'a str>,
}

/// The answer to a look at one order.
pub fn story(story: &Story) -> Vec<u8> {
    let timeline = story.timeline.iter().map(|moment| MomentAnswer {
        at: Seconds(moment.at),
        event: &moment.event,
        detail: moment.detail.as_deref(),
    });
    render(&StoryAnswer {
        order: OrderAnswer::of(&story.order),
        timeline: timeline.collect(),
    })
}

/// What a company's webhook is told when an order has come to stand elsewhere.
#[derive(Serialize, ToSchema)]
#[schema(as = OrderEvent)]
pub struct OrderEventMessage<'a> {
    /// `order.held`, `order.released`, `order.expired` or `order.late`.
    #[serde(rename = "type")]
    #[schema(examples("order.held"))]
    topic: &'static str,
    /// When.
    #[schema(value_type = String, format = DateTime, examples("2024-09-15T14:32:00Z"))]
    timestamp: Seconds,
    /// The order as it stands then.
    data: OrderEventData<'a>,
}

/// An order, as webhooks tell of it; whose it is, they do not tell.
#[derive(Serialize, ToSchema)]
struct OrderEventData<'a> {
    /// The shop's number for it.
    #[schema(examples("1001"))]
    order_id: &'a str,
    /// The shop it came from.
    #[schema(examples("web shop"))]
    source: &'a str,
    /// `held`, `released`, `expired` or `late`.
    #[schema(examples("held"))]
    status: &'static str,
    /// What the customer has not proven.
    #[schema(value_type = Vec<String>, examples(json!(["veriff", "membership"])))]
    missing: Vec<&'static str>,
    /// When it was placed.
    #[schema(value_type = String, format = DateTime, examples("2024-09-15T14:32:00Z"))]
    placed_at: Seconds,
    /// Until when it is, or was, held; null when it is released.
    #[schema(value_type = Option<String>, required, format = DateTime, examples("2024-09-18T14:32:00Z"))]
    deadline: Option<Seconds>,
}

/// What a company's webhook is told when a customer has proven everything.
#[derive(Serialize, ToSchema)]
#[schema(as = CustomerEvent)]
pub struct CustomerEventMessage<'a> {
    /// `customer.verified`.
    #[serde(rename = "type")]
    #[schema(examples("customer.verified"))]
    topic: &'static str,
    /// When the last proof was recorded.
    #[schema(value_type = String, format = DateTime, examples("2024-09-15T14:32:00Z"))]
    timestamp: Seconds,
    /// Who it is, as far as that is told.
    data: CustomerEventData<'a>,
}

/// A customer, as webhooks tell of one.
#[derive(Serialize, ToSchema)]
struct CustomerEventData<'a> {
    /// The address, masked.
    #[schema(examples("a***@example.com"))]
    customer_email: &'a str,
    /// The shop's numbers of the customer's orders that were held, expired or late.
    #[schema(value_type = Vec<String>, examples(json!(["1001"])))]
    orders: &'a [String],
}

/// The message about something that happened.
pub fn event(event: &Event) -> Vec<u8> {
    match event {
        Event::Order(moved) => render(&order_event(moved)),
        Event::Verified(verified) => render(&CustomerEventMessage {
            topic: CustomerVerified::TOPIC,
            timestamp: Seconds(verified.at),
            data: CustomerEventData {
                customer_email: &verified.masked_email,
                orders: &verified.orders,
            },
        }),
    }
}

fn order_event(moved: &OrderMoved) -> OrderEventMessage<'_> {
    let deadline = moved.status.is_open().then_some(moved.deadline);
    OrderEventMessage {
        topic: moved.topic,
        timestamp: Seconds(moved.at),
        data: OrderEventData {
            order_id: &moved.order_id,
            source: &moved.source,
            status: moved.status.as_str(),
            missing: words(moved.missing),
            placed_at: Seconds(moved.placed_at),
            deadline: deadline.map(Seconds),
        },
    }
}
