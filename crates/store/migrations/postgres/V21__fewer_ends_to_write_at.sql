-- What is made comes first, which keeps writers away and no reader; what is dropped last, at once.
--
-- A session is opened all day, and looked for by its number, or listed, once in a while. One index does
-- for both: a company's sessions in four groups by number, and in each by time. A list is merged from
-- the four; whoever looks for a number reads through one of them.
CREATE INDEX verification_sessions_in_groups ON verification_sessions
    (company_id, (ascii(encode(number_index, 'hex')) & 3), verification_id, number_index);

-- Most keys have no label, and nobody looks for them by it: only those that have one are in an index.
CREATE UNIQUE INDEX data_keys_with_label ON data_keys (company_id, purpose, label)
    WHERE label IS NOT NULL;

DROP INDEX verification_sessions_of_number;
DROP INDEX verification_sessions_of_company;
ALTER TABLE data_keys DROP CONSTRAINT data_keys_company_id_purpose_label_key;
