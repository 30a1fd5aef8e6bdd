-- Age verification. One row for each customer of a company, by the shop's own
-- name for them: the attempts rule and the verification that holds.
CREATE TABLE age_customers (
    company_id TEXT NOT NULL,
    customer_index BYTEA NOT NULL,
    data_key UUID NOT NULL,
    last_decision TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    attempts_since BIGINT,
    verification_id TEXT,
    verified_at BIGINT,
    expires_at BIGINT,
    age BIGINT,
    state TEXT,
    email_index BYTEA,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (company_id, customer_index)
);
CREATE INDEX age_customers_by_email ON age_customers (company_id, email_index)
    WHERE email_index IS NOT NULL;

-- Every decision, passed or refused, as evidence. The id begins with the time, so
-- rows are written one behind the other; a customer's decisions are a chain: the
-- customer names the last, each the one before it.
CREATE TABLE age_decisions (
    verification_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    company_id TEXT NOT NULL,
    customer_index BYTEA NOT NULL,
    previous TEXT,
    decided_at BIGINT NOT NULL,
    passed BOOLEAN NOT NULL,
    method TEXT NOT NULL,
    reason TEXT NOT NULL,
    state TEXT NOT NULL,
    age BIGINT,
    assurance TEXT NOT NULL,
    source TEXT NOT NULL,
    request_id TEXT NOT NULL,
    data_key UUID NOT NULL,
    claim BYTEA NOT NULL
);

-- Counted in the transactions of the decisions. Each audit log, and so each
-- writer, has rows of its own: nobody waits for another's. Days are counted from
-- 1970-01-01 (UTC).
CREATE TABLE age_daily_totals (
    company_id TEXT NOT NULL,
    day BIGINT NOT NULL,
    log BIGINT NOT NULL,
    passed BIGINT NOT NULL,
    refused BIGINT NOT NULL,
    PRIMARY KEY (company_id, day, log)
);
CREATE TABLE age_daily_reasons (
    company_id TEXT NOT NULL,
    day BIGINT NOT NULL,
    log BIGINT NOT NULL,
    method TEXT NOT NULL,
    reason TEXT NOT NULL,
    state TEXT NOT NULL,
    decided BIGINT NOT NULL,
    PRIMARY KEY (company_id, day, log, method, reason, state)
);

-- The age verification that is linked to a customer, as far as it holds.
ALTER TABLE customer_verification ADD COLUMN age_verification_id TEXT;
ALTER TABLE customer_verification ADD COLUMN age_verified_until BIGINT;
