//! Deliveries: what leaves this server for others.

pub mod sender;
