-- The end of a session stands in no index: writing it down touches its row, and nothing else.
--
-- A request has one pending session at most, and it is the last of its request. Each is counted, from
-- zero; a new one counts one more than the last if that has ended, and else as much as the last, which
-- the index refuses. The program before, put back, does not count.
ALTER TABLE verification_sessions ADD COLUMN occasion INTEGER;
UPDATE verification_sessions SET occasion = counted.before
    FROM (SELECT verification_id, row_number() OVER (PARTITION BY company_id, request_index
        ORDER BY status = 'pending', verification_id) - 1 AS before FROM verification_sessions) counted
    WHERE counted.verification_id = verification_sessions.verification_id;
CREATE UNIQUE INDEX verification_sessions_of_request
    ON verification_sessions (company_id, request_index, occasion);
DROP INDEX verification_sessions_pending;

-- When the time of sessions is over. Whoever sweeps takes them away here, in order, once a session has
-- ended, however it did.
CREATE TABLE verification_deadlines (
    expires_at INTEGER NOT NULL,
    verification_id TEXT NOT NULL,
    PRIMARY KEY (expires_at, verification_id)
) STRICT, WITHOUT ROWID;
INSERT INTO verification_deadlines (expires_at, verification_id)
    SELECT expires_at, verification_id FROM verification_sessions WHERE status = 'pending';
DROP INDEX verification_sessions_due;
