-- Law 17, table by table. Presence: an event of the same transaction names the row. Digest: also what changed is bound
-- into the event's hash. A table that the application may write and that is not named here stands with its reason in
-- tests/laws/test_law_17_covers_every_table.py.
SELECT governance_ledger.govern_presence(name::regclass, name, 'id') FROM unnest(ARRAY[
  'work_queue.tickets',
  'work_queue.approvals',
  'execution_graph.runs',
  'execution_graph.notes',
  'execution_graph.documents',
  'role_registry.known_parties',
  'governance_ledger.checkpoint_subscribers',
  'governance_ledger.subject_keys'
]) AS name;

SELECT governance_ledger.govern_digest(name::regclass, name, 'id') FROM unnest(ARRAY[
  'role_registry.companies',
  'role_registry.ai_roles',
  'role_registry.ai_role_versions',
  'role_registry.budget_accounts',
  'work_queue.approval_decisions',
  'execution_graph.payments'
]) AS name;
