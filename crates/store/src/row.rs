//! One kind of row for both drivers, with getters that name what is corrupt.

use jiff::Timestamp;
use rusqlite::types::Value as SqliteValue;
use uuid::Uuid;

use crate::{Error, Result};

/// A row of an answer. Getters take the column's position and its name for the
/// message, `"table.column"`.
pub enum Row {
    /// From SQLite.
    Sqlite(Vec<SqliteValue>),
    /// From PostgreSQL.
    Postgres(tokio_postgres::Row),
}

macro_rules! getter {
    ($(#[$doc:meta])* $get:ident, $find:ident, $type:ty, $sqlite:pat => $value:expr) => {
        $(#[$doc])*
        pub fn $find(&self, at: usize, name: &str) -> Result<Option<$type>> {
            match self {
                Self::Postgres(row) => {
                    row.try_get(at).map_err(|_| Error::corrupt(name, "wrong type"))
                }
                Self::Sqlite(values) => match values.get(at) {
                    Some(SqliteValue::Null) => Ok(None),
                    Some($sqlite) => $value(name).map(Some),
                    _ => Err(Error::corrupt(name, "wrong type")),
                },
            }
        }

        /// The same for a column that is never NULL.
        pub fn $get(&self, at: usize, name: &str) -> Result<$type> {
            self.$find(at, name)?.ok_or_else(|| Error::corrupt(name, "missing"))
        }
    };
}

impl Row {
    getter! {
        /// An integer.
        int, find_int, i64, SqliteValue::Integer(value) => |_| Ok(*value)
    }
    getter! {
        /// A truth value.
        bool, find_bool, bool, SqliteValue::Integer(value) => |name| match value {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Error::corrupt(name, "neither true nor false")),
        }
    }
    getter! {
        /// Text.
        text, find_text, String, SqliteValue::Text(value) => |_| Ok(value.clone())
    }
    getter! {
        /// Bytes.
        bytes, find_bytes, Vec<u8>, SqliteValue::Blob(value) => |_| Ok(value.clone())
    }
    getter! {
        /// A UUID.
        uuid, find_uuid, Uuid, SqliteValue::Blob(value) => |name| {
            Uuid::from_slice(value).map_err(|_| Error::corrupt(name, "not a UUID"))
        }
    }

    /// A time, or NULL.
    pub fn find_time(&self, at: usize, name: &str) -> Result<Option<Timestamp>> {
        self.find_int(at, name)?
            .map(|value| {
                Timestamp::from_microsecond(value).map_err(|_| Error::corrupt(name, "not a time"))
            })
            .transpose()
    }

    /// A time.
    pub fn time(&self, at: usize, name: &str) -> Result<Timestamp> {
        self.find_time(at, name)?
            .ok_or_else(|| Error::corrupt(name, "missing"))
    }

    /// Bytes of one exact length.
    pub fn array<const N: usize>(&self, at: usize, name: &str) -> Result<[u8; N]> {
        self.bytes(at, name)?
            .try_into()
            .map_err(|_| Error::corrupt(name, format!("not {N} bytes")))
    }
}
