//! Customers: is this customer bona fide, what has changed, and many at once.

mod personal;
mod routes;
mod schema;
mod wire;

pub use routes::routes;
