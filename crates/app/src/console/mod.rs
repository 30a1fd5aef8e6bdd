//! What only the console does: signing people in, the figures of its overview, an example to
//! try it on, and how the installation is.
//!
//! Whoever is signed in is the credential they signed in with, looked at again with every request: a
//! session dies with its key or token, whatever its own time is. Everything else that the console
//! does is done by the use cases that the API has.

mod administrators;
mod condition;
mod example;
mod figures;
mod link;
mod resume;
mod sessions;
mod sign_in;
mod traffic;

pub use administrators::{Administrators, Person, Unlisted};
pub use condition::{Condition, condition};
pub use example::{ORDER, WHOM, has_example, make_example, remove_example};
pub use figures::{ENOUGH, Figures, Hour, Latencies, Queues, Reach, figures, queues};
pub use link::{enter, make_link};
pub use resume::{Session, resume};
pub use sessions::{Listed, clear, end, end_all, list};
pub use sign_in::{Denied, Opened, Presented, nameless, sign_in};
pub use traffic::{Incoming, Outgoing, Traffic, traffic};

use domain::seal::Place;
use store::Lane;
use uuid::Uuid;

/// Where a sealed value of a session stands.
fn place<'a>(id: &'a Uuid, column: &'static str) -> Place<'a> {
    Place {
        table: "console_sessions",
        column,
        row: id.as_bytes(),
    }
}

/// The lane of everything about sessions: there are few.
fn lane() -> Lane {
    Lane::of(b"console")
}
