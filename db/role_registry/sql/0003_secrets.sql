-- The vault. What a secret is for is governed by the digest form; the value lies apart, sealed, and leaves no image behind.
CREATE TABLE role_registry.secrets (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  name text NOT NULL CHECK (name ~ '^[a-z][a-z0-9_]{0,59}$'),
  description text NOT NULL,
  header text,                                       -- with it, sent to `hosts` by the HTTP tools of `role_ids`
  prefix text NOT NULL DEFAULT '',
  hosts text[] NOT NULL DEFAULT '{}',
  role_ids uuid[] NOT NULL DEFAULT '{}',
  version int NOT NULL DEFAULT 1,
  set_by text NOT NULL,
  set_at timestamptz NOT NULL,
  removed_at timestamptz
);
CREATE UNIQUE INDEX ON role_registry.secrets (tenant_id, name) WHERE removed_at IS NULL;

CREATE TABLE role_registry.secret_values (
  secret_id uuid PRIMARY KEY REFERENCES role_registry.secrets (id),
  tenant_id uuid NOT NULL,
  kid text NOT NULL,
  sealed bytea NOT NULL                              -- nonce, AES-256-GCM ciphertext, tag; the key is never in the database
);

GRANT SELECT, INSERT ON role_registry.secrets, role_registry.secret_values TO flr_app;
GRANT UPDATE (description, header, prefix, hosts, role_ids, version, set_by, set_at, removed_at)
  ON role_registry.secrets TO flr_app;
GRANT UPDATE (kid, sealed), DELETE ON role_registry.secret_values TO flr_app;
GRANT SELECT ON role_registry.secrets TO flr_auditor;

DO $tenants$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['secrets', 'secret_values'] LOOP
    EXECUTE format('ALTER TABLE role_registry.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON role_registry.%I TO flr_app
      USING (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)
      WITH CHECK (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', t);
  END LOOP;
END
$tenants$;
CREATE POLICY auditor ON role_registry.secrets FOR SELECT TO flr_auditor USING (true);
SELECT governance_ledger.govern_digest('role_registry.secrets'::regclass, 'role_registry.secrets', 'id');
