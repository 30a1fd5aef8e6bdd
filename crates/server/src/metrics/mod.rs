//! What the process counts of itself, for Prometheus.
//!
//! Guarantees: counting takes no lock and allocates nothing once a series exists; every family has
//! a help text and a type; the values of labels come from closed sets (names of actions and
//! limits, methods, status codes, machine words), so nothing that was sent ever becomes one, and
//! their number is bounded.
//! Must not: decide anything, or name a person, a company, a key or an address.
//!
//! The registry belongs to the process, not to an instance of the server: what libraries count is
//! kept out of it, because it is never made their recorder.

pub mod ages;
pub mod archive;
pub mod audit;
pub mod database;
pub mod deliveries;
mod families;
pub mod inbox;
pub mod numbers;
pub mod orders;
mod page;
mod process;
pub mod refusals;
mod registry;
pub mod requests;
pub mod telemetry;

pub use families::{ALL, Family, Kind};
pub use page::render as render_page;
pub use process::started;

use registry::REGISTRY;

/// The media type of [`render`]: Prometheus' text format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4";

/// All families that have been counted, as Prometheus reads them.
pub fn render() -> String {
    REGISTRY.handle.render()
}

/// Takes what was observed since the last time into the histograms. It has to be called again and
/// again, because between two calls every observation is kept by itself.
pub fn upkeep() {
    REGISTRY.handle.run_upkeep();
}
