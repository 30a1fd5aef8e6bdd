//! `/console`: what an operator sees and does.
//!
//! Guarantees: nothing is shown and nothing is done for anybody but an administrator who is signed in
//! (`door`); whatever is done is asked for by a form of this console's own, with a mark that no other
//! site can make; every look and every act leaves an audit record under the credential of whoever is
//! signed in.
//! Must not: decide or store anything by itself. It calls the use cases that the API calls, and leads
//! only to what they show.

mod ages;
mod audit;
mod charts;
mod companies;
mod cookie;
mod customers;
mod deliveries;
mod door;
mod example;
mod frame;
mod health;
mod inbox;
mod integrations;
mod keys;
mod numbers;
mod openid;
mod orders;
mod overview;
mod sessions;
mod sign_in;
mod words;

use axum::Router;

pub use openid::address as sign_in_address;

use super::Shared;

/// The routes.
pub fn routes() -> Router<Shared> {
    Router::new()
        .merge(overview::routes())
        .merge(example::routes())
        .merge(orders::routes())
        .merge(customers::routes())
        .merge(deliveries::routes())
        .merge(inbox::routes())
        .merge(integrations::routes())
        .merge(audit::routes())
        .merge(companies::routes())
        .merge(keys::routes())
        .merge(health::routes())
        .merge(numbers::routes())
        .merge(ages::routes())
        .merge(sessions::routes())
        .merge(sign_in::routes())
        .merge(openid::routes())
}
