-- Customers of Square, by the keyed hash of Square's id for them. The id and the
-- address are sealed under a key of the row's own. A row is tied to a customer by its
-- address (`subject_index`) and by nothing else.
-- `holder_index` is whom it is merged into now, `merged_into` whom it ever was last.
CREATE TABLE square_customers (
    company_id TEXT NOT NULL,
    square_index BLOB NOT NULL,
    data_key BLOB,
    contact BLOB,
    subject_index BLOB,
    version INTEGER,
    changed_at INTEGER,
    is_there INTEGER NOT NULL,
    ended_at INTEGER,
    recovered_at INTEGER,
    merged_at INTEGER,
    merged_into BLOB,
    holder_index BLOB,
    shown TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (company_id, square_index)
) STRICT, WITHOUT ROWID;
CREATE INDEX square_customers_by_subject ON square_customers (company_id, subject_index) WHERE subject_index IS NOT NULL;
CREATE INDEX square_customers_by_merge ON square_customers (company_id, merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX square_customers_by_end ON square_customers (ended_at) WHERE ended_at IS NOT NULL;

-- Customers whose proofs are to be carried along their merges; `asked` counts, so that
-- what is asked for while one is looked at is not lost.
CREATE TABLE square_carries (
    company_id TEXT NOT NULL,
    email_index BLOB NOT NULL,
    asked INTEGER NOT NULL,
    asked_at INTEGER NOT NULL,
    PRIMARY KEY (company_id, email_index)
) STRICT, WITHOUT ROWID;
