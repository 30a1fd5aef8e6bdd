-- Orders that wait for proofs, and what happened to them. An order's own number is
-- the shop's and stands in clear; whose it is, is told by the customer's row alone.
-- `next_at` is when a held order is reminded of or expires: only these stand in the
-- index that the sweep walks.
CREATE TABLE orders (
    id BLOB NOT NULL PRIMARY KEY,
    company_id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    source TEXT NOT NULL,
    email_index BLOB NOT NULL,
    data_key BLOB NOT NULL,
    status TEXT NOT NULL,
    missing TEXT NOT NULL,
    placed_at INTEGER NOT NULL,
    deadline INTEGER NOT NULL,
    steps INTEGER NOT NULL,
    events INTEGER NOT NULL,
    next_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX orders_by_name ON orders (company_id, order_id);
CREATE INDEX orders_newest ON orders (company_id, placed_at, id);
CREATE INDEX orders_by_status ON orders (company_id, status, placed_at, id);
CREATE INDEX orders_open ON orders (company_id, email_index, id)
    WHERE status IN ('held', 'expired', 'late');
CREATE INDEX orders_due ON orders (next_at) WHERE next_at IS NOT NULL;

-- Numbered from 1 for each order; staff's reasons are sealed.
CREATE TABLE order_events (
    order_row BLOB NOT NULL,
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    event TEXT NOT NULL,
    detail TEXT,
    reason BLOB,
    PRIMARY KEY (order_row, number)
) STRICT, WITHOUT ROWID;
