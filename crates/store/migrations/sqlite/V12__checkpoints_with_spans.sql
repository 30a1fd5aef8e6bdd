-- Checkpoints of the second version state spans, and may name the next signing key; the version says
-- which text was signed. A signing key signs from a checkpoint on.
ALTER TABLE audit_checkpoints ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE audit_checkpoints ADD COLUMN next_key BLOB;
CREATE INDEX audit_checkpoints_changing_key ON audit_checkpoints (number) WHERE next_key IS NOT NULL;
ALTER TABLE signing_keys ADD COLUMN first_checkpoint INTEGER NOT NULL DEFAULT 1;
