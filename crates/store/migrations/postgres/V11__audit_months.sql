-- Records are kept by the month in which their batch was committed (202611 for November
-- 2026), so that a month can be taken out as a whole when its time is over. Its batches
-- stay, without their leaves: the chain goes through them.
ALTER TABLE audit_records RENAME TO audit_records_before;
CREATE TABLE audit_records (
    log BIGINT NOT NULL,
    batch BIGINT NOT NULL,
    position BIGINT NOT NULL,
    month BIGINT NOT NULL,
    at BIGINT NOT NULL,
    request_id TEXT NOT NULL,
    company_id TEXT NOT NULL,
    credential TEXT NOT NULL,
    action TEXT NOT NULL,
    subject BYTEA,
    outcome TEXT NOT NULL,
    status BIGINT NOT NULL,
    latency BIGINT NOT NULL,
    occurrences BIGINT NOT NULL,
    data_key UUID,
    client BYTEA,
    detail TEXT,
    PRIMARY KEY (log, batch, position, month)
) PARTITION BY LIST (month);
-- Whatever month nobody has made a table for.
CREATE TABLE audit_records_other PARTITION OF audit_records DEFAULT;
DO $$
DECLARE month BIGINT;
BEGIN
    FOR month IN
        SELECT DISTINCT to_char(to_timestamp(committed_at / 1000000) AT TIME ZONE 'UTC', 'YYYYMM')::bigint
        FROM audit_batches
    LOOP
        EXECUTE format('CREATE TABLE audit_records_%s PARTITION OF audit_records FOR VALUES IN (%s)', month, month);
    END LOOP;
END $$;
INSERT INTO audit_records
SELECT r.log, r.batch, r.position,
    to_char(to_timestamp(COALESCE(b.committed_at, r.at) / 1000000) AT TIME ZONE 'UTC', 'YYYYMM')::bigint,
    r.at, r.request_id, r.company_id, r.credential, r.action, r.subject, r.outcome, r.status,
    r.latency, r.occurrences, r.data_key, r.client, r.detail
FROM audit_records_before r LEFT JOIN audit_batches b ON b.log = r.log AND b.batch = r.batch;
DROP TABLE audit_records_before;

-- Months whose records are gone, and how much that was.
CREATE TABLE audit_retired (
    month BIGINT NOT NULL PRIMARY KEY,
    batches BIGINT NOT NULL,
    records BIGINT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX audit_batches_by_time ON audit_batches (committed_at);

-- What the log is searched by; a worker makes it behind the writers. A block is a run of
-- successive batches of a log: of each kind of record in it is known where the kind begins
-- and ends. Of a subject is known where each of its records stands.
CREATE TABLE audit_indexed (
    log BIGINT NOT NULL PRIMARY KEY,
    kinds_to BIGINT NOT NULL,
    subjects_to BIGINT NOT NULL
);
CREATE TABLE audit_kinds (
    committed_from BIGINT NOT NULL,
    committed_to BIGINT NOT NULL,
    log BIGINT NOT NULL,
    first_batch BIGINT NOT NULL,
    company_id TEXT NOT NULL,
    action TEXT NOT NULL,
    outcome TEXT NOT NULL,
    from_batch BIGINT NOT NULL,
    to_batch BIGINT NOT NULL,
    at_from BIGINT NOT NULL,
    at_to BIGINT NOT NULL,
    PRIMARY KEY (committed_to, log, first_batch, company_id, action, outcome)
);
CREATE TABLE audit_subjects (
    month BIGINT NOT NULL,
    subject BYTEA NOT NULL,
    log BIGINT NOT NULL,
    batch BIGINT NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (month, subject, log, batch, position)
) PARTITION BY LIST (month);
CREATE TABLE audit_subjects_other PARTITION OF audit_subjects DEFAULT;

-- Makes the tables of a month, unless it has them, or its records are with the others by now.
CREATE FUNCTION audit_make_month(month BIGINT) RETURNS VOID LANGUAGE plpgsql AS $$
DECLARE name TEXT;
BEGIN
    FOREACH name IN ARRAY ARRAY['audit_records', 'audit_subjects'] LOOP
        IF to_regclass(format('%s_%s', name, month)) IS NULL THEN
            BEGIN
                EXECUTE format('CREATE TABLE %s_%s PARTITION OF %s FOR VALUES IN (%s)', name, month, name, month);
            EXCEPTION
                WHEN check_violation OR duplicate_table OR unique_violation THEN NULL;
            END;
        END IF;
    END LOOP;
END $$;

-- Drops the tables of a month.
CREATE FUNCTION audit_drop_month(month BIGINT) RETURNS VOID LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('DROP TABLE IF EXISTS audit_records_%s, audit_subjects_%s', month, month);
END $$;
