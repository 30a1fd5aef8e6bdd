//! A customer's standing changed: Square may have to show something else, and whoever the customer
//! was merged into may hold something else.

use domain::random;
use domain::seal::{BlindIndex, DataKey, KeyRing};
use jiff::Timestamp;
use store::Tx;
use store::tables::square_carries::{self, Carry};
use store::tables::square_customers::{self, SquareCustomer};
use store::tables::{data_keys, deliveries};

use super::channel::{NOT_VERIFIED, SQUARE};
use crate::deliveries::{Outgoing, Sealed};
use crate::orders::Pen;
use crate::people::sealing;

/// A customer of ours, at an instant.
#[derive(Clone, Copy)]
pub(crate) struct Whom<'a> {
    /// Whose customer.
    pub company: &'a str,
    /// Which customer.
    pub email_index: BlindIndex,
    /// Now.
    pub now: Timestamp,
}

/// A customer whose proofs were written anew.
pub(crate) struct Changed<'a> {
    /// Who.
    pub whom: Whom<'a>,
    /// Whether the customer was not known before this transaction.
    pub is_new: bool,
    /// Whether an ID is proven now and was not before, or the other way round.
    pub is_id: bool,
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
    let Some(policy) = policy.filter(|policy| *policy.company == *changed.whom.company) else {
        return Ok(false);
    };
    let whom = &changed.whom;
    match changed.is_new {
        // A merge that is written at the same time has found nobody to wait for.
        true => ask(pen, tx, whom).await?,
        false => square_carries::ask_if_merged(tx, &carry(pen, whom), whom.now)
            .await
            .map(drop)?,
    }
    if !(policy.shows && changed.is_id) {
        return Ok(false);
    }
    show_anew(pen, tx, whom).await
}

/// Asks for a customer's proofs to be carried.
///
/// # Errors
/// Those of the database.
pub(crate) async fn ask(pen: &Pen, tx: &mut Tx<'_>, whom: &Whom<'_>) -> store::Result<()> {
    square_carries::ask(tx, &carry(pen, whom), whom.now).await
}

fn carry(pen: &Pen, whom: &Whom<'_>) -> Carry {
    Carry {
        company_id: whom.company.to_owned(),
        email_index: whom.email_index,
        asked: i64::from_be_bytes(random::bytes(&*pen.random)),
    }
}

/// Has Square show everywhere how a customer stands; returns whether anything was enqueued.
///
/// # Errors
/// Those of the database.
pub(super) async fn show_anew(pen: &Pen, tx: &mut Tx<'_>, whom: &Whom<'_>) -> store::Result<bool> {
    show_where(pen, tx, whom, |_| true).await
}

/// The same, where Square shows something else as far as we know.
///
/// # Errors
/// Those of the database.
pub(super) async fn show_where_stale(
    pen: &Pen,
    tx: &mut Tx<'_>,
    whom: &Whom<'_>,
    has_id: bool,
) -> store::Result<bool> {
    show_where(pen, tx, whom, |tied| shows_id(tied) != has_id).await
}

async fn show_where(
    pen: &Pen,
    tx: &mut Tx<'_>,
    whom: &Whom<'_>,
    is_chosen: impl Fn(&SquareCustomer) -> bool,
) -> store::Result<bool> {
    let tied = square_customers::list_of_customer(tx, whom.company, whom.email_index).await?;
    let mut enqueued = false;
    for customer in tied.iter().filter(|tied| is_chosen(tied)) {
        enqueue(pen, tx, customer, whom.now).await?;
        enqueued = true;
    }
    Ok(enqueued)
}

/// Whether Square shows that a customer has shown an ID, as far as we know.
pub(super) fn shows_id(customer: &SquareCustomer) -> bool {
    let shown = customer.shown.as_deref();
    shown.is_some_and(|shown| shown != NOT_VERIFIED)
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
