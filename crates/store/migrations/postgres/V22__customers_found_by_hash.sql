-- A customer is written once in a while and looked up all day. Through the primary key each look-up
-- goes down a tree and compares company and e-mail at a score of places; a hash leads to the entry
-- itself. Made here, it keeps writers from the customers meanwhile, and no reader.
CREATE INDEX customer_verification_by_hash ON customer_verification USING hash (email_index);
