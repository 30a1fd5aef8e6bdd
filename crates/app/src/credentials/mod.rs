//! Who is calling: credentials in memory, and what they are made of.

mod caller;
mod directory;
mod grant;
mod together;

pub use caller::{Caller, KeyLimits};
pub use directory::{Claims, Directory, Refusal};
pub use grant::{Grant, grant};
