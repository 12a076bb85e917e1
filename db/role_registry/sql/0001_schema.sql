-- Role registry: the company, its AI employees, their signed contracts, budgets and known parties.
CREATE SCHEMA role_registry;
GRANT USAGE ON SCHEMA role_registry TO flr_app, flr_law, flr_auditor;

CREATE TABLE role_registry.companies (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL CHECK (tenant_id = id),
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
  time_zone text NOT NULL DEFAULT 'Asia/Jakarta',
  currency text NOT NULL DEFAULT 'IDR' CHECK (currency ~ '^[A-Z]{3}$'),
  language text NOT NULL DEFAULT 'id' CHECK (language IN ('id', 'en')),
  all_paused boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL
);

CREATE TABLE role_registry.ai_roles (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  name text NOT NULL,
  status text NOT NULL DEFAULT 'proposed' CHECK (status IN ('proposed', 'active', 'paused', 'retired')),
  version int NOT NULL DEFAULT 0,                    -- the version in force; 0 before the first signature
  pending_approval_id uuid,
  hired_by text NOT NULL,
  created_at timestamptz NOT NULL,
  paused_at timestamptz,
  retired_at timestamptz
);
CREATE UNIQUE INDEX ON role_registry.ai_roles (tenant_id, lower(name)) WHERE status <> 'retired';

-- Append-only: a version exists from the moment the founder signed it.
CREATE TABLE role_registry.ai_role_versions (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  role_id uuid NOT NULL REFERENCES role_registry.ai_roles (id),
  version int NOT NULL,
  terms text NOT NULL,                               -- canonical JSON of canon.contract.Terms
  digest text NOT NULL,
  approval_id uuid NOT NULL,
  signature text NOT NULL,
  signed_by text NOT NULL,
  signed_at timestamptz NOT NULL,
  UNIQUE (role_id, version)
);

CREATE TABLE role_registry.budget_accounts (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  role_id uuid,                                      -- null: the company's own (routing)
  unit text NOT NULL CHECK (unit IN ('usd_micros', 'tokens', 'calls', 'money', 'minutes')),
  period text NOT NULL CHECK (period IN ('ticket', 'day', 'month')),
  currency text NOT NULL DEFAULT '',
  amount bigint NOT NULL CHECK (amount >= 0),        -- the limit, in the unit's smallest part
  active boolean NOT NULL DEFAULT true,
  changed_at timestamptz NOT NULL,
  UNIQUE NULLS NOT DISTINCT (tenant_id, role_id, unit, period, currency)
);

-- Counters per account and period; derived from reservations, recomputable, hence not governed by Law 17.
CREATE TABLE role_registry.budget_usage (
  tenant_id uuid NOT NULL,
  account_id uuid NOT NULL REFERENCES role_registry.budget_accounts (id),
  period_key text NOT NULL,                          -- ticket id, YYYY-MM-DD or YYYY-MM in the company's zone
  reserved bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0),
  spent bigint NOT NULL DEFAULT 0 CHECK (spent >= 0),
  PRIMARY KEY (account_id, period_key)
);

CREATE TABLE role_registry.budget_reservations (
  tenant_id uuid NOT NULL,
  run_id uuid NOT NULL,
  step int NOT NULL,
  account_id uuid NOT NULL REFERENCES role_registry.budget_accounts (id),
  period_key text NOT NULL,
  amount bigint NOT NULL CHECK (amount >= 0),
  settled bigint,                                    -- null while reserved
  reserved_at timestamptz NOT NULL,
  settled_at timestamptz,
  PRIMARY KEY (run_id, step, account_id)
);

CREATE TABLE role_registry.known_parties (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  name text NOT NULL,
  address text NOT NULL,                             -- a mail address, host, domain or account number
  added_by text NOT NULL,
  signature text NOT NULL DEFAULT '',
  added_at timestamptz NOT NULL,
  removed_at timestamptz
);
CREATE UNIQUE INDEX ON role_registry.known_parties (tenant_id, lower(address)) WHERE removed_at IS NULL;

GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA role_registry TO flr_app;
GRANT UPDATE (name, time_zone, currency, language, all_paused) ON role_registry.companies TO flr_app;
GRANT UPDATE (name, status, version, pending_approval_id, paused_at, retired_at) ON role_registry.ai_roles TO flr_app;
GRANT UPDATE (amount, active, changed_at) ON role_registry.budget_accounts TO flr_app;
GRANT UPDATE (reserved, spent) ON role_registry.budget_usage TO flr_app;
GRANT UPDATE (period_key, amount, settled, reserved_at, settled_at) ON role_registry.budget_reservations TO flr_app;
GRANT UPDATE (removed_at) ON role_registry.known_parties TO flr_app;
GRANT SELECT ON ALL TABLES IN SCHEMA role_registry TO flr_auditor;

DO $tenants$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['companies', 'ai_roles', 'ai_role_versions', 'budget_accounts', 'budget_usage',
                           'budget_reservations', 'known_parties'] LOOP
    EXECUTE format('ALTER TABLE role_registry.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON role_registry.%I TO flr_app
      USING (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)
      WITH CHECK (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', t);
    EXECUTE format('CREATE POLICY auditor ON role_registry.%I FOR SELECT TO flr_auditor USING (true)', t);
  END LOOP;
END
$tenants$;
RESET ROLE;
