//! The words and rules of customer verification.
//!
//! Everything here is pure: time and randomness are arguments, nothing waits, and nothing knows of
//! HTTP, SQL, JSON or the environment. Values that name a person never show themselves in `Debug`.

pub mod access;
pub mod contact;
pub mod rate;
pub mod span;
pub mod standing;
