//! The server: everything between the wire and the use cases.

pub mod quota;
