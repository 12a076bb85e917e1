-- How many of a company's people must agree, signed by its founders; the one that was not ended is in force.
ALTER TABLE work_queue.approvals DROP CONSTRAINT approvals_kind_check;
ALTER TABLE work_queue.approvals ADD CONSTRAINT approvals_kind_check CHECK (kind IN
  ('start', 'tool_call', 'hire', 'amend', 'budget_raise', 'party', 'unknown_outcome', 'rule', 'mandate', 'tool_server',
   'quorum'));

CREATE TABLE work_queue.quorums (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  terms text NOT NULL,                               -- canonical JSON of canon.quorum.Quorum
  digest text NOT NULL,
  approval_id uuid NOT NULL UNIQUE REFERENCES work_queue.approvals (id),
  signature text NOT NULL,                           -- approval+jwt with the founder's own proof
  set_by text NOT NULL,
  set_at timestamptz NOT NULL,
  ended_at timestamptz                               -- because another one took its place
);
CREATE UNIQUE INDEX ON work_queue.quorums (tenant_id) WHERE ended_at IS NULL;

GRANT SELECT, INSERT ON work_queue.quorums TO flr_app;
GRANT UPDATE (ended_at) ON work_queue.quorums TO flr_app;
GRANT SELECT ON work_queue.quorums TO flr_auditor;
ALTER TABLE work_queue.quorums ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON work_queue.quorums TO flr_app
  USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
  WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY auditor ON work_queue.quorums FOR SELECT TO flr_auditor USING (true);
