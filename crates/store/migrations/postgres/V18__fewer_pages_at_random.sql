-- Sessions are looked up by number when somebody is erased or asks what is kept, and inserted all
-- day. So numbers are in sixteen groups: the index has sixteen ends to write at, instead of as many
-- places as there are numbers, and whoever looks reads through a group.
CREATE INDEX verification_sessions_of_number
    ON verification_sessions (company_id, substr(encode(number_index, 'hex'), 1, 1), verification_id, number_index);
DROP INDEX verification_sessions_by_number;
