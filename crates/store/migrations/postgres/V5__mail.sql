-- Mail. Addresses stand here only as keyed hashes, and not for longer than they are left
-- alone; an order by our own name of it.
CREATE TABLE mail_suppressions (
    company_id TEXT NOT NULL,
    address_index BYTEA NOT NULL,
    ends_at BIGINT NOT NULL,
    PRIMARY KEY (company_id, address_index)
);
CREATE INDEX mail_suppressions_due ON mail_suppressions (ends_at);

CREATE TABLE mail_stops (
    company_id TEXT NOT NULL,
    order_id UUID NOT NULL,
    stopped_at BIGINT NOT NULL,
    PRIMARY KEY (company_id, order_id)
);
