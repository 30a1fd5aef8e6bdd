-- Sessions of Veriff. A row is written before Veriff is asked for a session, so that
-- nobody asks twice; its id is the only name of the customer that Veriff is told. The
-- session's address is sealed under the customer's data key. Of a customer one session
-- at most is not over.
CREATE TABLE veriff_sessions (
    id UUID NOT NULL PRIMARY KEY,
    company_id TEXT NOT NULL,
    email_index BYTEA NOT NULL,
    data_key UUID NOT NULL,
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    ask_until BIGINT NOT NULL,
    veriff_id TEXT,
    url BYTEA,
    status TEXT,
    code BIGINT,
    decided_at BIGINT,
    verdict TEXT,
    poll_at BIGINT,
    polled_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX veriff_sessions_unfinished ON veriff_sessions (company_id, email_index) WHERE state <> 'over';
CREATE INDEX veriff_sessions_by_customer ON veriff_sessions (company_id, email_index, id);
CREATE INDEX veriff_sessions_by_name ON veriff_sessions (veriff_id) WHERE veriff_id IS NOT NULL;
CREATE INDEX veriff_sessions_to_poll ON veriff_sessions (poll_at, id) WHERE poll_at IS NOT NULL;
