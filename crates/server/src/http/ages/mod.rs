//! Ages: is this customer old enough?

mod examples;
mod health;
mod routes;
mod wire;

pub use routes::routes;
