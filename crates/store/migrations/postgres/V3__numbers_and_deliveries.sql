-- Number verification. One row a session; its id begins with the time, so rows are
-- written one behind the other. Only a pending session stands in the two partial
-- indexes: they stay as small as what is open.
CREATE TABLE verification_sessions (
    verification_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    id UUID NOT NULL,
    company_id TEXT NOT NULL,
    number_index BYTEA NOT NULL,
    mobile_number BYTEA NOT NULL,
    request_index BYTEA NOT NULL,
    request_id BYTEA NOT NULL,
    token_hash BYTEA NOT NULL,
    status TEXT NOT NULL,
    mismatches BIGINT NOT NULL,
    app_user_id BYTEA,
    data_key UUID NOT NULL,
    created_at BIGINT NOT NULL,
    verified_at BIGINT,
    ended_at BIGINT,
    expires_at BIGINT NOT NULL
);
CREATE INDEX verification_sessions_by_number ON verification_sessions (company_id, number_index);
CREATE UNIQUE INDEX verification_sessions_pending ON verification_sessions (company_id, request_index)
    WHERE status = 'pending';
CREATE INDEX verification_sessions_due ON verification_sessions (expires_at)
    WHERE status = 'pending';

-- Everything that leaves the building. A delivery waits in the line of its receiver
-- until it is due; a lease is an owner and a later due time. Those of one stream go
-- out in the order in which they were made.
CREATE TABLE deliveries (
    id UUID NOT NULL PRIMARY KEY,
    company_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    topic TEXT NOT NULL,
    receiver TEXT NOT NULL,
    stream BYTEA NOT NULL,
    data_key UUID NOT NULL,
    payload BYTEA NOT NULL,
    status TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    step BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    lease UUID,
    outcome TEXT,
    created_at BIGINT NOT NULL,
    finished_at BIGINT
);
CREATE INDEX deliveries_waiting ON deliveries (receiver, due_at, id) WHERE status = 'waiting';
CREATE INDEX deliveries_in_order ON deliveries (stream, created_at) WHERE status = 'waiting';
CREATE INDEX deliveries_exhausted ON deliveries (company_id, id) WHERE status = 'exhausted';

CREATE TABLE delivery_attempts (
    delivery UUID NOT NULL,
    number BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    took BIGINT NOT NULL,
    outcome TEXT NOT NULL,
    status BIGINT,
    PRIMARY KEY (delivery, number)
);

-- How the companies' endpoints fare; one without a row has never failed.
CREATE TABLE webhook_endpoints (
    company_id TEXT NOT NULL PRIMARY KEY REFERENCES companies (company_id),
    failing_since BIGINT,
    off_at BIGINT,
    off_reason TEXT
);
