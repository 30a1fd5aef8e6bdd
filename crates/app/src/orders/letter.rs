//! What a mail is to say, at the moment of sending.
//!
//! Between a mail's enqueuing and its sending an order may be released, or a newer step may be due:
//! then nothing is sent. What it says is what is true now.

use std::sync::Arc;

use domain::order::{Missing, Status};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use store::tables::orders::{Order, WithCustomer};

use super::mails::Payload;
use super::pen::Pen;
use super::subject::Subject;
use crate::mail::{Found, Letters, Notice, Occasion};
use crate::{App, Error, Result};

/// Knows what the mails about orders have to say.
pub struct OrderLetters(Arc<App>);

impl OrderLetters {
    /// Over the orders of this instance.
    pub fn new(app: Arc<App>) -> Self {
        Self(app)
    }
}

impl Letters for OrderLetters {
    fn look_up<'a>(
        &'a self,
        company: &'a str,
        _topic: &'a str,
        payload: &'a [u8],
    ) -> BoxFuture<'a, Result<Found>> {
        found(&self.0, company, payload).boxed()
    }
}

async fn found(app: &App, company: &str, payload: &[u8]) -> Result<Found> {
    let payload: Payload = serde_json::from_slice(payload).map_err(Error::internal)?;
    let Some(subject) = Subject::find(app, company, payload.order).await? else {
        return Ok(Found::Nothing("no_order"));
    };
    let occasion = occasion(&Pen::of(app), &subject.order, payload, app.clock.now());
    let (occasion, missing) = match occasion {
        Ok(occasion) => occasion,
        Err(word) => return Ok(Found::Nothing(word)),
    };
    let to = subject.email(app)?;
    let order = subject.order.order;
    Ok(Found::Notice(Box::new(Notice {
        to,
        company_name: subject.company_name,
        order: order.id,
        order_id: order.order_id,
        occasion,
        missing: missing.proofs().collect(),
        deadline: order.deadline,
    })))
}

/// What a mail is for at `now`, and what is missing; or the word for why it is not to be sent.
fn occasion(
    pen: &Pen,
    found: &WithCustomer,
    payload: Payload,
    now: Timestamp,
) -> std::result::Result<(Occasion, Missing), &'static str> {
    let order = &found.order;
    let customer = found.customer.as_ref().ok_or("no_customer")?;
    let last = order.reminded_at.map(Timestamp::as_microsecond);
    let occasion = match (order.status, payload.reminded_at) {
        (Status::Held, _) if now >= order.deadline => return Err("too_late"),
        (Status::Held, Some(at)) if last == Some(at) => reminder(pen, order, now)?,
        (Status::Expired, None) => Occasion::Expired,
        (Status::Held | Status::Expired, _) => return Err("superseded"),
        (Status::Released | Status::Late | Status::Cancelled, _) => return Err("settled"),
    };
    let missing = pen.missing(&customer.standing, customer.age_verified_until, now);
    if missing.is_empty() {
        return Err("nothing_missing");
    }
    Ok((occasion, missing))
}

/// Which of the reminders the newest is, unless another is due by now. One that today's schedule
/// does not know was sent by an earlier schedule, before today's first.
fn reminder(
    pen: &Pen,
    order: &Order,
    now: Timestamp,
) -> std::result::Result<Occasion, &'static str> {
    let (schedule, from) = (&pen.policy.schedule, order.held_from());
    if schedule.due(from, order.reminded_at, now).is_some() {
        return Err("superseded");
    }
    let step = schedule.due(from, None, now).unwrap_or_default();
    Ok(Occasion::of_reminder(step, schedule.steps()))
}
