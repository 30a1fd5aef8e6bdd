-- Records are kept by the month in which their batch was committed (202611 for November
-- 2026), so that a month can be taken out as a whole when its time is over. Its batches
-- stay, without their leaves: the chain goes through them.
CREATE TABLE audit_records_by_month (
    log INTEGER NOT NULL,
    batch INTEGER NOT NULL,
    position INTEGER NOT NULL,
    month INTEGER NOT NULL,
    at INTEGER NOT NULL,
    request_id TEXT NOT NULL,
    company_id TEXT NOT NULL,
    credential TEXT NOT NULL,
    action TEXT NOT NULL,
    subject BLOB,
    outcome TEXT NOT NULL,
    status INTEGER NOT NULL,
    latency INTEGER NOT NULL,
    occurrences INTEGER NOT NULL,
    data_key BLOB,
    client BLOB,
    detail TEXT,
    PRIMARY KEY (log, batch, position, month)
) STRICT, WITHOUT ROWID;
INSERT INTO audit_records_by_month
SELECT r.log, r.batch, r.position,
    CAST(strftime('%Y%m', COALESCE(b.committed_at, r.at) / 1000000, 'unixepoch') AS INTEGER),
    r.at, r.request_id, r.company_id, r.credential, r.action, r.subject, r.outcome, r.status,
    r.latency, r.occurrences, r.data_key, r.client, r.detail
FROM audit_records r LEFT JOIN audit_batches b ON b.log = r.log AND b.batch = r.batch;
DROP TABLE audit_records;
ALTER TABLE audit_records_by_month RENAME TO audit_records;

-- Months whose records are gone, and how much that was.
CREATE TABLE audit_retired (
    month INTEGER NOT NULL PRIMARY KEY,
    batches INTEGER NOT NULL,
    records INTEGER NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX audit_batches_by_time ON audit_batches (committed_at);

-- What the log is searched by; a worker makes it behind the writers. A block is a run of
-- successive batches of a log: of each kind of record in it is known where the kind begins
-- and ends. Of a subject is known where each of its records stands.
CREATE TABLE audit_indexed (
    log INTEGER NOT NULL PRIMARY KEY,
    kinds_to INTEGER NOT NULL,
    subjects_to INTEGER NOT NULL
) STRICT;
CREATE TABLE audit_kinds (
    committed_from INTEGER NOT NULL,
    committed_to INTEGER NOT NULL,
    log INTEGER NOT NULL,
    first_batch INTEGER NOT NULL,
    company_id TEXT NOT NULL,
    action TEXT NOT NULL,
    outcome TEXT NOT NULL,
    from_batch INTEGER NOT NULL,
    to_batch INTEGER NOT NULL,
    at_from INTEGER NOT NULL,
    at_to INTEGER NOT NULL,
    PRIMARY KEY (committed_to, log, first_batch, company_id, action, outcome)
) STRICT, WITHOUT ROWID;
CREATE TABLE audit_subjects (
    month INTEGER NOT NULL,
    subject BLOB NOT NULL,
    log INTEGER NOT NULL,
    batch INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (month, subject, log, batch, position)
) STRICT, WITHOUT ROWID;
