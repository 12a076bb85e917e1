-- What sums over time read of a call stays when its ticket is erased: for each argument that a rule of the role adds up, the
-- sum of its numbers, and nothing else of the request. The application names the arguments; the function reads the numbers.
ALTER TABLE execution_graph.run_steps ADD COLUMN summed jsonb;
GRANT UPDATE (summed) ON execution_graph.run_steps TO flr_law;

-- `kept` is a list of {"role_id", "tool", "path", "jsonpath"}: what to keep of the calls of a role's tool.
CREATE FUNCTION execution_graph.blank_runs(tickets uuid[], kept jsonb) RETURNS TABLE (changed text)
  LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  WITH closed AS (
    UPDATE execution_graph.runs SET brief = '', summary = ''
     WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid AND ticket_id = ANY (tickets)
       AND closed_at IS NOT NULL
    RETURNING id, role_id
  ), steps AS (
    UPDATE execution_graph.run_steps s SET request = '{"arguments":{}}', edited = NULL,
           answer = CASE WHEN kind = 'tool' AND answer IS NOT NULL
             THEN json_build_object('status', answer::json -> 'status', 'content', '')::text END,
           summed = coalesce(s.summed, (
             SELECT jsonb_object_agg(k.path, v.total)
               FROM jsonb_to_recordset(kept) AS k (role_id uuid, tool text, path text, jsonpath text)
               CROSS JOIN LATERAL (
                 SELECT sum((n #>> '{}')::numeric) AS total
                   FROM jsonb_path_query(CASE WHEN s.edited IS NULL THEN s.request::jsonb
                                              ELSE jsonb_build_object('arguments', s.edited::jsonb) END,
                                         k.jsonpath::jsonpath) part,
                        jsonb_path_query(part, 'strict $.**') n
                  WHERE jsonb_typeof(n) IN ('number', 'string') AND n #>> '{}' ~ '^[0-9]{1,40}(\.[0-9]{1,40})?$'
               ) v
              WHERE k.role_id = c.role_id AND k.tool = s.name AND s.kind = 'tool' AND v.total IS NOT NULL))
      FROM closed c
     WHERE s.run_id = c.id
  ), notes AS (
    UPDATE execution_graph.notes SET text = '' WHERE run_id IN (SELECT id FROM closed) RETURNING id
  ), documents AS (
    UPDATE execution_graph.documents SET name = id::text WHERE run_id IN (SELECT id FROM closed) RETURNING id
  ), proposals AS (
    UPDATE execution_graph.outside_proposals SET proposal = '{}' WHERE run_id IN (SELECT id FROM closed)
  )
  SELECT 'execution_graph.runs/' || id FROM closed
  UNION ALL SELECT 'execution_graph.notes/' || id FROM notes
  UNION ALL SELECT 'execution_graph.documents/' || id FROM documents
$$;
REVOKE ALL ON FUNCTION execution_graph.blank_runs(uuid[], jsonb) FROM PUBLIC;
RESET ROLE;
GRANT CREATE ON SCHEMA execution_graph TO flr_law;
ALTER FUNCTION execution_graph.blank_runs(uuid[], jsonb) OWNER TO flr_law;
REVOKE CREATE ON SCHEMA execution_graph FROM flr_law;
SET LOCAL ROLE flr_law;
REVOKE ALL ON FUNCTION execution_graph.blank_runs(uuid[], jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION execution_graph.blank_runs(uuid[], jsonb) TO flr_app;
RESET ROLE;
