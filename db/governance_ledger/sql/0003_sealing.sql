INSERT INTO governance_ledger.ledger_mark VALUES (1, pg_current_snapshot());

-- hash(seq) = SHA-256(hash(seq - 1) || int8 seq || leaf)
CREATE FUNCTION governance_ledger.link(state bytea, head bytea, seq bigint, leaf bytea) RETURNS bytea
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN sha256(coalesce(state, head) || int8send(seq) || leaf);

CREATE AGGREGATE governance_ledger.chain(bytea, bigint, bytea) (sfunc = governance_ledger.link, stype = bytea);

-- Links every event that is visible now and was not visible to the last seal; returns how many. A transaction that
-- commits late is neither lost nor does it hold up others. READ COMMITTED only: the linking statement takes its own
-- snapshot after the lock. xids below the old xmax are unsealed only if they were running then, hence no rescans. Nothing new writes nothing.
-- Bounds that say nothing new make the planner take the index.
CREATE FUNCTION governance_ledger.seal() RETURNS bigint
  LANGUAGE plpgsql
AS $$
DECLARE
  sealed bigint;
  before pg_snapshot;
  running xid8[];
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('governance_ledger.seal'));
  SELECT snap INTO STRICT before FROM governance_ledger.ledger_mark;
  running := ARRAY(SELECT pg_snapshot_xip(before));
  WITH this AS MATERIALIZED (
    SELECT pg_current_snapshot() AS snap
  ), fresh AS MATERIALIZED (
    SELECT e.tenant_id, e.xid, e.n, e.leaf, e.occurred_at, e.type, e.ticket_id, e.run_id FROM governance_ledger.governance_events e, this
     WHERE e.xid >= pg_snapshot_xmax(before) AND e.xid < '18446744073709551615' AND pg_visible_in_snapshot(e.xid, this.snap)
    UNION ALL
    SELECT e.tenant_id, e.xid, e.n, e.leaf, e.occurred_at, e.type, e.ticket_id, e.run_id FROM governance_ledger.governance_events e, this
     WHERE e.xid = ANY (running) AND e.xid >= pg_snapshot_xmin(before) AND e.xid < pg_snapshot_xmax(before)
       AND pg_visible_in_snapshot(e.xid, this.snap)
  ), numbered AS (
    SELECT f.*,
           coalesce(h.seq, 0) + row_number() OVER (PARTITION BY f.tenant_id ORDER BY f.xid, f.n) AS seq,
           coalesce(h.hash, sha256(uuid_send(f.tenant_id))) AS head
      FROM fresh f LEFT JOIN governance_ledger.ledger_heads h USING (tenant_id)
  ), linked AS (
    SELECT tenant_id, seq, n, xid, governance_ledger.chain(head, seq, leaf)
             OVER (PARTITION BY tenant_id ORDER BY seq ROWS UNBOUNDED PRECEDING) AS hash,
           occurred_at, type, ticket_id, run_id
      FROM numbered
  ), seals AS (
    INSERT INTO governance_ledger.ledger_seals (tenant_id, seq, n, xid, hash, occurred_at, type, ticket_id, run_id)
    SELECT * FROM linked
    RETURNING tenant_id, seq, hash
  ), heads AS (
    INSERT INTO governance_ledger.ledger_heads AS h (tenant_id, seq, hash)
    SELECT DISTINCT ON (tenant_id) tenant_id, seq, hash FROM seals ORDER BY tenant_id, seq DESC
    ON CONFLICT (tenant_id) DO UPDATE SET seq = excluded.seq, hash = excluded.hash
    RETURNING h.tenant_id, h.seq
  ), told AS (
    SELECT count(pg_notify('console', heads.tenant_id || ' ' || heads.seq)) FROM heads
  ), marked AS (
    UPDATE governance_ledger.ledger_mark SET snap = this.snap FROM this WHERE EXISTS (SELECT FROM fresh) RETURNING 1
  )
  SELECT count(*) INTO sealed FROM seals, (SELECT count FROM told) AS notified;
  RETURN sealed;
END
$$;
