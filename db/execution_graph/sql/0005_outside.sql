-- Agents outside: who may propose now for a run, and what was proposed. The gate and the journal do the rest.
CREATE TABLE execution_graph.outside_sessions (
  run_id uuid PRIMARY KEY REFERENCES execution_graph.runs (id),
  tenant_id uuid NOT NULL,
  session uuid NOT NULL,                             -- a later taking has another, and fences the earlier off
  holder text NOT NULL,
  lease_until timestamptz NOT NULL,
  taken_at timestamptz NOT NULL
);

CREATE TABLE execution_graph.outside_proposals (
  run_id uuid NOT NULL REFERENCES execution_graph.runs (id),
  number int NOT NULL,
  tenant_id uuid NOT NULL,
  session uuid NOT NULL,
  proposed_by text NOT NULL,
  proposal text NOT NULL,                            -- JSON of canon.agent.Proposed or Finished
  proposed_at timestamptz NOT NULL,
  PRIMARY KEY (run_id, number)
);

GRANT SELECT, INSERT ON execution_graph.outside_sessions, execution_graph.outside_proposals TO flr_app;
GRANT UPDATE (session, holder, lease_until, taken_at) ON execution_graph.outside_sessions TO flr_app;
GRANT SELECT ON execution_graph.outside_sessions, execution_graph.outside_proposals TO flr_auditor;

DO $tenants$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['outside_sessions', 'outside_proposals'] LOOP
    EXECUTE format('ALTER TABLE execution_graph.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON execution_graph.%I TO flr_app
      USING (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)
      WITH CHECK (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', t);
    EXECUTE format('CREATE POLICY auditor ON execution_graph.%I FOR SELECT TO flr_auditor USING (true)', t);
  END LOOP;
END
$tenants$;
