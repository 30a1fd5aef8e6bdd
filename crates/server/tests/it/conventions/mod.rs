//! What every surface has in common, seen on the Customers surface.

mod bodies;
mod credentials;
mod edge;
mod idempotency;
mod limits;
mod transport;
