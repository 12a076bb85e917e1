-- Execution graph: runs, their leases, the journal, and what local tools write.
CREATE SCHEMA execution_graph;
GRANT USAGE ON SCHEMA execution_graph TO flr_app, flr_law, flr_auditor;

CREATE TABLE execution_graph.runs (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  ticket_id uuid NOT NULL,
  role_id uuid,
  role_version int,
  status text NOT NULL DEFAULT 'queued'
    CHECK (status IN ('queued', 'running', 'held', 'paused', 'done', 'returned', 'refused', 'failed', 'cancelled', 'diverged')),
  backbone text NOT NULL,
  worker text NOT NULL DEFAULT '',
  router text NOT NULL DEFAULT '',
  model text NOT NULL DEFAULT '',
  tools text[] NOT NULL DEFAULT '{}',                -- narrowed from role and ticket before the first read
  approval_id uuid,                                  -- what a held run waits for
  brief text NOT NULL DEFAULT '',                    -- JSON: task and tools as the worker was given them, fixed at its first step
  summary text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL,
  started_at timestamptz,
  closed_at timestamptz
);
CREATE INDEX ON execution_graph.runs (tenant_id, ticket_id);
CREATE INDEX ON execution_graph.runs (tenant_id, role_id, status);
CREATE INDEX ON execution_graph.runs (approval_id) WHERE status = 'held';
CREATE UNIQUE INDEX ON execution_graph.runs (ticket_id)
  WHERE status IN ('queued', 'running', 'held', 'paused');

-- Who drives a run now. Apart from runs, since a heartbeat is no act. `owner` is the key of a session lock.
CREATE TABLE execution_graph.run_leases (
  run_id uuid PRIMARY KEY REFERENCES execution_graph.runs (id),
  tenant_id uuid NOT NULL,
  owner bigint,
  epoch int NOT NULL DEFAULT 0,
  lease_until timestamptz,                           -- without an owner: not before
  wanted boolean NOT NULL DEFAULT true,              -- somebody should drive this run
  seen_steps int NOT NULL DEFAULT 0,                 -- length of the journal when the lease was taken
  failures int NOT NULL DEFAULT 0                    -- takings since then without a new step
);
CREATE INDEX ON execution_graph.run_leases (lease_until) WHERE wanted;

CREATE TABLE execution_graph.run_steps (
  tenant_id uuid NOT NULL,
  run_id uuid NOT NULL REFERENCES execution_graph.runs (id),
  step int NOT NULL,
  beat text NOT NULL CHECK (beat IN ('route', 'act')),
  kind text NOT NULL CHECK (kind IN ('model', 'tool')),
  name text NOT NULL,
  epoch int NOT NULL,
  attempts int NOT NULL DEFAULT 1,
  request_digest text NOT NULL,                      -- a replayed step must ask for the same
  request text NOT NULL,
  state text NOT NULL CHECK (state IN ('planned', 'held', 'started', 'done', 'failed', 'unknown')),
  approval_id uuid,
  effect text NOT NULL DEFAULT 'read',
  verdict text NOT NULL DEFAULT '',                  -- what the gate said: allow:<rule>, hold:<tier>, refuse:<law>
  answer text,                                       -- JSON of what the worker was told
  secret boolean NOT NULL DEFAULT false,
  cost_usd_micros bigint NOT NULL DEFAULT 0,
  tokens bigint NOT NULL DEFAULT 0,
  money_minor bigint,
  currency text,
  planned_at timestamptz NOT NULL,
  ended_at timestamptz,
  PRIMARY KEY (run_id, step)
);
CREATE INDEX ON execution_graph.run_steps (tenant_id, name, planned_at) WHERE kind = 'tool';

CREATE TABLE execution_graph.notes (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  run_id uuid NOT NULL,
  ticket_id uuid NOT NULL,
  step int NOT NULL,
  text text NOT NULL,
  written_at timestamptz NOT NULL,
  UNIQUE (run_id, step)
);

CREATE TABLE execution_graph.documents (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  run_id uuid NOT NULL,
  ticket_id uuid NOT NULL,
  step int NOT NULL,
  name text NOT NULL,
  media_type text NOT NULL,
  size_bytes bigint NOT NULL,
  sha256 text NOT NULL,
  evidence_key text NOT NULL,
  written_at timestamptz NOT NULL,
  UNIQUE (run_id, step)
);
CREATE INDEX ON execution_graph.documents (tenant_id, ticket_id);

-- The payment book: orders that the founder's bank is given. An order is money, hence governed by the digest form.
CREATE TABLE execution_graph.payments (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  run_id uuid NOT NULL,
  ticket_id uuid NOT NULL,
  step int NOT NULL,
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  payee text NOT NULL,
  account text NOT NULL,
  reference text NOT NULL,
  ordered_at timestamptz NOT NULL,
  UNIQUE (run_id, step)
);

GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA execution_graph TO flr_app;
GRANT UPDATE (role_id, role_version, status, backbone, worker, router, model, tools, approval_id, brief, summary, started_at, closed_at)
  ON execution_graph.runs TO flr_app;
GRANT UPDATE (owner, epoch, lease_until, wanted, seen_steps, failures) ON execution_graph.run_leases TO flr_app;
GRANT UPDATE (epoch, attempts, state, approval_id, verdict, answer, secret, cost_usd_micros, tokens, money_minor, currency, ended_at)
  ON execution_graph.run_steps TO flr_app;
GRANT SELECT ON ALL TABLES IN SCHEMA execution_graph TO flr_auditor;
GRANT SELECT ON execution_graph.run_leases TO flr_law;

DO $tenants$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['runs', 'run_leases', 'run_steps', 'notes', 'documents', 'payments'] LOOP
    EXECUTE format('ALTER TABLE execution_graph.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON execution_graph.%I TO flr_app
      USING (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)
      WITH CHECK (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', t);
    EXECUTE format('CREATE POLICY auditor ON execution_graph.%I FOR SELECT TO flr_auditor USING (true)', t);
  END LOOP;
END
$tenants$;
CREATE POLICY overdue ON execution_graph.run_leases FOR SELECT TO flr_law USING (true);

-- Ids of runs that nobody may be driving: the sweeper of any worker then tries to take one over.
CREATE FUNCTION execution_graph.orphaned_runs() RETURNS TABLE (tenant_id uuid, run_id uuid, owner bigint, expired boolean)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT l.tenant_id, l.run_id, l.owner, l.lease_until IS NULL OR l.lease_until <= pg_catalog.clock_timestamp()
  FROM execution_graph.run_leases l WHERE l.wanted ORDER BY l.lease_until NULLS FIRST LIMIT 200
$$;
RESET ROLE;
GRANT CREATE ON SCHEMA execution_graph TO flr_law;
ALTER FUNCTION execution_graph.orphaned_runs() OWNER TO flr_law;
REVOKE CREATE ON SCHEMA execution_graph FROM flr_law;
SET LOCAL ROLE flr_law;
REVOKE ALL ON FUNCTION execution_graph.orphaned_runs() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION execution_graph.orphaned_runs() TO flr_app;
RESET ROLE;
