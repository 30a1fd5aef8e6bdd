//! Who may do what: scopes, API keys, the caller a request speaks for, and how long somebody stays
//! signed in to the console.
//!
//! Decides from what it is given and nothing else; looking keys up and checking the signature of a
//! token happen elsewhere.

mod api_key;
mod console_life;
mod console_token;
mod principal;
mod scope;
mod sign_in_attempt;

pub use api_key::{ApiKey, KeyId, KeyIdError};
pub use console_life::ConsoleLife;
pub use console_token::{ConsoleToken, ConsoleUse};
pub use principal::{CompanyId, CompanyIdError, Credential, Principal};
pub use scope::{Scope, Scopes, UnknownScope};
pub use sign_in_attempt::SignInAttempt;
