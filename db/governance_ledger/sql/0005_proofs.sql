-- Roots of the tree's full subtrees over 256, 65 536, ... leaves (height 8, 16, ...; place counts from 0 from the left), so
-- that a proof reads a few hundred hashes however long the ledger. Written with the checkpoint that first covers them.
CREATE TABLE governance_ledger.ledger_subtrees (
  tenant_id uuid NOT NULL,
  height smallint NOT NULL CHECK (height > 0 AND height % 8 = 0),
  place bigint NOT NULL CHECK (place >= 0),
  hash bytea NOT NULL CHECK (octet_length(hash) = 32),
  PRIMARY KEY (tenant_id, height, place)
);

-- Who is sent each new checkpoint, from number from_serial on. The application writes the secret and cannot read it.
CREATE TABLE governance_ledger.checkpoint_subscribers (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  url text NOT NULL CHECK (octet_length(url) <= 2000),
  secret bytea NOT NULL CHECK (octet_length(secret) = 32),
  from_serial bigint NOT NULL,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT checkpoint_subscribers_url UNIQUE (tenant_id, url)
);

-- How far a subscriber was sent. attempts counts those of the next checkpoint that failed.
CREATE TABLE governance_ledger.checkpoint_deliveries (
  subscriber_id uuid PRIMARY KEY REFERENCES governance_ledger.checkpoint_subscribers ON DELETE CASCADE,
  tenant_id uuid NOT NULL,
  serial bigint NOT NULL,
  delivered_at timestamptz,
  attempts integer NOT NULL DEFAULT 0,
  next_try_at timestamptz NOT NULL,
  last_error text
);

CREATE TRIGGER worm_statement BEFORE UPDATE OR DELETE ON governance_ledger.ledger_subtrees
  FOR EACH STATEMENT EXECUTE FUNCTION governance_ledger.worm();
CREATE TRIGGER worm_row BEFORE UPDATE OR DELETE ON governance_ledger.ledger_subtrees
  FOR EACH ROW EXECUTE FUNCTION governance_ledger.worm();
CREATE TRIGGER worm_truncate BEFORE TRUNCATE ON governance_ledger.ledger_subtrees
  FOR EACH STATEMENT EXECUTE FUNCTION governance_ledger.worm();
ALTER TABLE governance_ledger.ledger_subtrees ENABLE ALWAYS TRIGGER worm_statement,
  ENABLE ALWAYS TRIGGER worm_row, ENABLE ALWAYS TRIGGER worm_truncate;

DO $$
DECLARE
  name text;
  mine CONSTANT text := 'tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid';
BEGIN
  FOREACH name IN ARRAY ARRAY['ledger_subtrees', 'checkpoint_subscribers', 'checkpoint_deliveries'] LOOP
    EXECUTE format('ALTER TABLE governance_ledger.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY tenant ON governance_ledger.%I TO flr_app USING (%s) WITH CHECK (%s)', name, mine, mine);
    EXECUTE format('CREATE POLICY sealer ON governance_ledger.%I TO flr_sealer USING (true) WITH CHECK (true)', name);
    EXECUTE format('CREATE POLICY auditor ON governance_ledger.%I FOR SELECT TO flr_auditor USING (true)', name);
  END LOOP;
END
$$;

GRANT SELECT ON governance_ledger.ledger_subtrees TO flr_app, flr_sealer, flr_auditor;
GRANT INSERT ON governance_ledger.ledger_subtrees TO flr_sealer;
GRANT SELECT (id, tenant_id, url, from_serial, created_by, created_at) ON governance_ledger.checkpoint_subscribers
  TO flr_app, flr_auditor;
GRANT INSERT (id, tenant_id, url, secret, from_serial, created_by), DELETE ON governance_ledger.checkpoint_subscribers
  TO flr_app;
GRANT SELECT ON governance_ledger.checkpoint_subscribers TO flr_sealer;
GRANT SELECT ON governance_ledger.checkpoint_deliveries TO flr_app, flr_sealer, flr_auditor;
GRANT INSERT, UPDATE ON governance_ledger.checkpoint_deliveries TO flr_sealer;

-- What no seal covers yet, over all tenants: two numbers for the one who watches the installation.
CREATE FUNCTION governance_ledger.unsealed(OUT count bigint, OUT oldest_age_ms bigint)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT count(*), coalesce(ceil(extract(epoch FROM clock_timestamp() - min(waiting.recorded_at)) * 1000), 0)::bigint
    FROM (
      SELECT e.recorded_at FROM governance_ledger.governance_events e
       WHERE e.xid >= (SELECT pg_snapshot_xmax(m.snap) FROM governance_ledger.ledger_mark m)
         AND e.xid < '18446744073709551615'
      UNION ALL
      SELECT e.recorded_at FROM governance_ledger.governance_events e
       WHERE e.xid = ANY (ARRAY(SELECT pg_snapshot_xip(m.snap) FROM governance_ledger.ledger_mark m))
         AND e.xid >= (SELECT pg_snapshot_xmin(m.snap) FROM governance_ledger.ledger_mark m)
         AND e.xid < (SELECT pg_snapshot_xmax(m.snap) FROM governance_ledger.ledger_mark m)
    ) waiting;
END;
REVOKE ALL ON FUNCTION governance_ledger.unsealed() FROM PUBLIC;
GRANT SELECT ON governance_ledger.ledger_mark TO flr_law;

RESET ROLE;
GRANT CREATE ON SCHEMA governance_ledger TO flr_law;
ALTER FUNCTION governance_ledger.unsealed() OWNER TO flr_law;
REVOKE CREATE ON SCHEMA governance_ledger FROM flr_law;
SET LOCAL ROLE flr_law;
REVOKE ALL ON FUNCTION governance_ledger.unsealed() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION governance_ledger.unsealed() TO flr_app, flr_sealer;
RESET ROLE;
