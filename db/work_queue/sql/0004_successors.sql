-- An edited question and the one that stands in its place; who asked may not answer; questions about rules.
ALTER TABLE work_queue.approvals
  ADD COLUMN replaces uuid,                          -- the question that this one stands in for
  ADD COLUMN superseded_by uuid,
  ADD COLUMN apart boolean NOT NULL DEFAULT false;   -- who asks is one of the quorum already, and has no vote
ALTER TABLE work_queue.approvals DROP CONSTRAINT approvals_kind_check;
ALTER TABLE work_queue.approvals ADD CONSTRAINT approvals_kind_check CHECK (kind IN
  ('start', 'tool_call', 'hire', 'amend', 'budget_raise', 'party', 'unknown_outcome', 'rule'));
GRANT UPDATE (superseded_by) ON work_queue.approvals TO flr_app;
CREATE INDEX ON work_queue.approvals (tenant_id, role_id, tool, id) WHERE kind = 'tool_call';
