//! Customers: is this customer bona fide, what has changed, and many at once.

mod personal;
mod receipt;
mod routes;
mod schema;
mod wire;

pub use receipt::ReceiptDocument;
pub use routes::routes;
