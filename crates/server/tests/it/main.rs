//! The server against real neighbours.

mod quota;
