-- What payment providers may tell us: their secrets, sealed, and a log of what they delivered.
CREATE TABLE founder_console.payment_sources (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  provider text NOT NULL CHECK (provider IN ('stripe', 'xendit', 'midtrans')),
  mode text NOT NULL CHECK (mode IN ('live', 'test')),
  sealed_secret bytea NOT NULL,                        -- AES-256-GCM under a key file that is not in the database
  created_by text NOT NULL,
  created_at timestamptz NOT NULL,
  removed_at timestamptz
);
CREATE INDEX payment_sources_of ON founder_console.payment_sources (tenant_id, created_at);

CREATE TABLE founder_console.payment_deliveries (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  source_id uuid NOT NULL REFERENCES founder_console.payment_sources (id),
  received_at timestamptz NOT NULL,
  kind text NOT NULL CHECK (length(kind) <= 200),
  outcome text NOT NULL CHECK (outcome IN ('recorded', 'repeated', 'ignored', 'test', 'refused')),
  why text NOT NULL DEFAULT '',
  event_id uuid
);
CREATE INDEX payment_deliveries_of ON founder_console.payment_deliveries (tenant_id, source_id, received_at DESC);

GRANT SELECT, INSERT ON founder_console.payment_sources, founder_console.payment_deliveries TO flr_app;
GRANT UPDATE (removed_at) ON founder_console.payment_sources TO flr_app;
GRANT DELETE ON founder_console.payment_deliveries TO flr_app;
GRANT SELECT (id, tenant_id, provider, mode, created_by, created_at, removed_at) ON founder_console.payment_sources TO flr_auditor;
GRANT SELECT ON founder_console.payment_deliveries TO flr_auditor;

DO $tenants$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['payment_sources', 'payment_deliveries'] LOOP
    EXECUTE format('ALTER TABLE founder_console.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON founder_console.%I TO flr_app
      USING (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)
      WITH CHECK (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', t);
    EXECUTE format('CREATE POLICY auditor ON founder_console.%I FOR SELECT TO flr_auditor USING (true)', t);
  END LOOP;
END
$tenants$;

-- Law 17 for what lets money be recorded from outside. Here and not in zz_govern: on a fresh database its guard stands.
SELECT governance_ledger.govern_presence('founder_console.payment_sources'::regclass, 'founder_console.payment_sources', 'id');
