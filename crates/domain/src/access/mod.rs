//! Who may do what: scopes, API keys and the caller a request speaks for.
//!
//! Decides from what it is given and nothing else; looking keys up and checking the signature of a
//! token happen elsewhere.

mod api_key;
mod principal;
mod scope;

pub use api_key::{ApiKey, KeyId, KeyIdError};
pub use principal::{CompanyId, CompanyIdError, Credential, Principal};
pub use scope::{Scope, Scopes, UnknownScope};
