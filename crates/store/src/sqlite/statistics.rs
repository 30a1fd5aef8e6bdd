//! What the planner is told about the tables.
//!
//! SQLite that knows nothing takes every table for a small one: a company for ten rows, and so it
//! reads all of a company's customers where an index leads to one of them. Measured statistics come
//! late, for a database fills within an hour, and plans would go by when they were measured. These
//! are made of the schema alone, for the database that has grown: many rows, few companies, and
//! names and keyed hashes that hardly repeat. Every installation has the same plans.
//!
//! Guarantees: what is told is of every index of every table, all of it or nothing; nothing is written
//! when all is told already.

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::Result;

/// The rows of a table that grows with the customers.
///
/// More than the 1,048,576 that SQLite expects a recursive question to find: else it would read the
/// whole table into a Bloom filter for each such question.
const MANY: u64 = 10_000_000;

/// The rows of a table or an index of what is set up, or under way.
const FEW: u64 = 1_000;

/// Tables that hold what is set up or under way, by how their names begin.
const SMALL: [&str; 13] = [
    "agreements",
    "api_keys",
    "archive_",
    "companies",
    "console_",
    "erased_keys",
    "erasures",
    "mail_",
    "signing_keys",
    "square_carries",
    "sync_positions",
    "verification_deadlines",
    "webhook_",
];

/// What an index of what is under way is made for, by how its condition begins.
const UNDER_WAY: [&str; 5] = ["status ", "state ", "next_at ", "next_key ", "poll_at "];

/// Columns in which values repeat, and into how many groups they divide the rows. An expression is
/// there to make groups.
const REPEATED: [(&str, u64); 16] = [
    ("company_id", 4),
    ("log", 16),
    ("expression", 4),
    ("source", 16),
    ("status", 8),
    ("kind", 4),
    ("method", 3),
    ("reason", 6),
    ("purpose", 6),
    ("outcome", 10),
    ("action", 30),
    ("month", 36),
    ("receiver", 100),
    ("subject", 100),
    ("day", 1_000),
    ("hour", 1_000),
];

/// As in `sqlite_stat1`: the table, the index, and its numbers.
type Told = (String, String, String);

/// Tells the planner about every index of the schema.
///
/// # Errors
/// When the file cannot be read or written.
pub(crate) fn tell(connection: &mut Connection) -> Result<()> {
    if told(connection)? == of_schema(connection)? {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    write(&transaction, &of_schema(&transaction)?)?;
    transaction.commit()?;
    Ok(())
}

fn write(transaction: &Transaction<'_>, statistics: &[Told]) -> Result<()> {
    // It analyses no table, but makes the one that statistics are kept in, and has them read.
    const TAKE_NOTE: &str = "ANALYZE sqlite_schema";
    transaction.execute_batch(TAKE_NOTE)?;
    transaction.execute("DELETE FROM sqlite_stat1", [])?;
    let mut insert = transaction.prepare("INSERT INTO sqlite_stat1 VALUES (?1, ?2, ?3)")?;
    for (table, index, numbers) in statistics {
        insert.execute([table, index, numbers])?;
    }
    transaction.execute_batch(TAKE_NOTE)?;
    Ok(())
}

/// What it has been told.
fn told(connection: &Connection) -> Result<Vec<Told>> {
    const IS_THERE: &str = "SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat1'";
    if !connection.prepare(IS_THERE)?.exists([])? {
        return Ok(Vec::new());
    }
    // Somebody's own ANALYZE tells of tables without an index as well.
    const TOLD: &str = "SELECT tbl, COALESCE(idx, ''), stat FROM sqlite_stat1 ORDER BY 1, 2";
    let mut select = connection.prepare(TOLD)?;
    let told = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(told.collect::<Result<_, _>>()?)
}

/// What there is to tell.
fn of_schema(connection: &Connection) -> Result<Vec<Told>> {
    // The primary key of a table without row ids goes by the name of the table.
    let mut indexes = connection.prepare(
        "SELECT t.name, CASE WHEN i.origin = 'pk' AND t.wr THEN t.name ELSE i.name END AS told, \
         i.\"unique\", COALESCE(s.sql, ''), COALESCE((SELECT group_concat(name, ' ') FROM \
         (SELECT COALESCE(name, 'expression') AS name FROM pragma_index_info(i.name) \
         ORDER BY seqno)), '') \
         FROM pragma_table_list t JOIN pragma_index_list(t.name) i \
         LEFT JOIN sqlite_schema s ON s.name = i.name \
         WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite%' ORDER BY 1, told",
    )?;
    let described = indexes.query_map([], |row| {
        let (table, index): (String, String) = (row.get(0)?, row.get(1)?);
        let (is_unique, sql): (bool, String) = (row.get(2)?, row.get(3)?);
        let columns: String = row.get(4)?;
        let numbers = numbers(rows(&table, &sql), is_unique, &columns);
        Ok((table, index, numbers))
    })?;
    Ok(described.collect::<Result<_, _>>()?)
}

/// How many rows an index has: those of its table, unless it holds only what is under way.
fn rows(table: &str, sql: &str) -> u64 {
    let condition = sql
        .split_once("WHERE ")
        .map_or("", |(_, condition)| condition);
    let begins = |text: &str, words: &[&str]| words.iter().any(|word| text.starts_with(word));
    if begins(table, &SMALL) || begins(condition, &UNDER_WAY) {
        FEW
    } else {
        MANY
    }
}

/// The rows of an index, then for each of its columns how many rows are alike up to there.
fn numbers(rows: u64, is_unique: bool, columns: &str) -> String {
    let mut numbers = vec![rows];
    let mut alike = rows;
    for column in columns.split(' ') {
        let groups = REPEATED.iter().find(|(name, _)| *name == column);
        alike = match groups {
            Some((_, groups)) => (alike / groups).max(1),
            None if alike > 2 => 2,
            None => 1,
        };
        numbers.push(alike);
    }
    if is_unique && let Some(last) = numbers.last_mut() {
        *last = 1;
    }
    let numbers: Vec<_> = numbers.iter().map(u64::to_string).collect();
    // Few companies are expected, but there may be many: none is to be skipped to by turns.
    numbers.join(" ") + " noskipscan"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_of_what_is_under_way_is_small() {
        let open = "CREATE INDEX i ON deliveries (id) WHERE status = 'waiting'";
        let named = "CREATE INDEX i ON orders (phone_index)\n    WHERE phone_index IS NOT NULL";
        let ended = "CREATE INDEX i ON inbox (finished_at) WHERE finished_at IS NOT NULL";
        assert_eq!(rows("deliveries", open), FEW);
        assert_eq!(rows("orders", named), MANY);
        assert_eq!(rows("inbox", ended), MANY);
        assert_eq!(rows("orders", ""), MANY);
        assert_eq!(rows("console_sessions", ""), FEW);
    }

    #[test]
    fn numbers_fall_from_column_to_column() {
        for (rows, is_unique, columns, told) in [
            (
                MANY,
                false,
                "company_id status placed_at id",
                "10000000 2500000 312500 2 1",
            ),
            (MANY, true, "company_id day", "10000000 2500000 1"),
            (FEW, false, "ends_at", "1000 2"),
        ] {
            assert_eq!(
                numbers(rows, is_unique, columns),
                format!("{told} noskipscan")
            );
        }
    }
}
