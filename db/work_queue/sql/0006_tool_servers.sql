-- A question about a tool server.
ALTER TABLE work_queue.approvals DROP CONSTRAINT approvals_kind_check;
ALTER TABLE work_queue.approvals ADD CONSTRAINT approvals_kind_check CHECK (kind IN
  ('start', 'tool_call', 'hire', 'amend', 'budget_raise', 'party', 'unknown_outcome', 'rule', 'mandate', 'tool_server'));
