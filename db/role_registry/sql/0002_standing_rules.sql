-- Standing rules: calls of one tool that the founder has signed beforehand, within bounds, so many times, until then.
CREATE TABLE role_registry.standing_rules (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  role_id uuid NOT NULL REFERENCES role_registry.ai_roles (id),
  terms text NOT NULL,                               -- canonical JSON of canon.rule.RuleTerms
  digest text NOT NULL,
  tool text NOT NULL,
  uses int NOT NULL CHECK (uses BETWEEN 1 AND 1000),
  used int NOT NULL DEFAULT 0 CHECK (used BETWEEN 0 AND uses),
  until timestamptz NOT NULL,
  approval_id uuid NOT NULL UNIQUE,
  signature text NOT NULL,
  signed_by text NOT NULL,
  made_at timestamptz NOT NULL,
  revoked_at timestamptz,
  revoked_by text
);
CREATE INDEX ON role_registry.standing_rules (tenant_id, role_id, tool) WHERE revoked_at IS NULL;

GRANT SELECT, INSERT ON role_registry.standing_rules TO flr_app;
GRANT UPDATE (used, revoked_at, revoked_by) ON role_registry.standing_rules TO flr_app;
GRANT SELECT ON role_registry.standing_rules TO flr_auditor;
ALTER TABLE role_registry.standing_rules ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON role_registry.standing_rules TO flr_app
  USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
  WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY auditor ON role_registry.standing_rules FOR SELECT TO flr_auditor USING (true);
