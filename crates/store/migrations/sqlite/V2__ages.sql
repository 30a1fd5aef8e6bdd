-- Age verification. One row for each customer of a company, by the shop's own
-- name for them: the attempts rule and the verification that holds.
CREATE TABLE age_customers (
    company_id TEXT NOT NULL,
    customer_index BLOB NOT NULL,
    data_key BLOB NOT NULL,
    last_decision TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    attempts_since INTEGER,
    verification_id TEXT,
    verified_at INTEGER,
    expires_at INTEGER,
    age INTEGER,
    state TEXT,
    email_index BLOB,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (company_id, customer_index)
) STRICT, WITHOUT ROWID;
CREATE INDEX age_customers_by_email ON age_customers (company_id, email_index)
    WHERE email_index IS NOT NULL;

-- Every decision, passed or refused, as evidence. The id begins with the time, so
-- rows are written one behind the other; a customer's decisions are a chain: the
-- customer names the last, each the one before it.
CREATE TABLE age_decisions (
    verification_id TEXT NOT NULL PRIMARY KEY,
    company_id TEXT NOT NULL,
    customer_index BLOB NOT NULL,
    previous TEXT,
    decided_at INTEGER NOT NULL,
    passed INTEGER NOT NULL,
    method TEXT NOT NULL,
    reason TEXT NOT NULL,
    state TEXT NOT NULL,
    age INTEGER,
    assurance TEXT NOT NULL,
    source TEXT NOT NULL,
    request_id TEXT NOT NULL,
    data_key BLOB NOT NULL,
    claim BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Counted in the transactions of the decisions. Each audit log, and so each
-- writer, has rows of its own: nobody waits for another's. Days are counted from
-- 1970-01-01 (UTC).
CREATE TABLE age_daily_totals (
    company_id TEXT NOT NULL,
    day INTEGER NOT NULL,
    log INTEGER NOT NULL,
    passed INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    PRIMARY KEY (company_id, day, log)
) STRICT, WITHOUT ROWID;
CREATE TABLE age_daily_reasons (
    company_id TEXT NOT NULL,
    day INTEGER NOT NULL,
    log INTEGER NOT NULL,
    method TEXT NOT NULL,
    reason TEXT NOT NULL,
    state TEXT NOT NULL,
    decided INTEGER NOT NULL,
    PRIMARY KEY (company_id, day, log, method, reason, state)
) STRICT, WITHOUT ROWID;

-- The age verification that is linked to a customer, as far as it holds.
ALTER TABLE customer_verification ADD COLUMN age_verification_id TEXT;
ALTER TABLE customer_verification ADD COLUMN age_verified_until INTEGER;
