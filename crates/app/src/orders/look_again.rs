//! Whenever a proof of a customer changes, the customer's orders are looked at again, in the
//! transaction of the change. Of a customer with very many the others are left to the sweep: a proof that
//! no transaction had room for could never be given.

use domain::contact::Email;
use domain::order::{Missing, Status};
use domain::seal::{BlindIndex, DataKey, SealError};
use jiff::Timestamp;
use store::Tx;
use store::tables::customers;
use store::tables::deliveries;
use store::tables::orders::{self, Order};

use super::change::Change;
use super::event::{CustomerVerified, Event};
use super::news::News;
use super::pen::Pen;
use crate::customers::place;
use crate::deliveries::{Outgoing, Sealed, WEBHOOK};
use crate::people::sealing;

/// How many open orders of a customer the merchant is told of at most.
const TOLD: i64 = 100;

/// How many orders one transaction looks at: few enough to be done in time where the database is far
/// away.
const BATCH: i64 = 50;

/// A locked customer whose proofs were written anew.
pub(crate) struct Proofs<'a> {
    /// Whose customer.
    pub company: &'a str,
    /// Which customer.
    pub email_index: BlindIndex,
    /// The customer's key.
    pub key: &'a DataKey,
    /// What was missing before.
    pub before: Missing,
    /// What is missing now.
    pub after: Missing,
    /// The request that brought the change.
    pub request_id: &'a str,
    /// Now.
    pub now: Timestamp,
}

/// Looks at the customer's orders again; to be called whenever a proof was given or withdrawn, in
/// the same transaction, after it was written. Units that call it stand in the lane of the
/// customer's e-mail index, commit the records of what comes back, and announce the rest.
///
/// # Errors
/// Those of the database.
pub(crate) async fn look_again(
    pen: &Pen,
    tx: &mut Tx<'_>,
    proofs: &Proofs<'_>,
) -> store::Result<News> {
    let mut news = News::default();
    let (company, customer) = (proofs.company, proofs.email_index);
    if proofs.before != proofs.after && proofs.after.is_empty() {
        proofs.tell_verified(pen, tx).await?;
        news.enqueued = true;
    }
    let given = proofs.before.lost_any(proofs.after);
    let found = orders::list_changeable_for_update(tx, company, customer, given, BATCH).await?;
    if found.len() as u64 == BATCH.unsigned_abs() {
        orders::make_changeable_due(tx, company, customer, given, proofs.now).await?;
    }
    for order in found {
        if !proofs.matter_to(&order) {
            continue;
        }
        // A key of another time is a key that was destroyed.
        let key = Some(proofs.key).filter(|key| key.id() == order.data_key);
        let mut change = Change::of(pen, order, key, proofs.now);
        change.proofs(proofs.before, proofs.after, proofs.request_id);
        let (_, changed) = change.write(tx).await?;
        news.extend(changed);
    }
    Ok(news)
}

impl Proofs<'_> {
    /// Whether there is news in it for an order. What is missing of one that is held may have changed
    /// before these proofs did, with the operator's rules.
    fn matter_to(&self, order: &Order) -> bool {
        order.status != Status::Held || order.missing != self.after || self.after.is_empty()
    }

    /// Tells the merchant that everything is proven.
    async fn tell_verified(&self, pen: &Pen, tx: &mut Tx<'_>) -> store::Result<()> {
        let orders = orders::list_open_names(tx, self.company, self.email_index, TOLD).await?;
        let address = customers::find_address(tx, self.company, self.email_index).await?;
        let address = address.ok_or_else(|| sealing(SealError::DoesNotOpen))?;
        let place = place(&address.email_index, "email");
        let plain = self.key.open(place, &address.email).map_err(sealing)?;
        let email = std::str::from_utf8(&plain).ok();
        let email = email.and_then(|text| Email::parse(text).ok());
        let event = Event::Verified(CustomerVerified {
            at: self.now,
            masked_email: email.map(|email| email.masked()).unwrap_or_default(),
            orders,
        });
        let outgoing = Outgoing {
            channel: WEBHOOK,
            company: self.company,
            topic: event.topic(),
            stream: Some(self.email_index.as_bytes()),
            key: self.key,
            body: &(pen.policy.render_event)(&event),
            at: self.now,
        };
        let sealed = Sealed::new(&*pen.random, &outgoing).map_err(sealing)?;
        deliveries::insert_webhook(tx, &sealed.row())
            .await
            .map(drop)
    }
}
