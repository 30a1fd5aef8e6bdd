//! Customers of Square: which of the things we hear of one counts, and what a merge carries.
//!
//! Guarantees: hooks come late, twice and in any order, and after the same ones the same state is
//! known; whoever is merged into somebody else passes on what is proven about the person, and never
//! what belongs to an address.
//! Must not: take a word of Square's for a proof.

mod carrying;
mod edition;
mod life;

pub use carrying::{follows_the_person, held};
pub use edition::Edition;
pub use life::{Event, Life, Merge};
