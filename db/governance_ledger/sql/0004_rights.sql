GRANT USAGE ON SCHEMA governance_ledger TO flr_app, flr_law, flr_sealer, flr_auditor;

DO $$
DECLARE
  name text;
  mine CONSTANT text := 'tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid';
BEGIN
  FOREACH name IN ARRAY ARRAY['governance_events', 'changes', 'ledger_seals', 'ledger_heads', 'ledger_checkpoints',
                              'ledger_verifications', 'evidence_objects', 'evidence_spool'] LOOP
    EXECUTE format('ALTER TABLE governance_ledger.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY tenant ON governance_ledger.%I TO flr_app USING (%s) WITH CHECK (%s)', name, mine, mine);
    EXECUTE format('CREATE POLICY sealer ON governance_ledger.%I TO flr_sealer USING (true) WITH CHECK (true)', name);
    EXECUTE format('CREATE POLICY auditor ON governance_ledger.%I FOR SELECT TO flr_auditor USING (true)', name);
    EXECUTE format('GRANT SELECT ON governance_ledger.%I TO flr_app, flr_sealer, flr_auditor', name);
  END LOOP;
END
$$;
CREATE POLICY law ON governance_ledger.governance_events FOR SELECT TO flr_law USING (true);
CREATE POLICY law ON governance_ledger.changes TO flr_law USING (true) WITH CHECK (true);

GRANT SELECT ON governance_ledger.governance_events, governance_ledger.changes TO flr_law;
GRANT INSERT ON governance_ledger.changes TO flr_law;
GRANT USAGE ON SEQUENCE governance_ledger.n TO flr_law;

GRANT INSERT (tenant_id, event_id, occurred_at, type, actor, ticket_id, run_id, step, expect, subjects, evidence_url,
  approval_signature, body) ON governance_ledger.governance_events TO flr_app;
GRANT INSERT (tenant_id, seq, hash) ON governance_ledger.ledger_verifications TO flr_app;
GRANT INSERT (tenant_id, sha256, key, size_bytes, media_type, name) ON governance_ledger.evidence_objects TO flr_app;
GRANT INSERT (tenant_id, key, sha256, media_type, content) ON governance_ledger.evidence_spool TO flr_app;
GRANT SELECT ON governance_ledger.ledger_mark, governance_ledger.ledger_keys TO flr_app, flr_sealer, flr_auditor;

GRANT INSERT (tenant_id, seq, n, xid, hash, occurred_at, type, ticket_id, run_id) ON governance_ledger.ledger_seals
  TO flr_sealer;
GRANT INSERT, UPDATE ON governance_ledger.ledger_heads TO flr_sealer;
GRANT UPDATE ON governance_ledger.ledger_mark TO flr_sealer;
GRANT INSERT ON governance_ledger.ledger_checkpoints TO flr_sealer;
GRANT INSERT (kid, public_key) ON governance_ledger.ledger_keys TO flr_sealer;
GRANT INSERT (tenant_id, key, sha256, media_type, content), DELETE ON governance_ledger.evidence_spool TO flr_sealer;

-- EXECUTE is everybody's by default: whoever has it could attach a trigger function to a table of his own.
REVOKE ALL ON ALL ROUTINES IN SCHEMA governance_ledger FROM PUBLIC;
GRANT EXECUTE ON FUNCTION governance_ledger.seal(), governance_ledger.link(bytea, bytea, bigint, bytea),
  governance_ledger.chain(bytea, bigint, bytea) TO flr_sealer;

RESET ROLE;
GRANT CREATE ON SCHEMA governance_ledger TO flr_law;
ALTER FUNCTION governance_ledger.gather(uuid, text[]) OWNER TO flr_law;
ALTER FUNCTION governance_ledger.capture() OWNER TO flr_law;
ALTER FUNCTION governance_ledger.law_presence() OWNER TO flr_law;
ALTER FUNCTION governance_ledger.law_digest() OWNER TO flr_law;
REVOKE CREATE ON SCHEMA governance_ledger FROM flr_law;
REVOKE ALL ON ALL ROUTINES IN SCHEMA governance_ledger FROM PUBLIC;
GRANT EXECUTE ON FUNCTION governance_ledger.capture(), governance_ledger.law_presence() TO flr_owner;
SET LOCAL ROLE flr_law;
GRANT EXECUTE ON FUNCTION governance_ledger.gather(uuid, text[]) TO flr_app;
RESET ROLE;
