-- Times are microseconds since 1970 (UTC). What names a person is sealed (BYTEA)
-- under the data key named in the row and looked up by keyed hashes (*_index).

-- One row, raised by every change that other instances must notice.
CREATE TABLE change_counter (
    id BIGINT NOT NULL PRIMARY KEY,
    revision BIGINT NOT NULL
);
INSERT INTO change_counter (id, revision) VALUES (1, 0);

CREATE TABLE companies (
    id UUID NOT NULL PRIMARY KEY,
    company_id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    webhook_url TEXT,
    app_link TEXT,
    is_active BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    revision BIGINT NOT NULL
);
INSERT INTO companies (id, company_id, name, is_active, created_at, updated_at, revision)
SELECT '00000000-0000-7000-8000-000000000001', 'default', 'Default', TRUE, now.at, now.at, 0
FROM (SELECT (EXTRACT(EPOCH FROM now()) * 1000000)::BIGINT AS at) AS now;

CREATE TABLE data_keys (
    id UUID NOT NULL PRIMARY KEY,
    company_id TEXT NOT NULL,
    purpose TEXT NOT NULL,
    label TEXT,
    master_key TEXT NOT NULL,
    wrapped BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (company_id, purpose, label)
);

CREATE TABLE webhook_secrets (
    id UUID NOT NULL PRIMARY KEY,
    company_id TEXT NOT NULL REFERENCES companies (company_id),
    data_key UUID NOT NULL,
    secret BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT
);
CREATE INDEX webhook_secrets_of_company ON webhook_secrets (company_id, created_at);

CREATE TABLE api_keys (
    id TEXT NOT NULL PRIMARY KEY,
    company_id TEXT NOT NULL REFERENCES companies (company_id),
    name TEXT NOT NULL,
    hash BYTEA NOT NULL,
    scopes TEXT NOT NULL,
    limits TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT,
    replaced_by TEXT,
    revision BIGINT NOT NULL
);
CREATE INDEX api_keys_by_revision ON api_keys (revision);
CREATE INDEX api_keys_of_company ON api_keys (company_id, created_at);

CREATE TABLE customer_verification (
    company_id TEXT NOT NULL,
    email_index BYTEA NOT NULL,
    data_key UUID NOT NULL,
    last_evidence UUID NOT NULL,
    email BYTEA NOT NULL,
    phone_index BYTEA,
    phone BYTEA,
    phone_changed_at BIGINT,
    veriff_approved BOOLEAN NOT NULL,
    veriff_date BIGINT,
    veriff_changed_at BIGINT,
    membership_signed BOOLEAN NOT NULL,
    membership_date BIGINT,
    membership_changed_at BIGINT,
    email_optin BOOLEAN NOT NULL,
    optin_date BIGINT,
    optin_changed_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (company_id, email_index)
);
CREATE INDEX customer_verification_by_phone ON customer_verification (company_id, phone_index)
    WHERE phone_index IS NOT NULL;

-- Ordered by time and never looked up at random: each piece names the one before
-- it, and the customer names the last. An index by customer would cost every
-- update a random page.
CREATE TABLE evidence (
    company_id TEXT NOT NULL,
    email_index BYTEA NOT NULL,
    id UUID NOT NULL PRIMARY KEY,
    previous UUID,
    proof TEXT NOT NULL,
    status BOOLEAN NOT NULL,
    applied BOOLEAN NOT NULL,
    assurance TEXT NOT NULL,
    source TEXT NOT NULL,
    occurred_at BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    request_id TEXT NOT NULL,
    data_key UUID NOT NULL,
    metadata BYTEA NOT NULL
);

CREATE TABLE idempotency_keys (
    company_id TEXT NOT NULL,
    key_index BYTEA NOT NULL,
    fingerprint BYTEA NOT NULL,
    status BIGINT,
    data_key UUID,
    answer BYTEA,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (company_id, key_index)
);
CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at);

CREATE TABLE audit_batches (
    log BIGINT NOT NULL,
    batch BIGINT NOT NULL,
    size BIGINT NOT NULL,
    committed_at BIGINT NOT NULL,
    previous BYTEA NOT NULL,
    root BYTEA NOT NULL,
    head BYTEA NOT NULL,
    leaves BYTEA NOT NULL,
    PRIMARY KEY (log, batch)
);
-- Digests do not compress; trying would only cost time.
ALTER TABLE audit_batches ALTER COLUMN leaves SET STORAGE EXTERNAL;

CREATE TABLE audit_records (
    log BIGINT NOT NULL,
    batch BIGINT NOT NULL,
    position BIGINT NOT NULL,
    at BIGINT NOT NULL,
    request_id TEXT NOT NULL,
    company_id TEXT NOT NULL,
    credential TEXT NOT NULL,
    action TEXT NOT NULL,
    subject BYTEA,
    outcome TEXT NOT NULL,
    status BIGINT NOT NULL,
    latency BIGINT NOT NULL,
    occurrences BIGINT NOT NULL,
    data_key UUID,
    client BYTEA,
    detail TEXT,
    PRIMARY KEY (log, batch, position)
);

CREATE TABLE signing_keys (
    id UUID NOT NULL PRIMARY KEY,
    public_key BYTEA NOT NULL,
    master_key TEXT NOT NULL,
    wrapped BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE audit_checkpoints (
    number BIGINT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    previous BYTEA NOT NULL,
    heads BYTEA NOT NULL,
    signing_key UUID NOT NULL,
    signature BYTEA NOT NULL
);
