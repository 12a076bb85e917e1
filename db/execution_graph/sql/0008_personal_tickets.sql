-- What runs of erased tickets leave: their steps with states, times and costs, and not a word of what was asked or answered.
-- The application may not change a recorded request or note; this function may, of closed runs of the tickets named.
GRANT SELECT, UPDATE (brief, summary) ON execution_graph.runs TO flr_law;
GRANT SELECT, UPDATE (request, edited, answer) ON execution_graph.run_steps TO flr_law;
GRANT SELECT, UPDATE (text) ON execution_graph.notes TO flr_law;
GRANT SELECT, UPDATE (name) ON execution_graph.documents TO flr_law;
GRANT SELECT, UPDATE (proposal) ON execution_graph.outside_proposals TO flr_law;
DO $tenants$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['runs', 'run_steps', 'notes', 'documents', 'outside_proposals'] LOOP
    EXECUTE format('CREATE POLICY blanking ON execution_graph.%I TO flr_law
      USING (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', t);
  END LOOP;
END
$tenants$;

CREATE FUNCTION execution_graph.blank_runs(tickets uuid[]) RETURNS TABLE (changed text)
  LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  WITH closed AS (
    UPDATE execution_graph.runs SET brief = '', summary = ''
     WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid AND ticket_id = ANY (tickets)
       AND closed_at IS NOT NULL
    RETURNING id
  ), steps AS (
    UPDATE execution_graph.run_steps SET request = '{"arguments":{}}', edited = NULL,
           answer = CASE WHEN kind = 'tool' AND answer IS NOT NULL
             THEN json_build_object('status', answer::json -> 'status', 'content', '')::text END
     WHERE run_id IN (SELECT id FROM closed)
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
REVOKE ALL ON FUNCTION execution_graph.blank_runs(uuid[]) FROM PUBLIC;
RESET ROLE;
GRANT CREATE ON SCHEMA execution_graph TO flr_law;
ALTER FUNCTION execution_graph.blank_runs(uuid[]) OWNER TO flr_law;
REVOKE CREATE ON SCHEMA execution_graph FROM flr_law;
SET LOCAL ROLE flr_law;
REVOKE ALL ON FUNCTION execution_graph.blank_runs(uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION execution_graph.blank_runs(uuid[]) TO flr_app;
RESET ROLE;
