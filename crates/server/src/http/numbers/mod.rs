//! Number verification for companies and their apps: camelCase, times to the millisecond.

mod page;
mod routes;
mod view;
mod wire;

pub use page::routes as pages;
pub use routes::routes;
pub use wire::{EventMessage, event};
