-- Number verification. One row a session; its id begins with the time, so rows are
-- written one behind the other. Only a pending session stands in the two partial
-- indexes: they stay as small as what is open.
CREATE TABLE verification_sessions (
    verification_id TEXT NOT NULL PRIMARY KEY,
    id BLOB NOT NULL,
    company_id TEXT NOT NULL,
    number_index BLOB NOT NULL,
    mobile_number BLOB NOT NULL,
    request_index BLOB NOT NULL,
    request_id BLOB NOT NULL,
    token_hash BLOB NOT NULL,
    status TEXT NOT NULL,
    mismatches INTEGER NOT NULL,
    app_user_id BLOB,
    data_key BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    verified_at INTEGER,
    ended_at INTEGER,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX verification_sessions_by_number ON verification_sessions (company_id, number_index);
CREATE UNIQUE INDEX verification_sessions_pending ON verification_sessions (company_id, request_index)
    WHERE status = 'pending';
CREATE INDEX verification_sessions_due ON verification_sessions (expires_at)
    WHERE status = 'pending';

-- Everything that leaves the building. A delivery waits in the line of its receiver
-- until it is due; a lease is an owner and a later due time. Those of one stream go
-- out in the order in which they were made.
CREATE TABLE deliveries (
    id BLOB NOT NULL PRIMARY KEY,
    company_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    topic TEXT NOT NULL,
    receiver TEXT NOT NULL,
    stream BLOB NOT NULL,
    data_key BLOB NOT NULL,
    payload BLOB NOT NULL,
    status TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    step INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    lease BLOB,
    outcome TEXT,
    created_at INTEGER NOT NULL,
    finished_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_waiting ON deliveries (receiver, due_at, id) WHERE status = 'waiting';
CREATE INDEX deliveries_in_order ON deliveries (stream, created_at) WHERE status = 'waiting';
CREATE INDEX deliveries_exhausted ON deliveries (company_id, id) WHERE status = 'exhausted';

CREATE TABLE delivery_attempts (
    delivery BLOB NOT NULL,
    number INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    took INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    status INTEGER,
    PRIMARY KEY (delivery, number)
) STRICT, WITHOUT ROWID;

-- How the companies' endpoints fare; one without a row has never failed.
CREATE TABLE webhook_endpoints (
    company_id TEXT NOT NULL PRIMARY KEY REFERENCES companies (company_id),
    failing_since INTEGER,
    off_at INTEGER,
    off_reason TEXT
) STRICT;
