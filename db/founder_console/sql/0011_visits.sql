-- When each founder was last here: what "since your last visit" counts from.
CREATE TABLE founder_console.visits (
  founder_id uuid PRIMARY KEY REFERENCES founder_console.founders (id),
  tenant_id uuid NOT NULL,
  since_at timestamptz NOT NULL,                       -- the end of the visit before this one
  seen_at timestamptz NOT NULL                         -- the newest sign of this one
);
GRANT SELECT, INSERT ON founder_console.visits TO flr_app;
GRANT UPDATE (since_at, seen_at) ON founder_console.visits TO flr_app;
GRANT SELECT ON founder_console.visits TO flr_auditor;
ALTER TABLE founder_console.visits ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON founder_console.visits TO flr_app
  USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
  WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY auditor ON founder_console.visits FOR SELECT TO flr_auditor USING (true);
