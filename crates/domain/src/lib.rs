//! The words and rules of customer verification.
//!
//! Everything here is pure: no input or output, no ambient clock, no ambient
//! randomness (both are arguments), no wire format and no database. What this
//! crate decides, the other crates carry out.

pub mod audit;
pub mod clock;
pub mod random;
pub mod seal;
