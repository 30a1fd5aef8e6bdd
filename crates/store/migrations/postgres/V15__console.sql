-- Who is signed in to the console. A token is kept as a keyed hash alone; what it was
-- bought with as the id of an API key, or as a token's claims, sealed under the callers'
-- key of the day on which the session began, as is where it was begun.
CREATE TABLE console_sessions (
    id UUID NOT NULL PRIMARY KEY,
    token_hash BYTEA NOT NULL,
    company_id TEXT NOT NULL,
    holder TEXT NOT NULL,
    key_id TEXT,
    claims BYTEA,
    client BYTEA,
    began_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX console_sessions_by_token ON console_sessions (token_hash);
CREATE INDEX console_sessions_of_holder ON console_sessions (company_id, holder, id);
CREATE INDEX console_sessions_due ON console_sessions (ends_at);

-- Links that sign somebody in, once.
CREATE TABLE console_links (
    token_hash BYTEA NOT NULL PRIMARY KEY,
    company_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    ends_at BIGINT NOT NULL
);
CREATE INDEX console_links_due ON console_links (ends_at);

-- How many requests there were, by the hour they came in (counted from 1970-01-01, UTC),
-- what was asked, what came of it, and which step of a scale their latency is on. A worker
-- counts them behind the writers.
CREATE TABLE audit_hours (
    company_id TEXT NOT NULL,
    hour BIGINT NOT NULL,
    action TEXT NOT NULL,
    outcome TEXT NOT NULL,
    step BIGINT NOT NULL,
    requests BIGINT NOT NULL,
    PRIMARY KEY (company_id, hour, action, outcome, step)
);
CREATE INDEX audit_hours_by_hour ON audit_hours (hour);
ALTER TABLE audit_indexed ADD COLUMN counted_to BIGINT NOT NULL DEFAULT 0;

-- Lists that people leaf through: a company's, the newest first.
CREATE INDEX deliveries_of_company ON deliveries (company_id, id);
CREATE INDEX deliveries_waiting_of_company ON deliveries (company_id, id)
    WHERE status = 'waiting';
CREATE INDEX verification_sessions_of_company ON verification_sessions (company_id, verification_id);
