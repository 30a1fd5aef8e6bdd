-- A session is opened all day, and looked for by its number, or listed, once in a while. One index does
-- for both: a company's sessions in four groups by number, and in each by time. A list is merged from
-- the four; whoever looks for a number reads through one of them.
CREATE INDEX verification_sessions_in_groups
    ON verification_sessions (company_id, (unicode(hex(number_index)) & 3), verification_id, number_index);
DROP INDEX verification_sessions_of_number;
DROP INDEX verification_sessions_of_company;

-- Most keys have no label, and nobody looks for them by it: only those that have one are in an index.
CREATE TABLE data_keys_by_name (
    id BLOB NOT NULL PRIMARY KEY,
    company_id TEXT NOT NULL,
    purpose TEXT NOT NULL,
    label TEXT,
    master_key TEXT NOT NULL,
    wrapped BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO data_keys_by_name (id, company_id, purpose, label, master_key, wrapped, created_at)
    SELECT id, company_id, purpose, label, master_key, wrapped, created_at FROM data_keys;
DROP TABLE data_keys;
ALTER TABLE data_keys_by_name RENAME TO data_keys;
CREATE UNIQUE INDEX data_keys_with_label ON data_keys (company_id, purpose, label)
    WHERE label IS NOT NULL;
