-- Work queue: tickets, approvals of every kind, message delivery. Owned by flr_owner; the app role owns nothing.
CREATE SCHEMA work_queue;
GRANT USAGE ON SCHEMA work_queue TO flr_app, flr_law, flr_auditor;

CREATE TABLE work_queue.tickets (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  version int NOT NULL DEFAULT 1,
  title text NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
  instructions text NOT NULL CHECK (length(instructions) <= 20000),
  fields jsonb NOT NULL DEFAULT '{}',                -- what the founder wrote as named values: name -> text
  role_id uuid,
  parent_id uuid REFERENCES work_queue.tickets (id),
  priority smallint NOT NULL DEFAULT 3 CHECK (priority BETWEEN 1 AND 4),   -- 1 urgent .. 4 low
  status text NOT NULL DEFAULT 'open'
    CHECK (status IN ('open', 'held', 'working', 'done', 'returned', 'refused', 'failed', 'cancelled')),
  approval_required boolean NOT NULL DEFAULT false,
  founder_wrote boolean NOT NULL,                    -- only then its text is trusted by the gate
  opened_by text NOT NULL,
  due_at timestamptz,
  result text NOT NULL DEFAULT '',
  opened_at timestamptz NOT NULL,
  started_at timestamptz,
  closed_at timestamptz
);
CREATE INDEX ON work_queue.tickets (tenant_id, status, priority, due_at, id);
CREATE INDEX ON work_queue.tickets (tenant_id, id DESC);
CREATE INDEX ON work_queue.tickets (parent_id) WHERE parent_id IS NOT NULL;

CREATE TABLE work_queue.ticket_inputs (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  ticket_id uuid NOT NULL REFERENCES work_queue.tickets (id),
  name text NOT NULL,
  media_type text NOT NULL,
  size_bytes bigint NOT NULL,
  sha256 text NOT NULL,
  evidence_key text NOT NULL,
  trusted boolean NOT NULL DEFAULT false,
  secret boolean NOT NULL DEFAULT false,             -- its text does not leave without a human
  attached_at timestamptz NOT NULL,
  UNIQUE (ticket_id, name)
);

CREATE TABLE work_queue.approvals (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  version int NOT NULL DEFAULT 1,
  kind text NOT NULL CHECK (kind IN ('start', 'tool_call', 'hire', 'amend', 'budget_raise', 'party', 'unknown_outcome')),
  status text NOT NULL DEFAULT 'pending'
    CHECK (status IN ('pending', 'approved', 'rejected', 'expired', 'withdrawn', 'superseded')),
  tier text NOT NULL CHECK (tier IN ('R1', 'R2')),
  quorum smallint NOT NULL DEFAULT 1 CHECK (quorum BETWEEN 1 AND 9),
  ticket_id uuid REFERENCES work_queue.tickets (id),
  run_id uuid,
  step int,
  role_id uuid,
  role_version int,
  tool text,
  act_digest text NOT NULL,
  payload_digest text NOT NULL,
  payload text NOT NULL,                             -- canonical JSON: all that is shown and signed
  money_minor bigint,
  currency text,
  undo_seconds int NOT NULL,
  raised_by text NOT NULL,
  raised_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  frozen_at timestamptz,                             -- role or company paused: the clock of the expiry stands still
  shown_at timestamptz,
  opened_at timestamptz,
  decided_at timestamptz,
  effective_at timestamptz,                          -- end of the undo window; acted upon from then on
  decided_by text,
  reason text NOT NULL DEFAULT '',                   -- the founder's words on rejecting
  signature text,                                    -- approval+jwt
  consumed_at timestamptz
);
CREATE UNIQUE INDEX ON work_queue.approvals (run_id, step, kind) WHERE status = 'pending';
CREATE INDEX ON work_queue.approvals (tenant_id, status, expires_at);
CREATE INDEX ON work_queue.approvals (tenant_id, ticket_id);
CREATE INDEX ON work_queue.approvals (expires_at) WHERE status = 'pending' AND frozen_at IS NULL;
CREATE INDEX ON work_queue.approvals (tenant_id, act_digest) WHERE status IN ('pending', 'rejected');

CREATE TABLE work_queue.approval_decisions (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  approval_id uuid NOT NULL REFERENCES work_queue.approvals (id),
  decision text NOT NULL CHECK (decision IN ('approve', 'reject')),
  decided_by text NOT NULL,
  method text NOT NULL CHECK (method IN ('session', 'passkey', 'device_key', 'standing')),
  payload_digest text NOT NULL,
  signature text NOT NULL,
  reason text NOT NULL DEFAULT '',
  decided_at timestamptz NOT NULL,
  undone_at timestamptz
);
CREATE INDEX ON work_queue.approval_decisions (approval_id);

CREATE TABLE work_queue.idempotency_keys (
  tenant_id uuid NOT NULL,
  caller text NOT NULL,
  key text NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
  request_sha256 text NOT NULL,
  status int NOT NULL,
  media_type text NOT NULL,
  answer bytea NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, caller, key)
);

-- Own delivery counter and dead letters: the queue's own attempts stay 0 across crashes. Holds ids only, so no tenant policy.
CREATE TABLE work_queue.deliveries (
  job_id bigint PRIMARY KEY,
  entrypoint text NOT NULL,
  payload bytea NOT NULL,
  attempts int NOT NULL DEFAULT 1,
  last_error text NOT NULL DEFAULT '',
  first_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  last_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  dead_at timestamptz
);

GRANT SELECT, INSERT ON work_queue.tickets, work_queue.ticket_inputs, work_queue.approvals,
  work_queue.approval_decisions, work_queue.idempotency_keys TO flr_app;
GRANT UPDATE (version, role_id, priority, status, approval_required, due_at, result, started_at, closed_at)
  ON work_queue.tickets TO flr_app;
GRANT UPDATE (version, status, tier, shown_at, opened_at, decided_at, effective_at, decided_by, reason, signature,
  consumed_at, expires_at, frozen_at) ON work_queue.approvals TO flr_app;
GRANT UPDATE (undone_at) ON work_queue.approval_decisions TO flr_app;
GRANT UPDATE (trusted) ON work_queue.ticket_inputs TO flr_app;
GRANT DELETE ON work_queue.idempotency_keys TO flr_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON work_queue.deliveries TO flr_app;
GRANT SELECT ON ALL TABLES IN SCHEMA work_queue TO flr_auditor;

DO $tenants$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['tickets', 'ticket_inputs', 'approvals', 'approval_decisions', 'idempotency_keys'] LOOP
    EXECUTE format('ALTER TABLE work_queue.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON work_queue.%I TO flr_app
      USING (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)
      WITH CHECK (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', t);
    EXECUTE format('CREATE POLICY auditor ON work_queue.%I FOR SELECT TO flr_auditor USING (true)', t);
    EXECUTE format('CREATE POLICY overdue ON work_queue.%I FOR SELECT TO flr_law USING (true)', t);
  END LOOP;
END
$tenants$;
GRANT SELECT ON work_queue.approvals TO flr_law;

-- Tenants in which an approval's time has come: the sweeper enters each of them before it reads or writes anything.
CREATE FUNCTION work_queue.tenants_with_due_approvals() RETURNS SETOF uuid
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT DISTINCT a.tenant_id FROM work_queue.approvals a
  WHERE a.status = 'pending' AND a.frozen_at IS NULL AND a.expires_at <= clock.now()
$$;
REVOKE ALL ON FUNCTION work_queue.tenants_with_due_approvals() FROM PUBLIC;
RESET ROLE;
GRANT CREATE ON SCHEMA work_queue TO flr_law;
ALTER FUNCTION work_queue.tenants_with_due_approvals() OWNER TO flr_law;
REVOKE CREATE ON SCHEMA work_queue FROM flr_law;
SET LOCAL ROLE flr_law;
REVOKE ALL ON FUNCTION work_queue.tenants_with_due_approvals() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION work_queue.tenants_with_due_approvals() TO flr_app;
RESET ROLE;
