-- Whatever ends a session had to take it out of an index of the pending ones, at a random place: a
-- page of its own in every commit, for each. Here whoever opens a session looks whether one of its
-- request is pending, and no other transaction runs meanwhile; so the index need not be unique, nor
-- forget anything.
DROP INDEX verification_sessions_pending;
CREATE INDEX verification_sessions_of_request ON verification_sessions (company_id, request_index);
