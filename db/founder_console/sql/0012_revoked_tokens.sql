-- API tokens that hold no more, until they would have expired anyway. Every API process reads the ids of all companies'.
CREATE TABLE founder_console.revoked_tokens (
  id uuid PRIMARY KEY,                               -- the token's jti
  tenant_id uuid NOT NULL,
  expires_at timestamptz NOT NULL,
  reason text NOT NULL DEFAULT '',
  revoked_by text NOT NULL,
  revoked_at timestamptz NOT NULL
);
ALTER TABLE founder_console.revoked_tokens ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON founder_console.revoked_tokens TO flr_app
  USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
  WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY auditor ON founder_console.revoked_tokens FOR SELECT TO flr_auditor USING (true);
CREATE POLICY every_company ON founder_console.revoked_tokens FOR SELECT TO flr_law USING (true);
GRANT SELECT, INSERT ON founder_console.revoked_tokens TO flr_app;
GRANT SELECT ON founder_console.revoked_tokens TO flr_auditor, flr_law;

CREATE FUNCTION founder_console.revoked_ids() RETURNS SETOF uuid
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT id FROM founder_console.revoked_tokens WHERE expires_at > pg_catalog.clock_timestamp()
$$;
RESET ROLE;
GRANT CREATE ON SCHEMA founder_console TO flr_law;
ALTER FUNCTION founder_console.revoked_ids() OWNER TO flr_law;
REVOKE CREATE ON SCHEMA founder_console FROM flr_law;
SET LOCAL ROLE flr_law;
REVOKE ALL ON FUNCTION founder_console.revoked_ids() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION founder_console.revoked_ids() TO flr_app;
RESET ROLE;
