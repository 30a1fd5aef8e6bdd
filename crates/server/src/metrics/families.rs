//! The families of metrics: their names, types, labels and meaning.
//!
//! Names follow the conventions of Prometheus: base units, and `_total` for counters.

/// A metric with all its series.
#[derive(Debug)]
pub struct Family {
    /// As Prometheus knows it.
    pub name: &'static str,
    /// What it measures with.
    pub kind: Kind,
    /// The labels of each of its series, in this order.
    pub labels: &'static [&'static str],
    /// What it means, in a line.
    pub help: &'static str,
}

/// How a family measures.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// It only grows, and starts at 0 with the process.
    Counter,
    /// It is what it is now.
    Gauge,
    /// How observations spread over buckets, which end at these values.
    Histogram(&'static [f64]),
}

impl Kind {
    /// As Prometheus calls it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

/// Seconds, from half a millisecond to ten seconds. The bound of 100 ms is what is promised under
/// load, 500 ms is what an age verification may take.
const SECONDS: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Records in one batch, up to the largest that a writer makes.
const RECORDS: &[f64] = &[
    1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0,
];

pub(super) const REQUESTS: Family = Family {
    name: "bonafide_requests_total",
    kind: Kind::Counter,
    labels: &["action", "method", "status"],
    help: "Requests answered, by action, HTTP method and status; 499 when the caller went away first.",
};

pub(super) const REQUEST_DURATION: Family = Family {
    name: "bonafide_request_duration_seconds",
    kind: Kind::Histogram(SECONDS),
    labels: &["action"],
    help: "Time from a request's arrival until its answer was ready and its audit record durable.",
};

pub(super) const LIMIT_REFUSALS: Family = Family {
    name: "bonafide_limit_refusals_total",
    kind: Kind::Counter,
    labels: &["limit"],
    help: "Requests refused because a limit was used up, by the limit's name.",
};

pub(super) const LIMITS_SHARED: Family = Family {
    name: "bonafide_limits_shared",
    kind: Kind::Gauge,
    labels: &[],
    help: "1 while limits are counted in Redis for all instances, 0 while each counts for itself.",
};

pub(super) const LIMITS_DEGRADED: Family = Family {
    name: "bonafide_limits_degraded",
    kind: Kind::Gauge,
    labels: &[],
    help: "1 while Redis is configured but out of reach, so that this instance counts for itself.",
};

pub(super) const CREDENTIAL_REFUSALS: Family = Family {
    name: "bonafide_credential_refusals_total",
    kind: Kind::Counter,
    labels: &["reason"],
    help: "Requests refused because of their credential, by the reason that the audit log gives.",
};

pub(super) const AUDIT_RECORDS: Family = Family {
    name: "bonafide_audit_records_total",
    kind: Kind::Counter,
    labels: &[],
    help: "Audit records that were made durable.",
};

pub(super) const AUDIT_FAILURES: Family = Family {
    name: "bonafide_audit_failures_total",
    kind: Kind::Counter,
    labels: &[],
    help: "Audit records that could not be written; no answer leaves without its record.",
};

pub(super) const AUDIT_BATCH: Family = Family {
    name: "bonafide_audit_batch_records",
    kind: Kind::Histogram(RECORDS),
    labels: &[],
    help: "Audit records that were committed together in one batch.",
};

pub(super) const CHECKPOINT_FILE_FAILURES: Family = Family {
    name: "bonafide_checkpoint_file_failures_total",
    kind: Kind::Counter,
    labels: &[],
    help: "Times that checkpoints could not be appended to CHECKPOINT_FILE.",
};

pub(super) const SPOILT_ROWS: Family = Family {
    name: "bonafide_spoilt_rows_total",
    kind: Kind::Counter,
    labels: &["table"],
    help: "Rows that could not be read and were put aside, by table; the log names each.",
};

pub(super) const AGE_VERIFICATIONS: Family = Family {
    name: "bonafide_age_verifications_total",
    kind: Kind::Counter,
    labels: &["method", "outcome"],
    help: "Age verifications answered, by the step that decided and by outcome (passed or refused).",
};

pub(super) const AGE_PROCESSING: Family = Family {
    name: "bonafide_age_processing_seconds",
    kind: Kind::Histogram(SECONDS),
    labels: &[],
    help: "Time an age verification took to decide.",
};

pub(super) const AGE_SLOW_RUNS: Family = Family {
    name: "bonafide_age_slow_runs_total",
    kind: Kind::Counter,
    labels: &[],
    help: "Times that five age verifications in a row took longer than 500 ms each.",
};

pub(super) const NUMBER_SESSIONS: Family = Family {
    name: "bonafide_number_sessions_total",
    kind: Kind::Counter,
    labels: &["status"],
    help: "Sessions of number verification that ended, by how (verified, failed or expired); counted by the instance that wrote it.",
};

pub(super) const ORDERS: Family = Family {
    name: "bonafide_orders_total",
    kind: Kind::Counter,
    labels: &["status"],
    help: "Orders that came to stand somewhere, by where; counted by the instance that wrote it.",
};

pub(super) const ORDERS_HELD: Family = Family {
    name: "bonafide_orders_held",
    kind: Kind::Gauge,
    labels: &[],
    help: "Orders that are held, of all companies; told by instances that work.",
};

pub(super) const DELIVERY_ATTEMPTS: Family = Family {
    name: "bonafide_delivery_attempts_total",
    kind: Kind::Counter,
    labels: &["channel", "outcome"],
    help: "Attempts at deliveries, by channel (webhook or mail) and how they ended.",
};

pub(super) const DELIVERY_DURATION: Family = Family {
    name: "bonafide_delivery_duration_seconds",
    kind: Kind::Histogram(SECONDS),
    labels: &["channel"],
    help: "Time an attempt at a delivery took, by channel.",
};

pub(super) const QUEUE_DEPTH: Family = Family {
    name: "bonafide_deliveries_waiting",
    kind: Kind::Gauge,
    labels: &[],
    help: "Deliveries that wait or are being made, of all instances; told by those that work.",
};

pub(super) const QUEUE_AGE: Family = Family {
    name: "bonafide_deliveries_overdue_seconds",
    kind: Kind::Gauge,
    labels: &[],
    help: "How long the longest overdue delivery has been due; told by instances that work.",
};

pub(super) const ENDPOINTS_OFF: Family = Family {
    name: "bonafide_webhook_endpoints_off",
    kind: Kind::Gauge,
    labels: &[],
    help: "Companies' webhook addresses that were switched off for failing too long, or for answering 410; told by instances that work.",
};

pub(super) const INBOX_EVENTS: Family = Family {
    name: "bonafide_inbox_events_total",
    kind: Kind::Counter,
    labels: &["sender", "outcome"],
    help: "Events of hooks that were processed, by sender and outcome (done, ignored or failed).",
};

pub(super) const INBOX_DEPTH: Family = Family {
    name: "bonafide_inbox_waiting",
    kind: Kind::Gauge,
    labels: &[],
    help: "Events of hooks that wait or are being processed; told by instances that work.",
};

pub(super) const INBOX_AGE: Family = Family {
    name: "bonafide_inbox_overdue_seconds",
    kind: Kind::Gauge,
    labels: &[],
    help: "How long the longest overdue event has been due; told by instances that work.",
};

pub(super) const INBOX_PARKED: Family = Family {
    name: "bonafide_inbox_parked",
    kind: Kind::Gauge,
    labels: &[],
    help: "Events that failed too often and wait for a person; told by instances that work.",
};

pub(super) const ARCHIVE_ROWS: Family = Family {
    name: "bonafide_archive_rows_total",
    kind: Kind::Counter,
    labels: &["table", "outcome"],
    help: "Rows sent to the archive, by table and what became of them (taken, again or refused).",
};

pub(super) const ARCHIVE_FAILURES: Family = Family {
    name: "bonafide_archive_failures_total",
    kind: Kind::Counter,
    labels: &["reason"],
    help: "Requests that the archive took nothing of, by reason.",
};

pub(super) const ARCHIVE_LAG: Family = Family {
    name: "bonafide_archive_lag_seconds",
    kind: Kind::Gauge,
    labels: &[],
    help: "How long the oldest record has waited to be archived; told by instances that work.",
};

pub(super) const ARCHIVE_TROUBLE: Family = Family {
    name: "bonafide_archive_trouble",
    kind: Kind::Gauge,
    labels: &[],
    help: "1 while something keeps the archive from being written to; told by instances that work.",
};

pub(super) const ARCHIVE_PARKED: Family = Family {
    name: "bonafide_archive_parked",
    kind: Kind::Gauge,
    labels: &[],
    help: "Rows that the archive refused and that wait for a person; told by instances that work.",
};

pub(super) const ARCHIVE_MISSED: Family = Family {
    name: "bonafide_archive_missed",
    kind: Kind::Gauge,
    labels: &[],
    help: "Records that were gone before they were archived; told by instances that work.",
};

pub(super) const DATABASE_CONNECTIONS: Family = Family {
    name: "bonafide_database_connections",
    kind: Kind::Gauge,
    labels: &["work"],
    help: "Connections to the database that this process keeps, by their work (reading or writing).",
};

pub(super) const DATABASE_BUSY: Family = Family {
    name: "bonafide_database_busy_seconds",
    kind: Kind::Histogram(SECONDS),
    labels: &["work"],
    help: "Time that a connection was busy with a batch or a read, by its work (reading or writing).",
};

pub(super) const DATABASE_WAITING: Family = Family {
    name: "bonafide_database_waiting",
    kind: Kind::Gauge,
    labels: &["work"],
    help: "Callers in line for the connections, those being served apart, by their work.",
};

pub(super) const TELEMETRY_LOST: Family = Family {
    name: "bonafide_telemetry_lost_total",
    kind: Kind::Counter,
    labels: &["kind"],
    help: "What could not be told to others, by kind (report to Sentry, or span to the collector).",
};

pub(super) const BUILD_INFO: Family = Family {
    name: "bonafide_build_info",
    kind: Kind::Gauge,
    labels: &["version"],
    help: "Always 1; the label is the program's version.",
};

pub(super) const START_TIME: Family = Family {
    name: "process_start_time_seconds",
    kind: Kind::Gauge,
    labels: &[],
    help: "When the process started, in seconds since the beginning of 1970, UTC.",
};

/// All families.
pub const ALL: [&Family; 38] = [
    &REQUESTS,
    &REQUEST_DURATION,
    &LIMIT_REFUSALS,
    &LIMITS_SHARED,
    &LIMITS_DEGRADED,
    &CREDENTIAL_REFUSALS,
    &AUDIT_RECORDS,
    &AUDIT_FAILURES,
    &AUDIT_BATCH,
    &CHECKPOINT_FILE_FAILURES,
    &SPOILT_ROWS,
    &AGE_VERIFICATIONS,
    &AGE_PROCESSING,
    &AGE_SLOW_RUNS,
    &NUMBER_SESSIONS,
    &ORDERS,
    &ORDERS_HELD,
    &DELIVERY_ATTEMPTS,
    &DELIVERY_DURATION,
    &QUEUE_DEPTH,
    &QUEUE_AGE,
    &ENDPOINTS_OFF,
    &INBOX_EVENTS,
    &INBOX_DEPTH,
    &INBOX_AGE,
    &INBOX_PARKED,
    &ARCHIVE_ROWS,
    &ARCHIVE_FAILURES,
    &ARCHIVE_LAG,
    &ARCHIVE_TROUBLE,
    &ARCHIVE_PARKED,
    &ARCHIVE_MISSED,
    &DATABASE_CONNECTIONS,
    &DATABASE_BUSY,
    &DATABASE_WAITING,
    &TELEMETRY_LOST,
    &BUILD_INFO,
    &START_TIME,
];
