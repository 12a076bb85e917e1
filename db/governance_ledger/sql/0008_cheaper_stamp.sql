-- The stamp again, for less: one format string in place of thirty parts, each of which a backend looked up once a
-- transaction; and evidence_sha256 set here, since PostgreSQL parses a generated column's expression at each insert.
-- The document's bytes are the same. What the comment on the first form says holds: no pinned settings, every name whole.
ALTER TABLE governance_ledger.governance_events ALTER COLUMN evidence_sha256 DROP EXPRESSION;

CREATE OR REPLACE FUNCTION governance_ledger.stamp() RETURNS trigger
  LANGUAGE plpgsql
AS $$
DECLARE
  wide pg_catalog.int4 := 0;
  shape pg_catalog.text;
  document pg_catalog.text;
BEGIN
  IF NEW.expect IS NOT NULL OR pg_catalog.cardinality(NEW.subjects) OPERATOR(pg_catalog.>) 0 THEN
    IF NEW.subjects OPERATOR(pg_catalog.=) '{}' THEN
      RAISE EXCEPTION 'law: expect without a subject' USING ERRCODE = 'GL005';
    END IF;
    -- What is left of ' a.b/c d.e ' is ' /  ': two spaces side by side are a subject without a key.
    shape := pg_catalog.translate(pg_catalog.concat(' ', pg_catalog.array_to_string(NEW.subjects, ' '), ' '),
      'abcdefghijklmnopqrstuvwxyz0123456789_.-:ABCDEFGHIJKLMNOPQRSTUVWXYZ', '');
    IF pg_catalog.array_ndims(NEW.subjects) OPERATOR(pg_catalog.<>) 1
       OR pg_catalog.array_position(NEW.subjects, NULL) IS NOT NULL
       OR pg_catalog.translate(shape, ' /', '') OPERATOR(pg_catalog.<>) '' THEN
      RAISE EXCEPTION 'subjects are schema.table/key, or schema.table: %', NEW.subjects USING ERRCODE = 'GL004';
    END IF;
    IF EXISTS (SELECT FROM governance_ledger.changes h WHERE h.xid OPERATOR(pg_catalog.=) NEW.xid) THEN
      SELECT g.taken, g.wide, g.digest INTO STRICT NEW.effect_n, wide, NEW.effect_digest
        FROM governance_ledger.gather(NEW.tenant_id, NEW.subjects) g;
    END IF;
    IF pg_catalog.strpos(shape, '  ') OPERATOR(pg_catalog.>) 0 THEN
      IF NEW.expect IS NULL OR NEW.expect OPERATOR(pg_catalog.<>) wide THEN
        RAISE EXCEPTION 'law: event expects % changes of whole tables among %, found %', NEW.expect, NEW.subjects, wide
          USING ERRCODE = 'GL005';
      END IF;
    ELSIF NEW.expect IS NOT NULL THEN
      RAISE EXCEPTION 'law: expect is for subjects that name a whole table; % names keys', NEW.subjects
        USING ERRCODE = 'GL005';
    END IF;
  END IF;
  IF NEW.evidence_url IS NULL THEN
    IF pg_catalog.strpos(NEW.body, ',"evidence":[]') OPERATOR(pg_catalog.=) 0 THEN
      RAISE EXCEPTION 'body must say "evidence":[]: the columns name none' USING ERRCODE = 'GL004';
    END IF;
  ELSE
    IF pg_catalog.strpos(NEW.body, pg_catalog.concat(',"evidence":[{"key":"', NEW.evidence_url, '",'))
         OPERATOR(pg_catalog.=) 0 THEN
      RAISE EXCEPTION 'body must name the evidence of the columns' USING ERRCODE = 'GL004';
    END IF;
    NEW.evidence_sha256 := pg_catalog.right(NEW.evidence_url, 64);
  END IF;
  IF NOT pg_catalog.starts_with(NEW.body, '"data":{') THEN
    RAISE EXCEPTION 'body must be "data":{...},"evidence":[...]' USING ERRCODE = 'GL004';
  END IF;
  document := pg_catalog.format(
    '{"at":"%s","body":{"actor":%s,"approval":%s,%s,"occurred_at":"%s","run_id":%s,"step":%s,"ticket_id":%s,"type":%s},'
    '"effect":{"digest":"%s","n":"%s"},"id":"%s","n":"%s","subjects":%s,"tenant":"%s","v":"1","xid":"%s"}',
    pg_catalog.to_char(pg_catalog.timezone('UTC', NEW.recorded_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    pg_catalog.to_json(NEW.actor),
    coalesce(pg_catalog.to_json(NEW.approval_signature), 'null'),
    NEW.body,
    pg_catalog.to_char(pg_catalog.timezone('UTC', NEW.occurred_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    coalesce(pg_catalog.to_json(NEW.run_id), 'null'),
    coalesce(pg_catalog.to_json(NEW.step), 'null'),
    coalesce(pg_catalog.to_json(NEW.ticket_id), 'null'),
    pg_catalog.to_json(NEW.type),
    pg_catalog.encode(NEW.effect_digest, 'hex'), NEW.effect_n,
    NEW.event_id, NEW.n, pg_catalog.array_to_json(NEW.subjects),
    NEW.tenant_id, NEW.xid);
  IF document IS NOT JSON OBJECT WITH UNIQUE KEYS THEN
    RAISE EXCEPTION 'body must be one JSON object without a member twice' USING ERRCODE = 'GL004';
  END IF;
  NEW.body := document;
  NEW.leaf := pg_catalog.sha256(
    pg_catalog.decode('00', 'hex') OPERATOR(pg_catalog.||) pg_catalog.convert_to(document, 'UTF8'));
  RETURN NEW;
END
$$;
