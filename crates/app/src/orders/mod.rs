//! Orders: sell now, verify after.
//!
//! An order of a customer who has proven everything is released at once; any other is held, its
//! customer is reminded, and the last proof releases it, wherever it comes from. At the deadline it
//! expires. Each of these steps is one transaction: where the order stands, its timeline, the
//! message to the merchant, the mail and the audit record are committed together or not at all.

mod arrival;
mod change;
mod erased;
mod event;
mod letter;
mod list;
mod look_again;
mod mails;
mod news;
mod pen;
mod place;
mod settle;
mod show;
mod shown;
mod steps;
mod subject;
mod sweep;
mod visit;

pub(crate) use change::{event_row, stream, stream_of};
pub(crate) use erased::cancel_all;
pub use event::{CustomerVerified, Event, OrderMoved};
pub use letter::OrderLetters;
pub use list::{Cursor, Listed, list};
pub(crate) use look_again::{Proofs, look_again};
pub(crate) use news::News;
pub(crate) use pen::{KeyOf, Pen};
pub use place::{Placed, Request, place};
pub use settle::{Decision, Settlement, settle};
pub use show::{Moment, Story, show};
pub use shown::Shown;
pub use steps::{opt_in, show_id, sign, tell_age};
pub use sweep::{held, look_at_all, sweep};
pub use visit::{Guest, Identity, Visit, welcome};

use std::sync::Arc;

use domain::agreement::Agreement;
use domain::order::{Schedule, Status};

use crate::{Code, Error, square};

/// The operator's rules, and what tells of their outcome.
#[derive(Clone)]
pub struct Policy {
    /// When customers are reminded, and how long orders are held.
    pub schedule: Schedule,
    /// What customers can sign on their page.
    pub agreement: Option<Arc<Agreement>>,
    /// What the address of their page begins with, without a slash at the end.
    pub base_url: Arc<str>,
    /// How the merchant's webhook is told, in the words of the surface.
    pub render_event: fn(&Event) -> Vec<u8>,
    /// The company whose orders of Lightspeed are shown there as they stand here, if any is: the shop
    /// is that company's, and nobody else's orders are.
    pub writes_back: Option<Arc<str>>,
    /// The company whose customers are tied to those of Square, if any is.
    pub square: Option<square::Policy>,
    /// Counts an order that has come to stand somewhere, once that is durable.
    pub count: fn(Status),
}

fn not_found() -> Error {
    Error::new(Code::NotFound, "There is no order of that order_id.")
}
