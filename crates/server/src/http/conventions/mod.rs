//! What every surface has in common: how a request is received, authorised,
//! limited and read, and how failures look.

pub mod audit_documents;
pub mod body;
pub mod cors;
pub mod customer;
pub mod edge;
pub mod failure;
pub mod fields;
pub mod form;
pub mod json;
pub mod once;
pub mod origin;
pub mod page;
pub mod permit;
pub mod surface;
pub mod visit;
