-- Times are microseconds since 1970 (UTC). What names a person is sealed (BLOB)
-- under the data key named in the row and looked up by keyed hashes (*_index).

-- One row, raised by every change that other instances must notice.
CREATE TABLE change_counter (
    id INTEGER NOT NULL PRIMARY KEY,
    revision INTEGER NOT NULL
) STRICT;
INSERT INTO change_counter (id, revision) VALUES (1, 0);

CREATE TABLE companies (
    id BLOB NOT NULL PRIMARY KEY,
    company_id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    webhook_url TEXT,
    app_link TEXT,
    is_active INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    revision INTEGER NOT NULL
) STRICT;
INSERT INTO companies (id, company_id, name, is_active, created_at, updated_at, revision)
SELECT X'00000000000070008000000000000001', 'default', 'Default', TRUE, now.at, now.at, 0
FROM (SELECT CAST(unixepoch('subsec') * 1000000 AS INTEGER) AS at) AS now;

CREATE TABLE data_keys (
    id BLOB NOT NULL PRIMARY KEY,
    company_id TEXT NOT NULL,
    purpose TEXT NOT NULL,
    label TEXT,
    master_key TEXT NOT NULL,
    wrapped BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (company_id, purpose, label)
) STRICT, WITHOUT ROWID;

CREATE TABLE webhook_secrets (
    id BLOB NOT NULL PRIMARY KEY,
    company_id TEXT NOT NULL REFERENCES companies (company_id),
    data_key BLOB NOT NULL,
    secret BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER
) STRICT;
CREATE INDEX webhook_secrets_of_company ON webhook_secrets (company_id, created_at);

CREATE TABLE api_keys (
    id TEXT NOT NULL PRIMARY KEY,
    company_id TEXT NOT NULL REFERENCES companies (company_id),
    name TEXT NOT NULL,
    hash BLOB NOT NULL,
    scopes TEXT NOT NULL,
    limits TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER,
    replaced_by TEXT,
    revision INTEGER NOT NULL
) STRICT;
CREATE INDEX api_keys_by_revision ON api_keys (revision);
CREATE INDEX api_keys_of_company ON api_keys (company_id, created_at);

CREATE TABLE customer_verification (
    company_id TEXT NOT NULL,
    email_index BLOB NOT NULL,
    data_key BLOB NOT NULL,
    last_evidence BLOB NOT NULL,
    email BLOB NOT NULL,
    phone_index BLOB,
    phone BLOB,
    phone_changed_at INTEGER,
    veriff_approved INTEGER NOT NULL,
    veriff_date INTEGER,
    veriff_changed_at INTEGER,
    membership_signed INTEGER NOT NULL,
    membership_date INTEGER,
    membership_changed_at INTEGER,
    email_optin INTEGER NOT NULL,
    optin_date INTEGER,
    optin_changed_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (company_id, email_index)
) STRICT, WITHOUT ROWID;
CREATE INDEX customer_verification_by_phone ON customer_verification (company_id, phone_index)
    WHERE phone_index IS NOT NULL;

-- Ordered by time and never looked up at random: each piece names the one before
-- it, and the customer names the last. An index by customer would cost every
-- update a random page.
CREATE TABLE evidence (
    company_id TEXT NOT NULL,
    email_index BLOB NOT NULL,
    id BLOB NOT NULL PRIMARY KEY,
    previous BLOB,
    proof TEXT NOT NULL,
    status INTEGER NOT NULL,
    applied INTEGER NOT NULL,
    assurance TEXT NOT NULL,
    source TEXT NOT NULL,
    occurred_at INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    request_id TEXT NOT NULL,
    data_key BLOB NOT NULL,
    metadata BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency_keys (
    company_id TEXT NOT NULL,
    key_index BLOB NOT NULL,
    fingerprint BLOB NOT NULL,
    status INTEGER,
    data_key BLOB,
    answer BLOB,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (company_id, key_index)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at);

CREATE TABLE audit_batches (
    log INTEGER NOT NULL,
    batch INTEGER NOT NULL,
    size INTEGER NOT NULL,
    committed_at INTEGER NOT NULL,
    previous BLOB NOT NULL,
    root BLOB NOT NULL,
    head BLOB NOT NULL,
    leaves BLOB NOT NULL,
    PRIMARY KEY (log, batch)
) STRICT;
CREATE TABLE audit_records (
    log INTEGER NOT NULL,
    batch INTEGER NOT NULL,
    position INTEGER NOT NULL,
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
    PRIMARY KEY (log, batch, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE signing_keys (
    id BLOB NOT NULL PRIMARY KEY,
    public_key BLOB NOT NULL,
    master_key TEXT NOT NULL,
    wrapped BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE audit_checkpoints (
    number INTEGER NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    previous BLOB NOT NULL,
    heads BLOB NOT NULL,
    signing_key BLOB NOT NULL,
    signature BLOB NOT NULL
) STRICT;
