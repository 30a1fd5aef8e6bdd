//! Deliveries: everything that leaves the building.
//!
//! A delivery is enqueued in the transaction that causes it, so that there is one exactly when its
//! cause stands. A worker claims what is due under a lease, sends it with no transaction open, and
//! notes how it went. A worker that dies in between is replaced when its lease ends; the receiver
//! may then hear the same message twice, under the same id. So it may when a worker is frozen, or cut
//! off from the database, in the act and for longer than its lease. Nothing else makes it heard twice.

mod claim;
mod dispatch;
mod enqueue;
mod lines;
mod manage;
mod sender;
mod settle;
mod turn;

pub use dispatch::{Dispatcher, Settings};
pub use enqueue::Outbox;
pub(crate) use enqueue::{Channel, Outgoing, Sealed};
pub use manage::{Chosen, Listed, Replay, depth, list, replay, with_attempts};
pub use sender::{Answer, Message, Sender};
pub use store::tables::deliveries::{Depth, Status};
pub use store::tables::delivery_attempts::Attempt;

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
