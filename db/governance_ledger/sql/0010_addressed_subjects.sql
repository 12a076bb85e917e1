-- A subject that can be written about by those who hold no key: the public half of its own. What was sealed to it says so.
ALTER TABLE governance_ledger.subject_keys
  ADD COLUMN public_key bytea CHECK (octet_length(public_key) = 32);
GRANT INSERT (public_key) ON governance_ledger.subject_keys TO flr_app;
GRANT SELECT (public_key) ON governance_ledger.subject_keys TO flr_auditor;

ALTER TABLE governance_ledger.evidence_objects ADD COLUMN alg text;   -- null: A256GCM, where there is a subject at all
GRANT INSERT (alg) ON governance_ledger.evidence_objects TO flr_app;
