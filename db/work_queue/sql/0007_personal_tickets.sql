-- Whose data a ticket holds, where they are personal, and since when they are erased. The application may say the one when
-- it opens the ticket and never again; texts go by the function below alone, from closed tickets of a subject.
ALTER TABLE work_queue.tickets
  ADD COLUMN subject text,
  ADD COLUMN erased_at timestamptz;
CREATE INDEX tickets_of_subject ON work_queue.tickets (tenant_id, subject) WHERE subject IS NOT NULL;

GRANT SELECT, UPDATE (version, title, instructions, fields, result, erased_at) ON work_queue.tickets TO flr_law;
GRANT SELECT, UPDATE (name) ON work_queue.ticket_inputs TO flr_law;
GRANT UPDATE (payload, reason) ON work_queue.approvals TO flr_law;
DO $tenants$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['tickets', 'ticket_inputs', 'approvals'] LOOP
    EXECUTE format('CREATE POLICY blanking ON work_queue.%I FOR UPDATE TO flr_law
      USING (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', t);
  END LOOP;
END
$tenants$;

-- The rows that an event of the transaction must name (Law 17). The bytes behind the files are the ledger's to erase.
CREATE FUNCTION work_queue.blank_tickets(whose text) RETURNS TABLE (changed text)
  LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  WITH closed AS (
    UPDATE work_queue.tickets SET title = '-', instructions = '', fields = '{}', result = '', version = version + 1,
           erased_at = clock.now()
     WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid AND subject = whose AND erased_at IS NULL
       AND status IN ('done', 'returned', 'refused', 'failed', 'cancelled')
    RETURNING id
  ), files AS (
    UPDATE work_queue.ticket_inputs SET name = id::text WHERE ticket_id IN (SELECT id FROM closed)
  ), questions AS (
    UPDATE work_queue.approvals SET payload = '{}', reason = ''
     WHERE ticket_id IN (SELECT id FROM closed) AND status <> 'pending'
       AND kind IN ('start', 'tool_call', 'unknown_outcome')
    RETURNING id
  )
  SELECT 'work_queue.tickets/' || id FROM closed UNION ALL SELECT 'work_queue.approvals/' || id FROM questions
$$;
REVOKE ALL ON FUNCTION work_queue.blank_tickets(text) FROM PUBLIC;
RESET ROLE;
GRANT CREATE ON SCHEMA work_queue TO flr_law;
ALTER FUNCTION work_queue.blank_tickets(text) OWNER TO flr_law;
REVOKE CREATE ON SCHEMA work_queue FROM flr_law;
SET LOCAL ROLE flr_law;
REVOKE ALL ON FUNCTION work_queue.blank_tickets(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION work_queue.blank_tickets(text) TO flr_app;
RESET ROLE;
