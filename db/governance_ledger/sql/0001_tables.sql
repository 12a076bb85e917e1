CREATE SCHEMA governance_ledger;

-- The application inserts what the grants name; body comes as "data":{...},"evidence":[...] and the stamp trigger
-- replaces it by the whole canonical document, made of these columns. body is text, never jsonb: its bytes are what is
-- hashed. n orders events and row changes: "covered" means an event with a greater n in the same transaction. What the
-- application has no right to insert comes from the defaults.
CREATE TABLE governance_ledger.governance_events (
  tenant_id uuid NOT NULL,
  n bigint GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME governance_ledger.n),
  event_id uuid NOT NULL,
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  occurred_at timestamptz NOT NULL,
  type text COLLATE "C" NOT NULL,
  actor text NOT NULL,
  ticket_id uuid,
  run_id uuid,
  step integer,
  expect integer,
  effect_n integer NOT NULL DEFAULT 0,
  effect_digest bytea NOT NULL DEFAULT '\xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  leaf bytea NOT NULL,
  subjects text[] NOT NULL DEFAULT '{}',
  evidence_url text,
  evidence_sha256 text GENERATED ALWAYS AS (right(evidence_url, 64)) STORED,
  approval_signature text,
  body text NOT NULL,
  PRIMARY KEY (xid, n),
  CONSTRAINT governance_events_event_id UNIQUE (event_id)
) WITH (toast_tuple_target = 8128);
COMMENT ON TABLE governance_ledger.governance_events IS 'Law 17: every act, in the transaction of its effect. Write once.';

-- Every change of a row that is governed in the digest form. The old image is the new_image of the key's previous change.
-- No index but the primary key: with one that leads with the tenant the planner reads a tenant's whole history at each event.
CREATE TABLE governance_ledger.changes (
  xid xid8 NOT NULL,
  n bigint NOT NULL,
  tenant_id uuid NOT NULL,
  rel text NOT NULL,
  key text NOT NULL,
  op "char" NOT NULL,
  old_hash bytea,
  new_image text,
  digest bytea NOT NULL,
  PRIMARY KEY (xid, n)
);

-- The chain, and what an event is found by: an index that the sealer writes costs the business transaction nothing.
-- What is not sealed yet is found by its xid, from the mark on.
CREATE TABLE governance_ledger.ledger_seals (
  tenant_id uuid NOT NULL,
  seq bigint NOT NULL,
  n bigint NOT NULL,
  xid xid8 NOT NULL,
  hash bytea NOT NULL,
  sealed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  occurred_at timestamptz NOT NULL,
  type text COLLATE "C" NOT NULL,
  ticket_id uuid,
  run_id uuid,
  PRIMARY KEY (tenant_id, seq),
  CONSTRAINT ledger_seals_once UNIQUE (tenant_id, n)
);
CREATE INDEX ledger_seals_type ON governance_ledger.ledger_seals (tenant_id, type, occurred_at);
CREATE INDEX ledger_seals_ticket ON governance_ledger.ledger_seals (ticket_id, n) WHERE ticket_id IS NOT NULL;
CREATE INDEX ledger_seals_run ON governance_ledger.ledger_seals (run_id, n) WHERE run_id IS NOT NULL;

CREATE TABLE governance_ledger.ledger_heads (
  tenant_id uuid PRIMARY KEY,
  seq bigint NOT NULL,
  hash bytea NOT NULL
) WITH (fillfactor = 50);

-- The snapshot of the last seal: what is visible now and was not visible then is what is to be sealed.
CREATE TABLE governance_ledger.ledger_mark (
  one integer PRIMARY KEY CHECK (one = 1),
  snap pg_snapshot NOT NULL
);

-- serial is gapless for each tenant, so that one more checkpoint in the store than here shows a truncation.
CREATE TABLE governance_ledger.ledger_checkpoints (
  tenant_id uuid NOT NULL,
  serial bigint NOT NULL CHECK (serial > 0),
  size bigint NOT NULL,
  head_hash bytea NOT NULL,
  root_hash bytea NOT NULL,
  frontier bytea NOT NULL,
  kid text NOT NULL,
  signed_at timestamptz NOT NULL,
  note text NOT NULL,
  key text NOT NULL,
  PRIMARY KEY (tenant_id, serial),
  CONSTRAINT ledger_checkpoints_size UNIQUE (tenant_id, size)
);

-- Public keys that have signed checkpoints here. Who trusts nobody brings the key from elsewhere.
CREATE TABLE governance_ledger.ledger_keys (
  kid text PRIMARY KEY,
  public_key bytea NOT NULL CHECK (octet_length(public_key) = 32),
  first_used_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- How far a tenant's chain was recomputed: where incremental verifying goes on.
CREATE TABLE governance_ledger.ledger_verifications (
  tenant_id uuid NOT NULL,
  seq bigint NOT NULL,
  hash bytea NOT NULL,
  verified_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX ledger_verifications_last ON governance_ledger.ledger_verifications (tenant_id, seq DESC);

-- Not unique on purpose: two transactions that keep the same bytes must not wait for each other.
CREATE TABLE governance_ledger.evidence_objects (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant_id uuid NOT NULL,
  sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  key text NOT NULL,
  size_bytes bigint NOT NULL CHECK (size_bytes >= 0),
  media_type text NOT NULL,
  name text NOT NULL,
  kept_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX evidence_objects_sha256 ON governance_ledger.evidence_objects (tenant_id, sha256);

-- Bytes that wait for the store; the sealer's mover deletes a row once the store has confirmed it.
CREATE TABLE governance_ledger.evidence_spool (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id uuid NOT NULL,
  key text NOT NULL,
  sha256 text NOT NULL,
  media_type text NOT NULL,
  content bytea NOT NULL,
  spooled_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX evidence_spool_key ON governance_ledger.evidence_spool (tenant_id, key);
ALTER TABLE governance_ledger.evidence_spool ALTER COLUMN content SET STORAGE EXTERNAL;
