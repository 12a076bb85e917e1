-- Taking the bulky bodies of old closed runs away: what was asked and answered, word for word, and the briefs. Steps with
-- states, times, digests and costs stay, and so does every event; evidence is the store's. Never of work that is open in
-- any of its parts, of a call whose outcome nobody knows, nor of the last 32 days, since sums over a month read requests.
ALTER TABLE execution_graph.runs ADD COLUMN pruned_at timestamptz;
GRANT UPDATE (pruned_at) ON execution_graph.runs TO flr_law;
GRANT SELECT ON execution_graph.checkpoints TO flr_law;
CREATE POLICY pruning ON execution_graph.runs FOR SELECT TO flr_law USING (true);
CREATE INDEX runs_to_prune ON execution_graph.runs (closed_at) WHERE pruned_at IS NULL AND closed_at IS NOT NULL;

CREATE FUNCTION execution_graph.prunable_runs(days int, most int) RETURNS TABLE (run_id uuid, steps int, bytes bigint)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT r.id, s.steps, s.bytes + octet_length(r.brief)
  FROM execution_graph.runs r
  CROSS JOIN LATERAL (
    SELECT count(*)::int AS steps, coalesce(bool_or(kind = 'tool' AND state IN ('started', 'unknown')), false) AS doubtful,
      coalesce(sum(octet_length(request) + coalesce(octet_length(answer), 0) + coalesce(octet_length(edited), 0)), 0)::bigint
        AS bytes
    FROM execution_graph.run_steps WHERE run_steps.run_id = r.id
  ) s
  WHERE r.tenant_id = nullif(current_setting('app.tenant', true), '')::uuid AND r.pruned_at IS NULL AND NOT s.doubtful
    AND r.closed_at < clock.now() - make_interval(days => greatest(days, 32))
    AND NOT EXISTS (
      SELECT FROM execution_graph.runs o
      WHERE (o.id = coalesce(r.first_run_id, r.id) OR o.first_run_id = coalesce(r.first_run_id, r.id))
        AND (o.closed_at IS NULL OR o.closed_at >= clock.now() - make_interval(days => greatest(days, 32))))
  ORDER BY r.closed_at LIMIT most
$$;

CREATE FUNCTION execution_graph.prune_runs(days int, most int) RETURNS TABLE (run_id uuid, steps int, bytes bigint)
  LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  WITH chosen AS MATERIALIZED (
    SELECT p.* FROM execution_graph.prunable_runs(days, most) p
  ), pruned AS (
    UPDATE execution_graph.runs r SET brief = '', pruned_at = clock.now()
      FROM chosen c WHERE r.id = c.run_id AND r.pruned_at IS NULL RETURNING r.id
  ), bodies AS (
    UPDATE execution_graph.run_steps s SET request = '{"arguments":{}}', edited = NULL,
      answer = CASE WHEN answer IS NULL THEN NULL
        WHEN kind = 'tool' THEN json_build_object('status', answer::json -> 'status', 'content', w.said)::text
        ELSE json_build_object('answer', NULL, 'failure', w.said)::text END
      FROM (SELECT 'Pruned on ' || to_char(clock.now() AT TIME ZONE 'UTC', 'YYYY-MM-DD') || '.' AS said) w
     WHERE s.run_id IN (SELECT id FROM pruned)
  ), proposals AS (
    UPDATE execution_graph.outside_proposals o SET proposal = '{"type":"proposed","name":"pruned","arguments":{}}'
     WHERE o.run_id IN (SELECT id FROM pruned)
  )
  SELECT c.run_id, c.steps, c.bytes FROM chosen c JOIN pruned ON pruned.id = c.run_id
$$;

-- Whose runs are due, or left a backbone's checkpoints behind: ids of tenants, for the sweep of any worker.
CREATE FUNCTION execution_graph.tenants_to_prune(days int) RETURNS SETOF uuid
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT tenant_id FROM execution_graph.runs
   WHERE days > 0 AND pruned_at IS NULL AND closed_at < clock.now() - make_interval(days => greatest(days, 32))
  UNION
  SELECT r.tenant_id FROM (SELECT DISTINCT thread_id FROM execution_graph.checkpoints) c
    JOIN execution_graph.runs r ON r.id::text = c.thread_id
   WHERE r.closed_at < clock.now() - interval '1 hour'
$$;
RESET ROLE;
GRANT CREATE ON SCHEMA execution_graph TO flr_law;
ALTER FUNCTION execution_graph.prunable_runs(int, int) OWNER TO flr_law;
ALTER FUNCTION execution_graph.prune_runs(int, int) OWNER TO flr_law;
ALTER FUNCTION execution_graph.tenants_to_prune(int) OWNER TO flr_law;
REVOKE CREATE ON SCHEMA execution_graph FROM flr_law;
SET LOCAL ROLE flr_law;
REVOKE ALL ON FUNCTION execution_graph.prunable_runs(int, int), execution_graph.prune_runs(int, int),
  execution_graph.tenants_to_prune(int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION execution_graph.prunable_runs(int, int), execution_graph.prune_runs(int, int),
  execution_graph.tenants_to_prune(int) TO flr_app;
RESET ROLE;
