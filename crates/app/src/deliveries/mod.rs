//! Deliveries: everything that leaves the building.
//!
//! A delivery is enqueued in the transaction that causes it, so that there is one exactly when its
//! cause stands. A worker claims what is due under a lease, sends it with no transaction open, and
//! notes how it went. A worker that dies in between is replaced when its lease ends; the receiver
//! may then hear the same message twice, under the same id. So it may when a worker is frozen, or cut
//! off from the database, in the act and for longer than its lease. Nothing else makes it heard twice.

pub mod channel;
mod claim;
mod dispatch;
mod enqueue;
mod lines;
mod manage;
mod seen;
mod settle;
mod turn;
mod webhook;

pub use channel::Channels;
pub use dispatch::{Dispatcher, Settings};
pub use enqueue::Outbox;
pub(crate) use enqueue::{Outgoing, Sealed};
pub use manage::{Chosen, Listed, Replay, depth, list, replay, with_attempts};
pub use seen::{Seen, list_seen, make_again, open, see};
pub use store::tables::deliveries::{Depth, Status};
pub use store::tables::delivery_attempts::Attempt;
pub use webhook::{Answer, Message, Sender, WEBHOOK, Webhooks};

use domain::seal::Place;
use uuid::Uuid;

/// Where a delivery's message is sealed for.
fn place(id: &Uuid) -> Place<'_> {
    Place {
        table: "deliveries",
        column: "payload",
        row: id.as_bytes(),
    }
}
