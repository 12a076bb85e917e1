-- When each founder is told how the company stands, by itself. Times are local to the founder, else to the company.
ALTER TABLE founder_console.founders
  ADD COLUMN brief_at time DEFAULT '07:00',            -- NULL: not told
  ADD COLUMN brief_days smallint[] NOT NULL DEFAULT '{1,2,3,4,5,6,7}',  -- 1 is Monday
  ADD COLUMN brief_letters boolean NOT NULL DEFAULT true,  -- also on second channels
  ADD COLUMN brief_due_at timestamptz,                 -- NULL: to be reckoned anew
  ADD COLUMN brief_told_on date;                       -- the newest local day that was told of: never twice
GRANT UPDATE (brief_at, brief_days, brief_letters, brief_due_at, brief_told_on) ON founder_console.founders TO flr_app;
CREATE INDEX founders_brief_due ON founder_console.founders (brief_due_at NULLS FIRST) WHERE brief_at IS NOT NULL;

-- A notice about a day's brief names the day; one about a question names the question; a trial neither.
ALTER TABLE founder_console.notices ADD COLUMN brief_on date;

-- Tenants with a founder whose brief is due, or who has just changed when: the sweeper enters each before it reads.
CREATE FUNCTION founder_console.tenants_with_due_briefs() RETURNS SETOF uuid
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT DISTINCT f.tenant_id FROM founder_console.founders f
  WHERE f.brief_at IS NOT NULL AND (f.brief_due_at IS NULL OR f.brief_due_at <= clock.now())
$$;
REVOKE ALL ON FUNCTION founder_console.tenants_with_due_briefs() FROM PUBLIC;
CREATE POLICY morning ON founder_console.founders FOR SELECT TO flr_law USING (true);
GRANT SELECT (tenant_id, brief_at, brief_due_at) ON founder_console.founders TO flr_law;
RESET ROLE;
GRANT CREATE ON SCHEMA founder_console TO flr_law;
ALTER FUNCTION founder_console.tenants_with_due_briefs() OWNER TO flr_law;
REVOKE CREATE ON SCHEMA founder_console FROM flr_law;
SET LOCAL ROLE flr_law;
REVOKE ALL ON FUNCTION founder_console.tenants_with_due_briefs() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION founder_console.tenants_with_due_briefs() TO flr_app;
RESET ROLE;
