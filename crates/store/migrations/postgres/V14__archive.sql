-- The archive outside of the database: who copies to it now, and what keeps it from being copied. Of
-- the decisions from before it was begun, those up to `ages_to` are there.
CREATE TABLE archive_tasks (
    task TEXT NOT NULL PRIMARY KEY,
    began_at BIGINT NOT NULL,
    holder UUID,
    leased_until BIGINT NOT NULL,
    trouble TEXT,
    trouble_since BIGINT,
    ages_to TEXT COLLATE "C"
);

-- How far each audit log was copied. What was there when the archive was begun, batches up to
-- `begins_after`, is copied separately, up to `filled_to`; what came since, up to `streamed_to`.
CREATE TABLE archive_positions (
    log BIGINT NOT NULL PRIMARY KEY,
    begins_after BIGINT NOT NULL,
    streamed_to BIGINT NOT NULL,
    filled_to BIGINT NOT NULL,
    missed BIGINT NOT NULL
);

-- Rows that the archive did not take; a person has to look at them.
CREATE TABLE archive_parked (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    reason TEXT NOT NULL,
    parked_at BIGINT NOT NULL,
    PRIMARY KEY (kind, name)
);
