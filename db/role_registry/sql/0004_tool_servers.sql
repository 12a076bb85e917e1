-- Tool servers that the founder has signed, with the tools as they were listed then.
CREATE TABLE role_registry.tool_servers (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  name text NOT NULL CHECK (name ~ '^[a-z][a-z0-9_]{0,29}$'),
  terms text NOT NULL,                               -- canonical JSON of canon.tool_server.ToolServer
  digest text NOT NULL,
  quarantined text[] NOT NULL DEFAULT '{}',          -- tools that are listed otherwise now
  approval_id uuid NOT NULL,
  signature text NOT NULL,
  signed_by text NOT NULL,
  signed_at timestamptz NOT NULL,
  removed_at timestamptz
);
CREATE UNIQUE INDEX ON role_registry.tool_servers (tenant_id, name) WHERE removed_at IS NULL;

GRANT SELECT, INSERT ON role_registry.tool_servers TO flr_app;
GRANT UPDATE (terms, digest, quarantined, approval_id, signature, signed_by, signed_at, removed_at)
  ON role_registry.tool_servers TO flr_app;
GRANT SELECT ON role_registry.tool_servers TO flr_auditor;
ALTER TABLE role_registry.tool_servers ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON role_registry.tool_servers TO flr_app
  USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
  WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY auditor ON role_registry.tool_servers FOR SELECT TO flr_auditor USING (true);
SELECT governance_ledger.govern_digest('role_registry.tool_servers'::regclass, 'role_registry.tool_servers', 'id');
