-- Sessions of Veriff. A row is written before Veriff is asked for a session, so that
-- nobody asks twice; its id is the only name of the customer that Veriff is told. The
-- session's address is sealed under the customer's data key. Of a customer one session
-- at most is not over.
CREATE TABLE veriff_sessions (
    id BLOB NOT NULL PRIMARY KEY,
    company_id TEXT NOT NULL,
    email_index BLOB NOT NULL,
    data_key BLOB NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    ask_until INTEGER NOT NULL,
    veriff_id TEXT,
    url BLOB,
    status TEXT,
    code INTEGER,
    decided_at INTEGER,
    verdict TEXT,
    poll_at INTEGER,
    polled_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX veriff_sessions_unfinished ON veriff_sessions (company_id, email_index) WHERE state <> 'over';
CREATE INDEX veriff_sessions_by_customer ON veriff_sessions (company_id, email_index, id);
CREATE INDEX veriff_sessions_by_name ON veriff_sessions (veriff_id) WHERE veriff_id IS NOT NULL;
CREATE INDEX veriff_sessions_to_poll ON veriff_sessions (poll_at, id) WHERE poll_at IS NOT NULL;
