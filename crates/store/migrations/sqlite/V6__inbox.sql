-- Everything that others tell us by a hook, stored once before they are answered. The
-- event is sealed under a data key of its own, which is destroyed with it; an event
-- that nobody wants is stored without what it said. Those of one stream are processed
-- one at a time; a lease is an owner and a later due time.
CREATE TABLE inbox (
    id BLOB NOT NULL PRIMARY KEY,
    company_id TEXT NOT NULL,
    source TEXT NOT NULL,
    key_index BLOB NOT NULL,
    topic TEXT NOT NULL,
    stream BLOB,
    subject_index BLOB,
    data_key BLOB,
    event BLOB,
    status TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    step INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    lease BLOB,
    outcome TEXT,
    received_at INTEGER NOT NULL,
    finished_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX inbox_by_key ON inbox (company_id, source, key_index);
CREATE INDEX inbox_waiting ON inbox (source, due_at, id) WHERE status = 'waiting';
CREATE INDEX inbox_in_order ON inbox (stream, id) WHERE status = 'waiting';
CREATE INDEX inbox_parked ON inbox (company_id, id) WHERE status = 'parked';
CREATE INDEX inbox_by_subject ON inbox (company_id, subject_index) WHERE subject_index IS NOT NULL;
CREATE INDEX inbox_finished ON inbox (finished_at) WHERE finished_at IS NOT NULL;

-- How far what a source has was looked through: everything that changed before `since`
-- is known. While a pass is under way it says when that began and where it stands.
CREATE TABLE sync_positions (
    company_id TEXT NOT NULL,
    source TEXT NOT NULL,
    since INTEGER NOT NULL,
    pass_began_at INTEGER,
    pass_cursor TEXT,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (company_id, source)
) STRICT, WITHOUT ROWID;
