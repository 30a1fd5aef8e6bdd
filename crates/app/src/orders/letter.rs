//! What a mail is to say, at the moment of sending.
//!
//! Between a mail's enqueuing and its sending an order may be released, or a newer step may be due:
//! then nothing is sent. What it says is what is true now.

use domain::contact::Email;
use domain::order::{Missing, Status};
use jiff::Timestamp;
use store::tables::companies;
use store::tables::customers::{self, SealedAddress};
use store::tables::orders::{self, WithCustomer};
use uuid::Uuid;

use super::mails::Payload;
use super::pen::Pen;
use crate::customers::place;
use crate::{App, Error, Result};

/// Why a mail is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To remind of what is missing.
    Reminder,
    /// To say that the deadline has passed.
    Expired,
}

/// A mail to the customer of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// To whom.
    pub to: Email,
    /// Why.
    pub purpose: Purpose,
    /// Which step of the schedule it is, from 0 on: with the order's row it names the mail.
    pub step: u32,
    /// The order's row.
    pub order: Uuid,
    /// The shop's number for it.
    pub order_id: String,
    /// The company whose order it is.
    pub company_id: String,
    /// What the company is called.
    pub company_name: String,
    /// What is missing; never nothing.
    pub missing: Missing,
    /// When the order was placed.
    pub placed_at: Timestamp,
    /// Until when it is, or was, held.
    pub deadline: Timestamp,
}

/// What the mail of a payload is to say now; `None` when it is not to be sent any more.
///
/// # Errors
/// When the database is away, or the payload is none of a mail about an order.
pub async fn letter(app: &App, payload: &[u8]) -> Result<Option<Letter>> {
    let payload: Payload = serde_json::from_slice(payload).map_err(Error::internal)?;
    let found = app
        .store
        .read(move |mut tx| {
            Box::pin(async move {
                let Some(found) = orders::find_by_id(&mut tx, payload.order).await? else {
                    return Ok(None);
                };
                let (company, index) = (&found.order.company_id, found.order.email_index);
                let address = customers::find_address(&mut tx, company, index).await?;
                let company = companies::find(&mut tx, company).await?;
                Ok(address.zip(company).map(|rest| (found, rest)))
            })
        })
        .await?;
    let Some((found, (address, company))) = found else {
        return Ok(None);
    };
    let now = app.clock.now();
    let Some((purpose, missing)) = purpose(&Pen::of(app), &found, payload.step, now) else {
        return Ok(None);
    };
    let order = found.order;
    Ok(Some(Letter {
        to: open(app, &address)?,
        purpose,
        step: payload.step,
        order: order.id,
        order_id: order.order_id,
        company_id: order.company_id,
        company_name: company.name,
        missing,
        placed_at: order.placed_at,
        deadline: order.deadline,
    }))
}

/// Why the mail of a step is to be sent at `now`, and what is missing; `None` when it is not.
fn purpose(
    pen: &Pen,
    found: &WithCustomer,
    step: u32,
    now: Timestamp,
) -> Option<(Purpose, Missing)> {
    let order = &found.order;
    let customer = found.customer.as_ref()?;
    let missing = pen.missing(&customer.standing, customer.age_verified_until, now);
    let is_newest = pen.policy.schedule.due(order.placed_at, 0, now) == Some(step);
    let purpose = match order.status {
        Status::Held if now < order.deadline && is_newest => Purpose::Reminder,
        Status::Expired if step.checked_add(1) == Some(order.steps) => Purpose::Expired,
        _ => return None,
    };
    (!missing.is_empty()).then_some((purpose, missing))
}

fn open(app: &App, address: &SealedAddress) -> Result<Email> {
    let key = app.key_ring.unwrap(&address.data_key)?;
    let plain = key.open(place(&address.email_index, "email"), &address.email)?;
    let text = std::str::from_utf8(&plain).map_err(Error::internal)?;
    Email::parse(text).map_err(Error::internal)
}
