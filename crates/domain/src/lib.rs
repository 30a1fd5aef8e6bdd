//! The words and rules of customer verification.
//!
//! Everything here is pure: no input or output, no ambient clock, no ambient
//! randomness (both are arguments), no wire format and no database. What this
//! crate decides, the other crates carry out. Values that name a person never
//! show themselves in `Debug`.

pub mod access;
pub mod age;
pub mod agreement;
pub mod audit;
pub mod clock;
pub mod contact;
pub mod delivery;
pub mod hook;
pub mod link;
pub mod mail;
pub mod number;
pub mod order;
pub mod random;
pub mod rate;
pub mod retention;
pub mod seal;
pub mod secret_hash;
pub mod span;
pub mod square;
pub mod standing;
pub mod veriff;
pub mod webhook;
