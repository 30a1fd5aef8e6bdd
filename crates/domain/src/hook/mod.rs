//! Hooks: the messages that shops and verification services send us, and how to tell theirs from
//! anybody's.
//!
//! Guarantees: a message counts as its sender's only if its signature is exactly the one that the
//! sender's key makes (HMAC-SHA-256, compared in constant time); a missing, malformed, shortened or
//! changed signature, an empty key and no key at all are refusals. Nothing here shows a key.
//! Must not: read a message before its signature is checked, beyond what the signature itself names.

mod key;
pub mod lightspeed;
mod source;
pub mod square;
pub mod veriff;

pub use key::HookKey;
pub use source::Source;
