//! Orders: may this one ship, which are held, what has happened to one, and what staff decide.

mod age_form;
mod page;
mod routes;
mod view;
mod wire;

pub use page::routes as pages;
pub use routes::routes;
pub use wire::{CustomerEventMessage, OrderEventMessage, event, known_id};
