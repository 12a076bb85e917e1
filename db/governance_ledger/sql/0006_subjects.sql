-- A key for each person (or ticket, or customer: a subject) whose data the ledger holds encrypted. To destroy the key is to
-- erase the data: wrapped_key goes, the row stays and says when. It is wrapped by a key that the database never sees.
CREATE TABLE governance_ledger.subject_keys (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  subject text NOT NULL CHECK (subject ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,119}$'),
  kek_id text NOT NULL,
  wrapped_key bytea,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  erased_at timestamptz,
  CONSTRAINT subject_keys_subject UNIQUE (tenant_id, subject),
  CONSTRAINT subject_keys_erased CHECK ((wrapped_key IS NULL) = (erased_at IS NOT NULL))
);

CREATE FUNCTION governance_ledger.stay_erased() RETURNS trigger
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF TG_OP = 'DELETE' OR OLD.erased_at IS NOT NULL OR OLD.subject <> NEW.subject THEN
    RAISE EXCEPTION '% of subject % is refused: a key is replaced or erased, and erased stays erased', TG_OP, OLD.subject
      USING ERRCODE = 'GL001';
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER stay_erased BEFORE UPDATE OR DELETE ON governance_ledger.subject_keys
  FOR EACH ROW EXECUTE FUNCTION governance_ledger.stay_erased();
ALTER TABLE governance_ledger.subject_keys ENABLE ALWAYS TRIGGER stay_erased;

ALTER TABLE governance_ledger.subject_keys ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON governance_ledger.subject_keys TO flr_app
  USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
  WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY auditor ON governance_ledger.subject_keys FOR SELECT TO flr_auditor USING (true);
GRANT SELECT ON governance_ledger.subject_keys TO flr_app;
GRANT INSERT (id, tenant_id, subject, kek_id, wrapped_key) ON governance_ledger.subject_keys TO flr_app;
GRANT UPDATE (kek_id, wrapped_key, erased_at) ON governance_ledger.subject_keys TO flr_app;
GRANT SELECT (id, tenant_id, subject, kek_id, created_at, erased_at) ON governance_ledger.subject_keys TO flr_auditor;
REVOKE ALL ON FUNCTION governance_ledger.stay_erased() FROM PUBLIC;

-- Whose key the bytes were encrypted with, if anybody's.
ALTER TABLE governance_ledger.evidence_objects
  ADD COLUMN subject_id uuid REFERENCES governance_ledger.subject_keys;
GRANT INSERT (subject_id) ON governance_ledger.evidence_objects TO flr_app;
