-- Customers of Square, by the keyed hash of Square's id for them. The id and the
-- address are sealed under a key of the row's own. A row is tied to a customer by its
-- address (`subject_index`) and by nothing else.
-- `holder_index` is whom it is merged into now, `merged_into` whom it ever was last.
CREATE TABLE square_customers (
    company_id TEXT NOT NULL,
    square_index BYTEA NOT NULL,
    data_key UUID,
    contact BYTEA,
    subject_index BYTEA,
    version BIGINT,
    changed_at BIGINT,
    is_there BOOLEAN NOT NULL,
    ended_at BIGINT,
    recovered_at BIGINT,
    merged_at BIGINT,
    merged_into BYTEA,
    holder_index BYTEA,
    shown TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (company_id, square_index)
);
CREATE INDEX square_customers_by_subject ON square_customers (company_id, subject_index) WHERE subject_index IS NOT NULL;
CREATE INDEX square_customers_by_merge ON square_customers (company_id, merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX square_customers_by_end ON square_customers (ended_at) WHERE ended_at IS NOT NULL;

-- Customers whose proofs are to be carried along their merges; `asked` counts, so that
-- what is asked for while one is looked at is not lost.
CREATE TABLE square_carries (
    company_id TEXT NOT NULL,
    email_index BYTEA NOT NULL,
    asked BIGINT NOT NULL,
    asked_at BIGINT NOT NULL,
    PRIMARY KEY (company_id, email_index)
);
