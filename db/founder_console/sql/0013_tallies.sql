-- The console's figures, kept as events are sealed: what each day of the company and each quarter of an hour held of
-- each kind, and how far the chain has been counted. A reading of the ledger and nothing more: it can be deleted at any
-- time and is counted anew.
CREATE TABLE founder_console.tally_marks (
  tenant_id uuid PRIMARY KEY,
  seq bigint NOT NULL,
  rules text NOT NULL                                  -- how it was counted, and in which zone; otherwise it is anew
);

CREATE TABLE founder_console.tallies (
  tenant_id uuid NOT NULL,
  span text COLLATE "C" NOT NULL CHECK (span IN ('day', 'quarter')),
  type text COLLATE "C" NOT NULL,
  slot timestamptz NOT NULL,                           -- the first instant of the span
  role text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  verdict text COLLATE "C" NOT NULL,
  unit text COLLATE "C" NOT NULL,
  n bigint NOT NULL,
  amount numeric(40, 0) NOT NULL,
  newest uuid[] NOT NULL,
  newest_at timestamptz[] NOT NULL,
  PRIMARY KEY (tenant_id, span, type, slot, role, name, verdict, unit)
);
CREATE INDEX tallies_of_role ON founder_console.tallies (tenant_id, role, slot DESC) WHERE span = 'day' AND role <> '';

GRANT SELECT, INSERT, DELETE ON founder_console.tally_marks, founder_console.tallies TO flr_app;
GRANT UPDATE (seq, rules) ON founder_console.tally_marks TO flr_app;
GRANT UPDATE (n, amount, newest, newest_at) ON founder_console.tallies TO flr_app;
GRANT SELECT ON founder_console.tally_marks, founder_console.tallies TO flr_auditor;

DO $tenants$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['tally_marks', 'tallies'] LOOP
    EXECUTE format('ALTER TABLE founder_console.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON founder_console.%I TO flr_app
      USING (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)
      WITH CHECK (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', t);
    EXECUTE format('CREATE POLICY auditor ON founder_console.%I FOR SELECT TO flr_auditor USING (true)', t);
  END LOOP;
END
$tenants$;
