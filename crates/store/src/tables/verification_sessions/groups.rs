//! The sessions of a company, through the one index that holds them all.
//!
//! It divides them into four groups by number, and has each in the order of time. So a session that is
//! opened is written at one of four ends; whoever looks for a number reads through one group, in the
//! index alone, and a list is merged from the newest of all four.

use domain::number::SessionId;

use super::{Found, found};
use crate::{Result, Tx};

/// The group of a keyed hash, as the index has it on either engine: the two low bits of the character
/// that its first digit is, in which capitals are like small letters. The largest group has five
/// sixteenths of all.
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

/// The names of the newest sessions of one group of company `$1`.
macro_rules! newest_of_group {
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

/// The newest sessions of company `$1`, as many as `$count`, of those that meet `$condition`. Readers
/// ask, whose plans on PostgreSQL go by how many that is.
macro_rules! newest {
    ($engine:ident, $condition:literal, $count:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            " FROM (SELECT verification_id FROM (",
            newest_of_group!($engine, "0", $condition, $count),
            " UNION ALL ",
            newest_of_group!($engine, "1", $condition, $count),
            " UNION ALL ",
            newest_of_group!($engine, "2", $condition, $count),
            " UNION ALL ",
            newest_of_group!($engine, "3", $condition, $count),
            ") of_groups ORDER BY verification_id DESC LIMIT ",
            $count,
            ") newest CROSS JOIN verification_sessions s LEFT JOIN data_keys k ON k.id = s.data_key \
             WHERE s.verification_id = newest.verification_id ORDER BY newest.verification_id DESC"
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
                Tx::Sqlite(_) => sqlite::NEWEST,
                Tx::Postgres(_) => postgres::NEWEST,
            };
            tx.query(sql, &[company_id.into(), count.into()]).await?
        }
        Some(before) => {
            let sql = match tx {
                Tx::Sqlite(_) => sqlite::NEWEST_BEFORE,
                Tx::Postgres(_) => postgres::NEWEST_BEFORE,
            };
            let values = [company_id.into(), before.as_str().into(), count.into()];
            tx.query(sql, &values).await?
        }
    };
    rows.iter().map(found).collect()
}

mod sqlite {
    pub const NEWEST: &str = newest!(Sqlite, "", "$2");
    pub const NEWEST_BEFORE: &str = newest!(Sqlite, " AND verification_id < $2", "$3");
}

mod postgres {
    pub const NEWEST: &str = newest!(Postgres, "", "$2");
    pub const NEWEST_BEFORE: &str = newest!(Postgres, " AND verification_id < $2", "$3");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Connections, Location, Store};

    struct Still;

    impl domain::clock::Clock for Still {
        fn now(&self) -> jiff::Timestamp {
            jiff::Timestamp::UNIX_EPOCH
        }
    }

    /// How SQLite is going to answer, in a database that has been told how large it gets.
    async fn plan(question: &str) -> String {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("store.db");
        let location = Location::Sqlite(file.clone());
        location.migrate().await.unwrap();
        let store = Store::open(
            &location,
            Connections::default(),
            std::sync::Arc::new(Still),
        );
        drop(store.await.unwrap());
        let database = rusqlite::Connection::open(file).unwrap();
        let explained = format!("EXPLAIN QUERY PLAN {question}");
        let mut explain = database.prepare(&explained).unwrap();
        let asked = vec![rusqlite::types::Null; explain.parameter_count()];
        let steps = explain.query_map(rusqlite::params_from_iter(asked), |row| {
            row.get::<_, String>("detail")
        });
        let steps: Result<Vec<_>, _> = steps.unwrap().collect();
        steps.unwrap().join("; ")
    }

    const GROUP: &str = "SEARCH verification_sessions USING COVERING INDEX \
         verification_sessions_in_groups (company_id=? AND <expr>=?";

    #[tokio::test]
    async fn a_page_is_merged_from_the_newest_of_each_group() {
        for (question, bound) in [
            (sqlite::NEWEST, ")"),
            (sqlite::NEWEST_BEFORE, " AND verification_id<?)"),
        ] {
            let plan = plan(question).await;
            let led = format!("{GROUP}{bound}");
            assert_eq!(plan.matches(&led).count(), 4, "{plan}");
            let session = "SEARCH s USING PRIMARY KEY (verification_id=?)";
            assert!(plan.contains(session), "{plan}");
            assert!(!plan.contains("SCAN verification"), "{plan}");
        }
    }

    #[tokio::test]
    async fn a_number_is_sought_in_its_group() {
        let plan = plan(of_number!(in Sqlite, "DELETE FROM verification_sessions", "")).await;
        assert!(plan.contains(&format!("{GROUP})")), "{plan}");
    }
}
