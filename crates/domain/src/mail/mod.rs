//! The rules of mail: what a mail server's answers mean, and the links that mails carry.

mod outcome;
mod ticket;

pub use outcome::{Outcome, Reply, Stage};
pub use ticket::{Purpose, Ticket};

use jiff::SignedDuration;

/// How long an address that refused a mail is sent nothing: thirty days. A mailbox that was closed
/// may be opened again, and a slip of the mail server must not last for ever.
pub const SUPPRESSION: SignedDuration = SignedDuration::from_hours(30 * 24);

/// How long after an order's deadline the links of its mails are good: thirty days. A late proof is
/// still worth having, and who asks to be left alone must be able to, however late the mail is read.
pub const LINK_LIFETIME: SignedDuration = SignedDuration::from_hours(30 * 24);
