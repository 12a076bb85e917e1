-- How many living subjects, of all companies, a wrapping key still opens: only what opens none may be retired. A number and
-- nothing else leaves it.
GRANT SELECT (kek_id, erased_at) ON governance_ledger.subject_keys TO flr_law;
CREATE POLICY law ON governance_ledger.subject_keys FOR SELECT TO flr_law USING (true);
CREATE INDEX subject_keys_wrapped ON governance_ledger.subject_keys (kek_id) WHERE erased_at IS NULL;

CREATE FUNCTION governance_ledger.subjects_wrapped_by(kek text) RETURNS bigint
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT count(*) FROM governance_ledger.subject_keys WHERE kek_id = kek AND erased_at IS NULL
$$;
REVOKE ALL ON FUNCTION governance_ledger.subjects_wrapped_by(text) FROM PUBLIC;
RESET ROLE;
GRANT CREATE ON SCHEMA governance_ledger TO flr_law;
ALTER FUNCTION governance_ledger.subjects_wrapped_by(text) OWNER TO flr_law;
REVOKE CREATE ON SCHEMA governance_ledger FROM flr_law;
SET LOCAL ROLE flr_law;
REVOKE ALL ON FUNCTION governance_ledger.subjects_wrapped_by(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION governance_ledger.subjects_wrapped_by(text) TO flr_app;
RESET ROLE;
