//! The inbox: what others tell us by hooks, stored before they are answered and processed afterwards.
//!
//! A sender is answered as soon as its event is durable, and so never waits for what becomes of it.
//! A worker claims events under a lease and hands each to the handler of its source, with no
//! transaction open. A handler either marks the event as done in the transaction of what it changes,
//! or can safely be given the same event again: a worker that dies in between is replaced when its
//! lease ends. An event that fails is tried again later and later, and parked in the end, where a
//! person finds it; it holds up no other meanwhile. Of one stream (one order, one session) only one
//! event is processed at a time.

mod behalf;
mod clear;
mod handler;
mod manage;
mod receive;
mod seen;
mod settle;
mod turn;
mod worker;

pub(crate) use behalf::on_behalf;
pub use clear::clear;
pub use handler::{Event, Handled, Handler, Mark, Trouble};
pub use manage::{Chosen, Listed, Replay, depth, find, list, replay, reveal};
pub(crate) use receive::file;
pub(crate) use receive::stream_index;
pub use receive::{Bell, Incoming, Received, receive};
pub use seen::{list_seen, open, process_again, process_parked_again, see};
pub use store::tables::inbox::{Depth, Status};
pub use worker::{Settings, Worker, schedule};

use domain::seal::Place;
use uuid::Uuid;

/// Where an event is sealed for.
fn place(id: &Uuid) -> Place<'_> {
    Place {
        table: "inbox",
        column: "event",
        row: id.as_bytes(),
    }
}
