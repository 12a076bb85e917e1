-- The receipts that callers were handed, as they were handed out: each in the transaction of its event. No reference to the
-- event: whoever cuts it away is shown by the receipt that stays. Write once.
CREATE TABLE governance_ledger.ledger_receipts (
  tenant_id uuid NOT NULL,
  event_id uuid NOT NULL,
  receipt text COLLATE "C" NOT NULL CHECK (octet_length(receipt) BETWEEN 1 AND 2000),
  PRIMARY KEY (tenant_id, event_id)
);

CREATE TRIGGER worm_statement BEFORE UPDATE OR DELETE ON governance_ledger.ledger_receipts
  FOR EACH STATEMENT EXECUTE FUNCTION governance_ledger.worm();
CREATE TRIGGER worm_row BEFORE UPDATE OR DELETE ON governance_ledger.ledger_receipts
  FOR EACH ROW EXECUTE FUNCTION governance_ledger.worm();
CREATE TRIGGER worm_truncate BEFORE TRUNCATE ON governance_ledger.ledger_receipts
  FOR EACH STATEMENT EXECUTE FUNCTION governance_ledger.worm();
ALTER TABLE governance_ledger.ledger_receipts ENABLE ALWAYS TRIGGER worm_statement,
  ENABLE ALWAYS TRIGGER worm_row, ENABLE ALWAYS TRIGGER worm_truncate;

ALTER TABLE governance_ledger.ledger_receipts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON governance_ledger.ledger_receipts TO flr_app
  USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
  WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY auditor ON governance_ledger.ledger_receipts FOR SELECT TO flr_auditor USING (true);
GRANT SELECT ON governance_ledger.ledger_receipts TO flr_app, flr_auditor;
GRANT INSERT (tenant_id, event_id, receipt) ON governance_ledger.ledger_receipts TO flr_app;
