-- Sessions are looked up by number when somebody is erased or asks what is kept, and inserted all
-- day. So numbers are in sixteen groups: the index has sixteen ends to write at, instead of as many
-- places as there are numbers, and whoever looks reads through a group.
DROP INDEX verification_sessions_by_number;
CREATE INDEX verification_sessions_by_number
    ON verification_sessions (company_id, (get_byte(number_index, 0) / 16), verification_id, number_index);
