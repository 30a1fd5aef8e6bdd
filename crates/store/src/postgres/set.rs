//! One statement for many who ask the same.
//!
//! Its text takes an array for each value, and each of its rows ends with the number of those it is
//! for, counted from 1.

use tokio_postgres::types::ToSql;

use super::Connection;
use crate::{Error, Result, Row, Value};

/// Runs a statement for all who asked, each with as many values: a row for each, or none.
pub(super) async fn find(
    connection: &Connection,
    sql: &'static str,
    asked: &[Vec<Value<'_>>],
) -> Result<Vec<Option<Row>>> {
    let columns = columns(asked);
    let values: Vec<&(dyn ToSql + Sync)> = columns
        .iter()
        .map(|column| column as &(dyn ToSql + Sync))
        .collect();
    let mut found: Vec<Option<Row>> = asked.iter().map(|_| None).collect();
    for row in connection.query_native(sql, &values).await? {
        let last = row.len().saturating_sub(1);
        let row = Row::Postgres(row);
        let number = usize::try_from(row.int(last, "row")? - 1).ok();
        let place = number.and_then(|number| found.get_mut(number));
        *place.ok_or_else(|| Error::corrupt("a statement", "unasked row"))? = Some(row);
    }
    Ok(found)
}

/// The values of all, each kind in a column.
fn columns<'v>(asked: &[Vec<Value<'v>>]) -> Vec<Vec<Value<'v>>> {
    let width = asked.first().map_or(0, Vec::len);
    let column = |at: usize| {
        let values = asked.iter().map(|asked| asked.get(at).copied());
        values.map(|value| value.unwrap_or(Value::Null)).collect()
    };
    (0..width).map(column).collect()
}
