//! Who is measured, and what it knows.

use std::fmt;

use crate::bench::pgbench::Script;

/// What keeps the customers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Engine {
    /// SQLite, limits in memory
    Sqlite,
    /// PostgreSQL, limits in Redis
    Postgres,
}

impl fmt::Display for Engine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        })
    }
}

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The bare handler
    Bare,
    /// PostgreSQL alone
    Pgbench(Script),
    /// The server on an engine with these records
    Server(Engine, Records),
}

/// What a server knows before it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Records {
    /// So many customers
    Customers(u64),
    /// So many customers whose age is known
    Ages(u64),
    /// So many decisions about ages, over seven years
    Decisions(u64),
    /// So many open sessions of number verification; only requests are answered, nothing delivered
    Sessions(u64),
    /// So many answered requests in the audit log
    Answers(u64),
    /// So many customers of a shop; a tenth of them has an order that is held, a number session that is
    /// open, and an age that is known
    Shop(u64),
    /// So many records of the audit log, over a year and a month whose time is over; only requests are
    /// answered
    Past(u64),
}

impl fmt::Display for Records {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Customers(count) => write!(out, "{count} customers"),
            Self::Ages(count) => write!(out, "{count} ages"),
            Self::Decisions(count) => write!(out, "{count} decisions"),
            Self::Sessions(count) => write!(out, "{count} sessions"),
            Self::Answers(count) => write!(out, "{count} answers"),
            Self::Shop(count) => write!(out, "{count} customers of a shop"),
            Self::Past(count) => write!(out, "{count} past records"),
        }
    }
}
