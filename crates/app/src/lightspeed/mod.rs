//! Lightspeed eCom: orders come in by hook, are gated, and the outcome is written back.
//!
//! A hook says only "look at this order": what the order is comes from the shop. What is written
//! back is looked up at the moment of writing, and written only where the shop shows something else;
//! so whatever order hooks and write-backs come in, and however often, the shop ends up showing what
//! is true, and the hook that our own change causes changes nothing.

mod channel;
mod envelope;
mod gate;
mod hook;
mod order_gate;
mod shop;
mod sync;
mod write_back;

pub use channel::{LIGHTSPEED, WriteBacks};
pub(crate) use channel::{enqueue, stream_of};
pub use envelope::{Envelope, OrderName};
pub use gate::{Gate, Placement, Standing};
pub use hook::LightspeedHooks;
pub use order_gate::OrderGate;
pub use shop::{LightspeedShop, OrderPage, ShopOrder, ShopProblem};
pub use sync::{Interrupted, Progress, Request, sync};
pub use write_back::{FIELD, FIELD_TITLE, Statuses, WriteBack, Wrote};

use domain::hook::Source;

use crate::inbox::Incoming;

/// What an order of the shop is called in our records.
pub const SOURCE: Source = Source::Lightspeed;

/// The event of an inbound hook, as it goes into the inbox.
#[must_use]
pub fn incoming(company: &str, envelope: &Envelope, body: &[u8]) -> Incoming {
    let topic = envelope.topic();
    let order = envelope.order.as_ref();
    Incoming {
        company: company.to_owned(),
        source: SOURCE,
        name: envelope.event_id.clone(),
        topic: topic.unwrap_or("other"),
        stream: order.map(OrderName::to_string),
        body: topic.map(|_| body.to_vec()),
    }
}
