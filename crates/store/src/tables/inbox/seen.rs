//! A company's events as its staff see them: listed along an index, whatever their number.

use uuid::Uuid;

use super::{Listed, Status, listed};
use crate::{Readable, Result, Tx};

macro_rules! page {
    ($which:literal) => {
        concat!(
            listed_columns!(),
            "WHERE ",
            $which,
            " AND id < $2 ORDER BY id DESC LIMIT $3"
        )
    };
}

/// At most `count` events of a company that came before one, the newest first: those that wait, those
/// that were parked, or with any other status or none, all of them.
///
/// # Errors
/// Those of the database.
pub async fn list_of_company(
    tx: &mut Tx<'_>,
    company_id: &str,
    status: Option<Status>,
    before: Option<Uuid>,
    count: i64,
) -> Result<Readable<Listed>> {
    // Each walks what is made for it: what waits or is parked an index, which a status in the text
    // names; everything the table's own order, which a plain comparison of the company would keep
    // SQLite from using.
    let sql = match status {
        Some(Status::Waiting) => page!(
            "id IN (SELECT id FROM inbox WHERE status = 'waiting') \
             AND company_id = COALESCE($1, company_id)"
        ),
        Some(Status::Parked) => page!("company_id = $1 AND status = 'parked'"),
        Some(Status::Done | Status::Ignored) | None => {
            page!("company_id = COALESCE($1, company_id)")
        }
    };
    let before = before.unwrap_or(Uuid::max());
    let values = [company_id.into(), before.into(), count.into()];
    let rows = tx.query(sql, &values).await?;
    Readable::read(&rows, "inbox", listed)
}
