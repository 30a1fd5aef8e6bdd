//! What a mail is to say, at the moment of sending.
//!
//! Between a mail's enqueuing and its sending an order may be released, or a newer step may be due:
//! then nothing is sent. What it says is what is true now.

use std::sync::Arc;

use domain::order::{Missing, Status};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use store::tables::orders::WithCustomer;

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
    let occasion = occasion(&Pen::of(app), &subject.order, payload.step, app.clock.now());
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

/// What the mail of a step is for at `now`, and what is missing; or the word for why it is not to
/// be sent.
fn occasion(
    pen: &Pen,
    found: &WithCustomer,
    step: u32,
    now: Timestamp,
) -> std::result::Result<(Occasion, Missing), &'static str> {
    let order = &found.order;
    let customer = found.customer.as_ref().ok_or("no_customer")?;
    let schedule = &pen.policy.schedule;
    let occasion = match order.status {
        Status::Held if now >= order.deadline => return Err("too_late"),
        Status::Held if schedule.due(order.placed_at, 0, now) == Some(step) => {
            Occasion::of_reminder(step, schedule.steps())
        }
        Status::Expired if step.checked_add(1) == Some(order.steps) => Occasion::Expired,
        Status::Held | Status::Expired => return Err("superseded"),
        Status::Released | Status::Late | Status::Cancelled => return Err("settled"),
    };
    let missing = pen.missing(&customer.standing, customer.age_verified_until, now);
    if missing.is_empty() {
        return Err("nothing_missing");
    }
    Ok((occasion, missing))
}
