-- Sessions are looked up by number when somebody is erased or asks what is kept, and inserted all
-- day. So numbers are in sixteen groups: the index has sixteen ends to write at, instead of as many
-- places as there are numbers, and whoever looks reads through a group.
CREATE INDEX verification_sessions_of_number
    ON verification_sessions (company_id, substr(hex(number_index), 1, 1), verification_id, number_index);
DROP INDEX verification_sessions_by_number;

-- Customers come at random, and a table without row ids keeps whole rows in all pages of its tree:
-- a page held two dozen, and every dozenth newcomer divided one. With row ids the rows lie one
-- behind the other, and only the primary key, a hundred to a page, is written at random.
CREATE TABLE age_customers_in_rows (
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
) STRICT;
INSERT INTO age_customers_in_rows (company_id, customer_index, data_key, last_decision, attempts,
    attempts_since, verification_id, verified_at, expires_at, age, state, email_index, created_at,
    updated_at)
    SELECT company_id, customer_index, data_key, last_decision, attempts, attempts_since,
        verification_id, verified_at, expires_at, age, state, email_index, created_at, updated_at
    FROM age_customers;
DROP TABLE age_customers;
ALTER TABLE age_customers_in_rows RENAME TO age_customers;
CREATE INDEX age_customers_by_email ON age_customers (company_id, email_index)
    WHERE email_index IS NOT NULL;
