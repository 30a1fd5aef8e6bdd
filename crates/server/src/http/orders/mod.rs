//! Orders: may this one ship, which are held, what has happened to one, and what staff decide.

mod page;
mod routes;
mod wire;

pub use page::routes as pages;
pub use routes::routes;
pub use wire::{CustomerEventMessage, OrderEventMessage, event};
