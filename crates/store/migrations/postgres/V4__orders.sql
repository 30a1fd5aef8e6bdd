-- Orders that wait for proofs, and what happened to them. An order's own number is
-- the shop's and stands in clear; whose it is, is told by the customer's row alone.
-- `next_at` is when a held order is reminded of or expires: only these stand in the
-- index that the sweep walks.
CREATE TABLE orders (
    id UUID NOT NULL PRIMARY KEY,
    company_id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    source TEXT NOT NULL,
    email_index BYTEA NOT NULL,
    data_key UUID NOT NULL,
    status TEXT NOT NULL,
    missing TEXT NOT NULL,
    placed_at BIGINT NOT NULL,
    deadline BIGINT NOT NULL,
    steps BIGINT NOT NULL,
    events BIGINT NOT NULL,
    next_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX orders_by_name ON orders (company_id, order_id);
CREATE INDEX orders_newest ON orders (company_id, placed_at, id);
CREATE INDEX orders_by_status ON orders (company_id, status, placed_at, id);
CREATE INDEX orders_open ON orders (company_id, email_index, id)
    WHERE status IN ('held', 'expired', 'late');
CREATE INDEX orders_due ON orders (next_at) WHERE next_at IS NOT NULL;

-- Numbered from 1 for each order; staff's reasons are sealed.
CREATE TABLE order_events (
    order_row UUID NOT NULL,
    number BIGINT NOT NULL,
    at BIGINT NOT NULL,
    event TEXT NOT NULL,
    detail TEXT,
    reason BYTEA,
    PRIMARY KEY (order_row, number)
);
