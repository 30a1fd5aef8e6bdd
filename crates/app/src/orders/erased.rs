//! The orders of a customer who is erased: nobody is left who could complete them.

use domain::seal::{BlindIndex, DataKey};
use jiff::Timestamp;
use store::Tx;
use store::tables::orders;

use super::change::Change;
use super::news::News;
use super::pen::Pen;

/// Cancels every open order of a customer; returns how many. The merchant is told under the company's
/// own `key`: the message names the order alone, and the customer's key is about to be destroyed.
///
/// # Errors
/// Those of the database.
pub(crate) async fn cancel_all(
    pen: &Pen,
    tx: &mut Tx<'_>,
    (company, email_index): (&str, BlindIndex),
    key: &DataKey,
    request_id: &str,
    now: Timestamp,
) -> store::Result<(u64, News)> {
    let (mut cancelled, mut news) = (0, News::default());
    for order in orders::list_open_for_update(tx, company, email_index).await? {
        let mut change = Change::of(pen, order, Some(key), now);
        change.erased(request_id);
        news.extend(change.write(tx).await?.1);
        cancelled += 1;
    }
    Ok((cancelled, news))
}
