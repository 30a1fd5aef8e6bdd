//! Pages in a real browser, against the real program.
//!
//! Guarantees: every page is looked at from outside, as a person with a keyboard, a mouse and a
//! screen meets it; every request that it makes and every complaint of the browser is accounted for.
//! Must not: help a page along, or wait for time to pass.

mod checkout;
mod client;
mod console;
mod layout;
mod number_page;
mod order_page;
mod qr_code;
mod shop;
mod site;
mod statistics;
mod verify;

pub use layout::{look_at, look_at_mail, look_unaided};
