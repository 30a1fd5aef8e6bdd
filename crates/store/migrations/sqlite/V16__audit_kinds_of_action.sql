-- A company that asks for one action finds where it happened without walking past all others.
CREATE INDEX audit_kinds_of_action ON audit_kinds (company_id, action, committed_to, log, first_batch);
