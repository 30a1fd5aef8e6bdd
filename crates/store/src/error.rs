//! What can go wrong with a database, as far as a caller can act on it.

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of the store. Its text is for the log of the operator alone.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The database did not answer in time, or not at all. What was asked may or
    /// may not have happened; asking again later is right.
    #[error("database unavailable: {0}")]
    Unavailable(String),
    /// Another transaction came first. The store tries again by itself; callers
    /// see this only when trying did not help.
    #[error("write conflict: {0}")]
    Conflict(String),
    /// A stored value is not what it must be.
    #[error("corrupt data in {place}: {problem}")]
    Corrupt {
        /// `table.column`, and the row where it is known.
        place: String,
        /// What is wrong; never the value itself.
        problem: String,
    },
    /// The database refused a statement: a defect of this program or of the
    /// schema.
    #[error("database refused: {0}")]
    Refused(String),
}

impl Error {
    pub(crate) fn corrupt(place: &str, problem: impl std::fmt::Display) -> Self {
        Self::Corrupt {
            place: place.to_owned(),
            problem: problem.to_string(),
        }
    }

    /// The same, as a failure to reach the database.
    pub(crate) fn into_unavailable(self) -> Self {
        match self {
            Self::Unavailable(_) => self,
            other => Self::Unavailable(other.to_string()),
        }
    }

    /// Whether the same call can succeed when it is simply made again.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Conflict(_))
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Self::Conflict(error.to_string())
            }
            Some(
                ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::OutOfMemory
                | ErrorCode::ReadOnly,
            ) => Self::Unavailable(error.to_string()),
            _ => Self::Refused(error.to_string()),
        }
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        let text = with_cause(&error);
        match error.code() {
            // No SQLSTATE: the connection itself failed.
            None => Self::Unavailable(text),
            Some(state) => match state.code().get(..2) {
                // Connection exception, insufficient resources, operator
                // intervention (shutdown, start-up), system error.
                Some("08" | "53" | "57" | "58") => Self::Unavailable(text),
                // Transaction rollback: serialization failure, deadlock.
                Some("40") => Self::Conflict(text),
                // A lock was not had in time.
                _ if state.code() == "55P03" => Self::Conflict(text),
                // Somebody else appended to the audit log.
                _ if is_taken_batch(&error) => Self::Conflict(text),
                // A standby that was not promoted yet.
                _ if state.code() == "25006" => Self::Unavailable(text),
                _ => Self::Refused(text),
            },
        }
    }
}

fn is_taken_batch(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some_and(|refused| {
        *refused.code() == tokio_postgres::error::SqlState::UNIQUE_VIOLATION
            && refused.constraint() == Some("audit_batches_pkey")
    })
}

/// The server's message and code, without its detail: that may quote a row.
fn with_cause(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(refused) => format!("{} ({})", refused.message(), refused.code().code()),
        None => match std::error::Error::source(error) {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        },
    }
}
