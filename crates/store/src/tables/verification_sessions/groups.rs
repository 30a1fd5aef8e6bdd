//! The sessions of a company, through the one index that holds them all.
//!
//! It divides them into four groups by number, and has each in the order of time. So a session that is
//! opened is written at one of four ends; whoever looks for a number reads through one group, in the
//! index alone, and a list is merged from the newest of all four.

use domain::number::SessionId;

use super::{Found, found};
use crate::{Result, Tx};

/// The group of a keyed hash, as the index has it on either engine: two bits of its first digit.
macro_rules! group {
    (Sqlite, $number:literal) => {
        concat!("(unicode(hex(", $number, ")) & 3)")
    };
    (Postgres, $number:literal) => {
        concat!("(ascii(encode(", $number, ", 'hex')) & 3)")
    };
}
pub(in crate::tables) use group;

/// A statement about the sessions of company `$1` whose number is `$2`, between what stands before
/// and after the condition. Only the rows of that number are read.
macro_rules! of_number {
    ($tx:expr, $before:literal, $after:literal) => {
        match $tx {
            Tx::Sqlite(_) => of_number!(in Sqlite, $before, $after),
            Tx::Postgres(_) => of_number!(in Postgres, $before, $after),
        }
    };
    (in $engine:ident, $before:literal, $after:literal) => {
        concat!(
            $before,
            " WHERE verification_id IN (SELECT verification_id FROM verification_sessions \
             WHERE company_id = $1 AND number_index = $2 AND ",
            $crate::tables::verification_sessions::group!($engine, "number_index"),
            " = ",
            $crate::tables::verification_sessions::group!($engine, "$2"),
            ") ",
            $after
        )
    };
}
pub(in crate::tables) use of_number;

/// The newest sessions of company `$1`, as many as `$count`, of those that meet `$condition`.
macro_rules! newest {
    ($engine:ident, $condition:literal, $count:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            " FROM (SELECT verification_id FROM (",
            newest!($engine, "0", $condition, $count),
            " UNION ALL ",
            newest!($engine, "1", $condition, $count),
            " UNION ALL ",
            newest!($engine, "2", $condition, $count),
            " UNION ALL ",
            newest!($engine, "3", $condition, $count),
            ") of_groups ORDER BY verification_id DESC LIMIT ",
            $count,
            ") newest CROSS JOIN verification_sessions s LEFT JOIN data_keys k ON k.id = s.data_key \
             WHERE s.verification_id = newest.verification_id ORDER BY newest.verification_id DESC"
        )
    };
    ($engine:ident, $group:literal, $condition:literal, $count:literal) => {
        concat!(
            "SELECT verification_id FROM (SELECT verification_id FROM verification_sessions \
             WHERE company_id = $1 AND ",
            group!($engine, "number_index"),
            " = ",
            $group,
            $condition,
            " ORDER BY verification_id DESC LIMIT ",
            $count,
            ") of_group"
        )
    };
}

/// At most `count` sessions of a company that began before one, the newest first.
///
/// # Errors
/// Those of the database.
pub async fn list_of_company(
    tx: &mut Tx<'_>,
    company_id: &str,
    before: Option<&SessionId>,
    count: i64,
) -> Result<Vec<Found>> {
    let rows = match before {
        None => {
            let sql = match tx {
                Tx::Sqlite(_) => newest!(Sqlite, "", "$2"),
                Tx::Postgres(_) => newest!(Postgres, "", "$2"),
            };
            tx.query(sql, &[company_id.into(), count.into()]).await?
        }
        Some(before) => {
            let sql = match tx {
                Tx::Sqlite(_) => newest!(Sqlite, " AND verification_id < $2", "$3"),
                Tx::Postgres(_) => newest!(Postgres, " AND verification_id < $2", "$3"),
            };
            let values = [company_id.into(), before.as_str().into(), count.into()];
            tx.query(sql, &values).await?
        }
    };
    rows.iter().map(found).collect()
}
