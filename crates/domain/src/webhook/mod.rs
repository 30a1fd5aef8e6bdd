//! Webhooks as the Standard Webhooks specification 1.0.0 has them: who signs, what is signed, and
//! what a message is called.
//!
//! Guarantees: a signature covers the message's id, the second of the attempt and the exact bytes
//! that are sent; a message keeps its id however often it is tried. No secret shows itself in
//! `Debug` or in an error.
//! Must not: know where messages go, or when.

mod message_id;
mod secret;
mod signature;

pub use message_id::{delivery_of, message_id};
pub use secret::{SecretError, WebhookSecret};
pub use signature::sign;
