//! Number verification for companies and their apps: camelCase, times to the millisecond.

mod routes;
mod wire;

pub use routes::routes;
pub use wire::{EventMessage, event};
