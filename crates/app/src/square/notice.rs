//! A customer's standing changed: Square may have to show something else, and whoever the customer
//! was merged into may hold something else.

use domain::seal::{BlindIndex, DataKey, KeyRing};
use jiff::Timestamp;
use store::Tx;
use store::tables::square_customers::{self, SquareCustomer};
use store::tables::{data_keys, deliveries, square_carries};

use super::channel::SQUARE;
use crate::deliveries::{Outgoing, Sealed};
use crate::orders::Pen;
use crate::people::sealing;

/// A customer whose proofs were written anew.
pub(crate) struct Changed<'a> {
    /// Whose customer.
    pub company: &'a str,
    /// Which customer.
    pub email_index: BlindIndex,
    /// Whether an ID is proven now and was not before, or the other way round.
    pub is_id: bool,
    /// Now.
    pub now: Timestamp,
}

/// Asks for what follows from a change, in its transaction, after it was written: what is asked for
/// here and a merge that is written at the same time cannot miss each other. Returns whether
/// anything was enqueued.
///
/// # Errors
/// Those of the database.
pub(crate) async fn notice(
    pen: &Pen,
    tx: &mut Tx<'_>,
    changed: &Changed<'_>,
) -> store::Result<bool> {
    let policy = pen.policy.square.as_ref();
    let Some(policy) = policy.filter(|policy| *policy.company == *changed.company) else {
        return Ok(false);
    };
    let Changed {
        company,
        email_index,
        now,
        ..
    } = *changed;
    square_carries::ask_if_merged(tx, company, email_index, now).await?;
    if !(policy.shows && changed.is_id) {
        return Ok(false);
    }
    show_anew(pen, tx, changed).await
}

/// Has Square show everywhere how a customer stands; returns whether anything was enqueued.
///
/// # Errors
/// Those of the database.
pub(super) async fn show_anew(
    pen: &Pen,
    tx: &mut Tx<'_>,
    changed: &Changed<'_>,
) -> store::Result<bool> {
    let (company, subject) = (changed.company, changed.email_index);
    let tied = square_customers::list_of_customer(tx, company, subject).await?;
    for customer in &tied {
        enqueue(pen, tx, customer, changed.now).await?;
    }
    Ok(!tied.is_empty())
}

/// Enqueues that Square is to show how a customer stands. What that is, is looked up when it is sent.
pub(super) async fn enqueue(
    pen: &Pen,
    tx: &mut Tx<'_>,
    customer: &SquareCustomer,
    now: Timestamp,
) -> store::Result<()> {
    let Some(key) = key_of(&pen.ring, tx, customer).await? else {
        return Ok(());
    };
    let name = customer.square_index.as_bytes().as_slice();
    // One at a time: of two that are under way together, the one that looked first may write last.
    let stream = [SQUARE.as_bytes(), name].concat();
    let outgoing = Outgoing {
        channel: SQUARE,
        company: &customer.company_id,
        topic: "customer.shown",
        stream: Some(&stream),
        key: &key,
        body: name,
        at: now,
    };
    let sealed = Sealed::new(&*pen.random, &outgoing).map_err(sealing)?;
    deliveries::insert(tx, SQUARE, &sealed.row()).await
}

/// The key of somebody at Square; `None` for one of whom nothing is sealed, or whose key is
/// destroyed.
pub(super) async fn key_of(
    ring: &KeyRing,
    tx: &mut Tx<'_>,
    customer: &SquareCustomer,
) -> store::Result<Option<DataKey>> {
    let Some(id) = customer.data_key else {
        return Ok(None);
    };
    let wrapped = data_keys::find_by_id(tx, id).await?;
    wrapped
        .map(|wrapped| ring.unwrap(&wrapped).map_err(sealing))
        .transpose()
}
