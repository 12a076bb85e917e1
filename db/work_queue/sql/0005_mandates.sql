-- Deputies' mandates: what somebody may approve in the founder's place, signed by a founder, until it ends.
ALTER TABLE work_queue.approvals DROP CONSTRAINT approvals_kind_check;
ALTER TABLE work_queue.approvals ADD CONSTRAINT approvals_kind_check CHECK (kind IN
  ('start', 'tool_call', 'hire', 'amend', 'budget_raise', 'party', 'unknown_outcome', 'rule', 'mandate'));

CREATE TABLE work_queue.mandates (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  person uuid NOT NULL,                              -- whose it is
  terms text NOT NULL,                               -- canonical JSON of canon.mandate.Mandate
  digest text NOT NULL,
  ends_at timestamptz,                               -- none for a second founder
  approval_id uuid NOT NULL UNIQUE REFERENCES work_queue.approvals (id),
  signature text NOT NULL,                           -- approval+jwt with the founder's own proof
  granted_by text NOT NULL,
  granted_at timestamptz NOT NULL,
  ended_at timestamptz,                              -- early, or because another one took its place
  ended_by text
);
CREATE UNIQUE INDEX ON work_queue.mandates (tenant_id, person) WHERE ended_at IS NULL;
CREATE INDEX ON work_queue.approval_decisions (tenant_id, decided_by, decided_at);

GRANT SELECT, INSERT ON work_queue.mandates TO flr_app;
GRANT UPDATE (ended_at, ended_by) ON work_queue.mandates TO flr_app;
GRANT SELECT ON work_queue.mandates TO flr_auditor;
ALTER TABLE work_queue.mandates ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON work_queue.mandates TO flr_app
  USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
  WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY auditor ON work_queue.mandates FOR SELECT TO flr_auditor USING (true);
