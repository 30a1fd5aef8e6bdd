//! How far what a source has was looked through.

use domain::hook::Source;
use jiff::Timestamp;

use crate::{Result, Tx};

/// How far a source was looked through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Everything that changed before this is known.
    pub since: Timestamp,
    /// The pass that is under way, if one is: when it began, and where it stands.
    pub pass: Option<(Timestamp, String)>,
}

/// The position of a company at a source; `None` before the first pass.
///
/// # Errors
/// Those of the database.
pub async fn find(tx: &mut Tx<'_>, company_id: &str, source: Source) -> Result<Option<Position>> {
    let found = tx
        .find(
            "SELECT since, pass_began_at, pass_cursor FROM sync_positions \
             WHERE company_id = $1 AND source = $2",
            &[company_id.into(), source.as_str().into()],
        )
        .await?;
    found
        .map(|row| {
            let began = row.find_time(1, "sync_positions.pass_began_at")?;
            let cursor = row.find_text(2, "sync_positions.pass_cursor")?;
            Ok(Position {
                since: row.time(0, "sync_positions.since")?,
                pass: began.zip(cursor),
            })
        })
        .transpose()
}

/// Notes a position.
///
/// # Errors
/// Those of the database.
pub async fn set(
    tx: &mut Tx<'_>,
    company_id: &str,
    source: Source,
    position: &Position,
    now: Timestamp,
) -> Result<()> {
    let pass = position.pass.as_ref();
    tx.execute(
        "INSERT INTO sync_positions \
         (company_id, source, since, pass_began_at, pass_cursor, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (company_id, source) DO UPDATE SET \
         since = excluded.since, pass_began_at = excluded.pass_began_at, \
         pass_cursor = excluded.pass_cursor, updated_at = excluded.updated_at",
        &[
            company_id.into(),
            source.as_str().into(),
            position.since.into(),
            pass.map(|(began, _)| *began).into(),
            pass.map(|(_, cursor)| cursor.as_str()).into(),
            now.into(),
        ],
    )
    .await
    .map(drop)
}
