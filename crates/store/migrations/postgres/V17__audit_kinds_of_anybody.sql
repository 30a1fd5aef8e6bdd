-- Whoever asks for one action of all companies finds where it happened without walking past all others.
CREATE INDEX audit_kinds_of_anybody ON audit_kinds (action, committed_to, log, first_batch);
