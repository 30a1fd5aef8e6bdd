//! Customers: is this customer bona fide, what has changed, and many at once.

mod personal;
mod routes;
mod wire;

pub use routes::routes;
