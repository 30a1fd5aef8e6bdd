//! Whether the keys at hand are those that the stored customers were written with.
//!
//! One customer tells: the sealed address opens under the right `ENCRYPTION_KEYS`,
//! and its keyed hash comes out again under the right `INDEX_KEY`. The address
//! leaves this file in no form.

use domain::access::CompanyId;
use domain::contact::Email;
use domain::seal::BlindIndex;
use store::tables::customers::{self, SealedAddress};

use super::email_index;
use super::place;
use crate::{App, Result};

/// What trying the keys showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// Both keys are right.
    Right,
    /// There is no customer to try them on.
    Untried,
    /// What is stored cannot be opened.
    NotOpened,
    /// It opens, but its look-up hash is another.
    OtherIndex,
}

/// Tries the keys on one stored customer.
///
/// # Errors
/// When the database is away.
pub async fn keys_fit(app: &App) -> Result<Fit> {
    let stored = app
        .store
        .read(|mut tx| Box::pin(async move { customers::any_address(&mut tx).await }))
        .await?;
    let Some(stored) = stored else {
        return Ok(Fit::Untried);
    };
    Ok(match index_of(app, &stored) {
        None => Fit::NotOpened,
        Some(index) if index == stored.email_index => Fit::Right,
        Some(_) => Fit::OtherIndex,
    })
}

/// The keyed hash that the opened address has under the key at hand.
fn index_of(app: &App, stored: &SealedAddress) -> Option<BlindIndex> {
    let key = app.key_ring.unwrap(&stored.data_key).ok()?;
    let place = place(&stored.email_index, "email");
    let address = key.open(place, &stored.email).ok()?;
    let email = Email::parse(std::str::from_utf8(&address).ok()?).ok()?;
    let company = CompanyId::parse(&stored.company_id).ok()?;
    Some(email_index(&app.index_key, &company, &email))
}
