//! The use cases, and the traits through which they reach the world outside.

pub mod quota;
