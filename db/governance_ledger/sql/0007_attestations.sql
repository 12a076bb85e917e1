-- What others say about a checkpoint: a time stamp (RFC 3161), a witness's cosignature (C2SP tlog-cosignature). Write once.
CREATE TABLE governance_ledger.ledger_attestations (
  tenant_id uuid NOT NULL,
  serial bigint NOT NULL,
  size bigint NOT NULL,
  kind text NOT NULL CHECK (kind IN ('timestamp', 'witness')),
  name text NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 300),
  attested_at timestamptz NOT NULL,
  content bytea NOT NULL CHECK (octet_length(content) <= 65536),
  PRIMARY KEY (tenant_id, serial, kind, name)
);

-- How far each of them has come, and what it said when it gave nothing. refused: it has seen another history.
CREATE TABLE governance_ledger.ledger_attestors (
  tenant_id uuid NOT NULL,
  kind text NOT NULL,
  name text NOT NULL,
  size bigint NOT NULL DEFAULT 0,
  next_try_at timestamptz NOT NULL,
  refused boolean NOT NULL DEFAULT false,
  error text,
  PRIMARY KEY (tenant_id, kind, name)
);

CREATE TRIGGER worm_statement BEFORE UPDATE OR DELETE ON governance_ledger.ledger_attestations
  FOR EACH STATEMENT EXECUTE FUNCTION governance_ledger.worm();
CREATE TRIGGER worm_row BEFORE UPDATE OR DELETE ON governance_ledger.ledger_attestations
  FOR EACH ROW EXECUTE FUNCTION governance_ledger.worm();
CREATE TRIGGER worm_truncate BEFORE TRUNCATE ON governance_ledger.ledger_attestations
  FOR EACH STATEMENT EXECUTE FUNCTION governance_ledger.worm();
ALTER TABLE governance_ledger.ledger_attestations ENABLE ALWAYS TRIGGER worm_statement,
  ENABLE ALWAYS TRIGGER worm_row, ENABLE ALWAYS TRIGGER worm_truncate;

DO $$
DECLARE
  name text;
  mine CONSTANT text := 'tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid';
BEGIN
  FOREACH name IN ARRAY ARRAY['ledger_attestations', 'ledger_attestors'] LOOP
    EXECUTE format('ALTER TABLE governance_ledger.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY tenant ON governance_ledger.%I FOR SELECT TO flr_app USING (%s)', name, mine);
    EXECUTE format('CREATE POLICY sealer ON governance_ledger.%I TO flr_sealer USING (true) WITH CHECK (true)', name);
    EXECUTE format('CREATE POLICY auditor ON governance_ledger.%I FOR SELECT TO flr_auditor USING (true)', name);
    EXECUTE format('GRANT SELECT ON governance_ledger.%I TO flr_app, flr_sealer, flr_auditor', name);
    EXECUTE format('GRANT INSERT ON governance_ledger.%I TO flr_sealer', name);
  END LOOP;
END
$$;
GRANT UPDATE (size, next_try_at, refused, error) ON governance_ledger.ledger_attestors TO flr_sealer;
