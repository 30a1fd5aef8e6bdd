//! A customer as staff see one: found by address or number, shown masked until more is needed.
//!
//! Guarantees: nobody is looked for or looked at without a record that says whom it was about. What
//! is masked does not leave this module in any other form.

use std::str::from_utf8;

use domain::access::CompanyId;
use domain::contact::{E164, Email};
use domain::number;
use domain::seal::{BlindIndex, DataKey, Place, SealError};
use jiff::Timestamp;
use store::tables::customers::{self, Piece as Stored, Seen};
use store::tables::{erasure, orders as order_rows};

use super::{Checked, email_index, phone_index, place};
use crate::forget::Whom;
use crate::orders::{Pen, Shown};
use crate::{App, Code, Ctx, Error, Result};

/// How many pieces of evidence, and how many orders, are shown.
const SHOWN: i64 = 50;

/// How much of a person is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reveal {
    /// Enough to know somebody again.
    Masked,
    /// Everything.
    Full,
}

/// A customer.
pub struct Person {
    /// What the customer is looked up by.
    pub index: BlindIndex,
    /// The address, whole or masked.
    pub email: String,
    /// The phone number, whole or masked.
    pub phone: Option<String>,
    /// What is proven.
    pub checked: Checked,
    /// Until when an age verification stands in for the ID check.
    pub age_verified_until: Option<Timestamp>,
    /// When the customer was first heard of.
    pub created_at: Timestamp,
    /// When anything last changed.
    pub updated_at: Timestamp,
    /// Since when the customer is under legal hold.
    pub legal_hold_at: Option<Timestamp>,
    /// The newest pieces of evidence, the newest first.
    pub evidence: Vec<Piece>,
    /// The last orders, the last placed first.
    pub orders: Vec<Shown>,
}

/// A piece of evidence.
pub struct Piece {
    /// What it proves, or what else made the customer known.
    pub proof: String,
    /// Given, or withdrawn.
    pub given: bool,
    /// Whether it changed anything, or something newer was known.
    pub applied: bool,
    /// How strong it is.
    pub assurance: String,
    /// Who told.
    pub source: String,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// What came with it: names and values. Nothing while the person is masked.
    pub metadata: Vec<(String, String)>,
}

/// Finds a customer of the caller's company; the record of it says whom.
///
/// # Errors
/// [`Code::NotFound`]; [`Code::Conflict`] when several customers have that number.
pub async fn find(app: &App, ctx: &Ctx, whom: &Whom) -> Result<BlindIndex> {
    let company = ctx.caller.company_id();
    let email = whom.email.as_ref();
    let email = email.map(|email| email_index(&app.index_key, company, email));
    let phone = whom.phone.as_ref();
    let phone = phone.map(|phone| phone_index(&app.index_key, company, phone));
    if let Some(subject) = email.or(phone) {
        ctx.exchange.note_subject(subject);
    }
    let company = company.clone();
    let found = app.store.read(move |mut tx| {
        let company = company.clone();
        Box::pin(async move {
            let company = company.as_str();
            Ok(match (email, phone) {
                (Some(email), _) => {
                    let known = customers::find_address(&mut tx, company, email).await?;
                    known.map(|known| known.email_index).into_iter().collect()
                }
                (None, Some(phone)) => erasure::list_by_phone(&mut tx, company, phone).await?,
                (None, None) => Vec::new(),
            })
        })
    });
    match found.await?.as_slice() {
        [] => Err(unknown()),
        [index] => Ok(*index),
        _ => Err(Error::new(
            Code::Conflict,
            "Several customers have this phone number. Look for the e-mail address.",
        )),
    }
}

/// Shows a customer of the caller's company.
///
/// # Errors
/// [`Code::NotFound`].
pub async fn see(app: &App, ctx: &Ctx, index: BlindIndex, reveal: Reveal) -> Result<Person> {
    ctx.exchange.note_subject(index);
    let company = ctx.caller.company().to_owned();
    let found = app.store.read(move |mut tx| {
        let company = company.clone();
        Box::pin(async move {
            let Some(seen) = customers::see(&mut tx, &company, index).await? else {
                return Ok(None);
            };
            let evidence = customers::list_evidence(&mut tx, seen.last_evidence, SHOWN).await?;
            let orders = order_rows::list_of_customer(&mut tx, &company, index, SHOWN).await?;
            Ok(Some((seen, evidence, orders)))
        })
    });
    let (seen, evidence, orders) = found.await?.ok_or_else(unknown)?;
    let (pen, now) = (Pen::of(app), app.clock.now());
    let key = app.key_ring.unwrap(&seen.key)?;
    let email = open(&key, place(&index, "email"), &seen.email)?;
    let phone = seen.phone.as_ref();
    let phone = phone.map(|sealed| open(&key, place(&index, "phone"), sealed));
    let phone = phone.transpose()?;
    let shown = |text: String, mask: fn(&str) -> String| match reveal {
        Reveal::Full => text,
        Reveal::Masked => mask(&text),
    };
    let Seen { found, .. } = &seen;
    let evidence: Result<Vec<_>, SealError> = evidence
        .into_iter()
        .map(|piece| piece_of(&key, piece, reveal))
        .collect();
    Ok(Person {
        index,
        email: shown(email, masked_email),
        phone: phone.map(|phone| shown(phone, masked_phone)),
        checked: Checked::at(Some(found), &app.ages, now),
        age_verified_until: found.age_verified_until.filter(|end| *end > now),
        created_at: seen.created_at,
        updated_at: found.updated_at,
        legal_hold_at: seen.legal_hold_at,
        evidence: evidence?,
        orders: orders
            .into_iter()
            .map(|order| Shown::of(&pen, order, now))
            .collect(),
    })
}

/// A customer's address, for what is done to them next.
///
/// # Errors
/// [`Code::NotFound`].
pub async fn address_of(app: &App, company: &CompanyId, index: BlindIndex) -> Result<Email> {
    let company = company.as_str().to_owned();
    let found = app.store.read(move |mut tx| {
        let company = company.clone();
        Box::pin(async move { customers::find_address(&mut tx, &company, index).await })
    });
    let known = found.await?.ok_or_else(unknown)?;
    let key = app.key_ring.unwrap(&known.data_key)?;
    let plain = open(&key, place(&index, "email"), &known.email)?;
    Email::parse(&plain).map_err(|_| SealError::DoesNotOpen.into())
}

fn piece_of(key: &DataKey, piece: Stored, reveal: Reveal) -> Result<Piece, SealError> {
    let metadata = match reveal {
        Reveal::Masked => Vec::new(),
        Reveal::Full => {
            let place = Place {
                table: "evidence",
                column: "metadata",
                row: piece.id.as_bytes(),
            };
            values(&open(key, place, &piece.metadata)?)
        }
    };
    Ok(Piece {
        proof: piece.proof,
        given: piece.given,
        applied: piece.applied,
        assurance: piece.assurance,
        source: piece.source,
        occurred_at: piece.occurred_at,
        metadata,
    })
}

/// The names and values of an object, as texts.
fn values(json: &str) -> Vec<(String, String)> {
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(json).unwrap_or_default();
    let text = |value: serde_json::Value| match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    let pairs = object.into_iter();
    pairs.map(|(name, value)| (name, text(value))).collect()
}

fn open(key: &DataKey, place: Place<'_>, sealed: &[u8]) -> Result<String, SealError> {
    let plain = key.open(place, sealed)?;
    let text = from_utf8(&plain).map_err(|_| SealError::DoesNotOpen)?;
    Ok(text.to_owned())
}

/// What was stored was an address, and is masked as one; anything else shows nothing.
fn masked_email(text: &str) -> String {
    Email::parse(text).map_or_else(|_| "***".to_owned(), |email| email.masked())
}

fn masked_phone(text: &str) -> String {
    E164::stored(text).map_or_else(|| "***".to_owned(), |phone| number::masked(&phone))
}

fn unknown() -> Error {
    Error::new(Code::NotFound, "Nothing is known of this person.")
}
