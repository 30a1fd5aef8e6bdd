-- Whom the database has forgotten: nothing but the names of the data keys that were destroyed, by
-- which a backup that still has them forgets again.
CREATE TABLE erasures (
    id BLOB NOT NULL PRIMARY KEY,
    company_id TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE erased_keys (
    data_key BLOB NOT NULL PRIMARY KEY,
    erasure BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX erased_keys_of_erasure ON erased_keys (erasure);

-- A customer under legal hold is not erased; why, is sealed.
ALTER TABLE customer_verification ADD COLUMN legal_hold_at INTEGER;
ALTER TABLE customer_verification ADD COLUMN legal_hold_reason BLOB;

-- Whom a stored answer is about, so that it goes with them.
ALTER TABLE idempotency_keys ADD COLUMN subject_index BLOB;
CREATE INDEX idempotency_keys_by_subject ON idempotency_keys (company_id, subject_index)
    WHERE subject_index IS NOT NULL;

-- All of a customer's orders, not only the open ones.
CREATE INDEX orders_of_customer ON orders (company_id, email_index);
