//! What a token may say that is exchanged for a key: never more than the key.

use domain::access::{Credential, Scopes};
use jiff::{SignedDuration, Timestamp};

use super::{Caller, Claims, Directory};
use crate::{Code, Error, Result};

/// How long such a token lives, unless its key ends earlier.
const LIFE: SignedDuration = SignedDuration::from_mins(15);

/// A token to be signed.
#[derive(Debug)]
pub struct Grant {
    /// What it says.
    pub claims: Claims,
    /// What it allows.
    pub scopes: Scopes,
    /// Its end, in whole seconds and never after its key's.
    pub expires_at: Timestamp,
}

/// Exchanges the key that `caller` presented for a token with the scopes in
/// `wanted` (words separated by spaces), or with all of the key's. An
/// administrator's key may name any scope: each is less than what it has.
///
/// # Errors
/// [`Code::InvalidScope`] when a word is no scope, or none of the key's.
pub fn grant(
    directory: &Directory,
    caller: &Caller,
    wanted: Option<&str>,
    now: Timestamp,
) -> Result<Grant> {
    let Credential::Key(key) = caller.principal().credential else {
        return Err(Error::internal("a token was to be exchanged for a token"));
    };
    let scopes = match wanted.map(str::split_ascii_whitespace) {
        Some(words) if words.clone().next().is_some() => Scopes::parse(words)
            .map_err(|_| Error::new(Code::InvalidScope, "There is no such scope."))?,
        _ => caller.principal().scopes,
    };
    if scopes.is_empty() || !scopes.iter().all(|scope| caller.may(scope)) {
        let message = "The key does not have every scope that is asked for.";
        return Err(Error::new(Code::InvalidScope, message));
    }
    let end = now.checked_add(LIFE).unwrap_or(now);
    let end = directory.end_of(key).map_or(end, |last| last.min(end));
    Ok(Grant {
        claims: Claims {
            subject: key.to_string(),
            company: Some(caller.company().to_owned()),
            scope: Some(scopes.to_string()),
            role: None,
            key: Some(key.to_string()),
        },
        scopes,
        expires_at: Timestamp::from_second(end.as_second()).unwrap_or(end),
    })
}
