//! The tables, one file each: the only place where SQL text stands.
//!
//! Naming: `find` may find nothing, `get` must find, `list` finds many; an
//! `insert` that can meet an existing row says whether it was the first.

/// Whether a column's value is among those that another part of the statement returned: looked up in
/// a hash, where a join, which goes by indexes here, would compare each with each. (A condition that
/// could itself be unknown is not turned into a join.)
macro_rules! among {
    ($column:literal, $returned:literal) => {
        concat!(
            "(",
            $column,
            " IN (SELECT ",
            $column,
            " FROM ",
            $returned,
            ")) IS TRUE"
        )
    };
}

/// On PostgreSQL, columns of a table's rows for each row of `asked`, looked up one by one whatever the
/// table's size was when the plan was made. (An offset keeps it from being turned into a join, which for
/// a small table would read all of it, and go on to as it grows.)
macro_rules! each {
    ($columns:expr, $table:literal, $condition:literal) => {
        concat!(
            "CROSS JOIN LATERAL (SELECT ",
            $columns,
            " FROM ",
            $table,
            " WHERE ",
            $condition,
            " OFFSET 0) "
        )
    };
}

pub mod age_customers;
pub mod age_decisions;
pub mod age_statistics;
pub mod agreements;
pub mod api_keys;
pub mod archive;
pub mod audit;
pub mod audit_checkpoints;
pub mod audit_hours;
pub mod audit_index;
pub mod audit_leaves;
pub mod audit_months;
pub mod audit_search;
pub mod change_counter;
pub mod companies;
pub mod console_sessions;
pub mod customers;
pub mod data_keys;
pub mod deliveries;
pub mod delivery_attempts;
pub mod erasure;
pub mod erasures;
pub mod evidence;
pub mod idempotency;
pub mod inbox;
pub mod mail_stops;
pub mod mail_suppressions;
pub mod order_events;
pub mod orders;
pub mod personal;
pub mod queues;
pub mod retention;
pub mod signing_keys;
pub mod square_carries;
pub mod square_customers;
pub mod sync_positions;
pub mod traffic;
pub mod veriff_sessions;
pub mod verification_sessions;
pub mod webhook_endpoints;
pub mod webhook_secrets;
pub mod wrapped_keys;
