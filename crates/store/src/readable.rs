//! Rows of which one may be spoilt: it must not keep the others from their turn.

use uuid::Uuid;

use crate::{Error, Result, Row};

/// The rows that can be read, and those that cannot.
#[derive(Debug)]
pub struct Readable<T> {
    /// What they say, in their order.
    pub rows: Vec<T>,
    /// The others.
    pub spoilt: Vec<Spoilt>,
}

/// A row that is there and cannot be read.
#[derive(Debug)]
pub struct Spoilt {
    /// In which table.
    pub table: &'static str,
    /// The row.
    pub id: Uuid,
    /// What is wrong with it.
    pub problem: Error,
}

impl<T> Readable<T> {
    /// Reads rows of a table, each with its id in the first column.
    ///
    /// # Errors
    /// When not even an id can be read.
    pub(crate) fn read(
        from: &[Row],
        table: &'static str,
        read: impl Fn(&Row) -> Result<T>,
    ) -> Result<Self> {
        Self::read_by(0, from, table, read)
    }

    /// The same, with each id in another column.
    ///
    /// # Errors
    /// When not even an id can be read.
    pub(crate) fn read_by(
        id: usize,
        from: &[Row],
        table: &'static str,
        read: impl Fn(&Row) -> Result<T>,
    ) -> Result<Self> {
        let (mut rows, mut spoilt) = (Vec::with_capacity(from.len()), Vec::new());
        for row in from {
            match read(row) {
                Ok(row) => rows.push(row),
                Err(problem) => {
                    let id = row.uuid(id, table)?;
                    spoilt.push(Spoilt { table, id, problem });
                }
            }
        }
        Ok(Self { rows, spoilt })
    }
}
