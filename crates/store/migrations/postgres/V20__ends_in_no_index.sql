-- The end of a session stands in no index: where its page has room the row's new version lies beside the
-- old one, and no index learns of it. Three tenths of each page are kept free for that.
--
-- A request has one pending session at most, and it is the last of its request. Each is counted, from
-- zero; a new one counts one more than the last if that has ended, and else as much as the last, which
-- the index refuses.
ALTER TABLE verification_sessions ADD COLUMN occasion BIGINT DEFAULT 0;
ALTER TABLE verification_sessions ALTER COLUMN occasion DROP DEFAULT;
UPDATE verification_sessions s SET occasion = counted.before
    FROM (SELECT verification_id, row_number() OVER (PARTITION BY company_id, request_index
        ORDER BY status = 'pending', verification_id) - 1 AS before FROM verification_sessions) counted
    WHERE counted.verification_id = s.verification_id AND counted.before > 0;
CREATE UNIQUE INDEX verification_sessions_of_request
    ON verification_sessions (company_id, request_index, occasion);
DROP INDEX verification_sessions_pending;
ALTER TABLE verification_sessions SET (fillfactor = 70);

-- When the time of sessions is over. Whoever sweeps takes them away here, in order, once a session has
-- ended, however it did.
CREATE TABLE verification_deadlines (
    expires_at BIGINT NOT NULL,
    verification_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (expires_at, verification_id)
);
INSERT INTO verification_deadlines (expires_at, verification_id)
    SELECT expires_at, verification_id FROM verification_sessions WHERE status = 'pending';
DROP INDEX verification_sessions_due;

-- The program before, beside this one during an update, neither counts nor notes deadlines. This does it
-- for what it inserts, and costs the others nothing.
CREATE FUNCTION count_verification_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT occasion + CASE status WHEN 'pending' THEN 0 ELSE 1 END INTO NEW.occasion
        FROM verification_sessions
        WHERE company_id = NEW.company_id AND request_index = NEW.request_index
        ORDER BY occasion DESC LIMIT 1 FOR KEY SHARE;
    NEW.occasion := COALESCE(NEW.occasion, 0);
    INSERT INTO verification_deadlines (expires_at, verification_id)
        VALUES (NEW.expires_at, NEW.verification_id) ON CONFLICT DO NOTHING;
    RETURN NEW;
END;
$$;
CREATE TRIGGER verification_sessions_are_counted BEFORE INSERT ON verification_sessions
    FOR EACH ROW WHEN (NEW.occasion IS NULL) EXECUTE FUNCTION count_verification_session();
