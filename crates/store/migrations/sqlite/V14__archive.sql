-- The archive outside of the database: who copies to it now, and what keeps it from being copied. Of
-- the decisions from before it was begun, those up to `ages_to` are there.
CREATE TABLE archive_tasks (
    task TEXT NOT NULL PRIMARY KEY,
    began_at INTEGER NOT NULL,
    holder BLOB,
    leased_until INTEGER NOT NULL,
    trouble TEXT,
    trouble_since INTEGER,
    ages_to TEXT
) STRICT, WITHOUT ROWID;

-- How far each audit log was copied. What was there when the archive was begun, batches up to
-- `begins_after`, is copied separately, up to `filled_to`; what came since, up to `streamed_to`.
CREATE TABLE archive_positions (
    log INTEGER NOT NULL PRIMARY KEY,
    begins_after INTEGER NOT NULL,
    streamed_to INTEGER NOT NULL,
    filled_to INTEGER NOT NULL,
    missed INTEGER NOT NULL
) STRICT;

-- Rows that the archive did not take; a person has to look at them.
CREATE TABLE archive_parked (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    reason TEXT NOT NULL,
    parked_at INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;
