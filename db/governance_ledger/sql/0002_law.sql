-- SQLSTATEs: GL001 write once; GL002 no event; GL003 key or tenant changed; GL004 body; GL005 expect.

CREATE FUNCTION governance_ledger.worm() RETURNS trigger
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RAISE EXCEPTION '% on % is refused: the ledger is write once', TG_OP, TG_RELID::regclass USING ERRCODE = 'GL001';
END
$$;

-- What an event accounts for in the digest form: the changes of this transaction and tenant that its subjects name and
-- that no earlier event took. wide counts those of tables that are named without a key.
CREATE FUNCTION governance_ledger.gather(tenant uuid, subjects text[], OUT taken integer, OUT wide integer, OUT digest bytea)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT count(*), count(*) FILTER (WHERE h.rel = ANY (gather.subjects)),
         sha256(coalesce(string_agg(h.digest, '' ORDER BY h.n), ''))
    FROM governance_ledger.changes h
   WHERE h.xid = pg_current_xact_id() AND h.tenant_id = gather.tenant
     AND (h.rel || '/' || h.key = ANY (gather.subjects) OR h.rel = ANY (gather.subjects))
     AND NOT EXISTS (
       SELECT FROM governance_ledger.governance_events e
        WHERE e.xid = h.xid AND e.n > h.n AND e.tenant_id = h.tenant_id
          AND (h.rel || '/' || h.key = ANY (e.subjects) OR h.rel = ANY (e.subjects)));
END;

-- Before an event is inserted: the changes it accounts for, the canonical document, its leaf hash.
-- docs/ledger-format.md says what stands in the document. Runs with the caller's rights and his search path, since a pinned
-- function costs a third of an append: hence every function, operator and type is named with its schema, and no
-- backslash stands in a literal.
CREATE FUNCTION governance_ledger.stamp() RETURNS trigger
  LANGUAGE plpgsql
AS $$
DECLARE
  wide pg_catalog.int4 := 0;
  shape pg_catalog.text;
BEGIN
  IF pg_catalog.cardinality(NEW.subjects) OPERATOR(pg_catalog.>) 0 THEN
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
  ELSIF NEW.expect IS NOT NULL THEN
    RAISE EXCEPTION 'law: expect without a subject' USING ERRCODE = 'GL005';
  END IF;
  IF NOT pg_catalog.starts_with(NEW.body, '"data":{') OR (CASE WHEN NEW.evidence_url IS NULL
      THEN pg_catalog.strpos(NEW.body, ',"evidence":[]') OPERATOR(pg_catalog.=) 0
      ELSE pg_catalog.strpos(NEW.body, pg_catalog.concat(',"evidence":[{"key":"', NEW.evidence_url, '",'))
             OPERATOR(pg_catalog.=) 0
      END) THEN
    RAISE EXCEPTION 'body must be "data":{...},"evidence":[...] and name the evidence of the columns'
      USING ERRCODE = 'GL004';
  END IF;
  NEW.body := pg_catalog.concat(
    '{"at":"', pg_catalog.to_char(pg_catalog.timezone('UTC', NEW.recorded_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    '","body":{"actor":', pg_catalog.to_json(NEW.actor),
    ',"approval":', coalesce(pg_catalog.to_json(NEW.approval_signature)::pg_catalog.text, 'null'), ',',
    NEW.body,
    ',"occurred_at":"', pg_catalog.to_char(pg_catalog.timezone('UTC', NEW.occurred_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    '","run_id":', coalesce(pg_catalog.to_json(NEW.run_id)::pg_catalog.text, 'null'),
    ',"step":', coalesce(NEW.step::pg_catalog.text, 'null'),
    ',"ticket_id":', coalesce(pg_catalog.to_json(NEW.ticket_id)::pg_catalog.text, 'null'),
    ',"type":', pg_catalog.to_json(NEW.type),
    '},"effect":{"digest":"', pg_catalog.encode(NEW.effect_digest, 'hex'), '","n":"', NEW.effect_n,
    '"},"id":"', NEW.event_id, '","n":"', NEW.n, '","subjects":', pg_catalog.array_to_json(NEW.subjects),
    ',"tenant":"', NEW.tenant_id, '","v":"1","xid":"', NEW.xid, '"}');
  IF NEW.body IS NOT JSON OBJECT WITH UNIQUE KEYS THEN
    RAISE EXCEPTION 'body must be one JSON object without a member twice' USING ERRCODE = 'GL004';
  END IF;
  NEW.leaf := pg_catalog.sha256(
    pg_catalog.decode('00', 'hex') OPERATOR(pg_catalog.||) pg_catalog.convert_to(NEW.body, 'UTF8'));
  RETURN NEW;
END
$$;

-- The presence form, at commit: an event of this transaction and tenant names this row. Arguments: logical name, key
-- column. A table named without a key covers nothing here.
CREATE FUNCTION governance_ledger.law_presence() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  new_key text;
  old_key text;
  tenant uuid;
BEGIN
  IF TG_OP <> 'DELETE' THEN
    new_key := CASE WHEN TG_ARGV[1] = 'id' THEN NEW.id::text ELSE to_jsonb(NEW) ->> TG_ARGV[1] END;
    tenant := NEW.tenant_id;
  END IF;
  IF TG_OP <> 'INSERT' THEN
    old_key := CASE WHEN TG_ARGV[1] = 'id' THEN OLD.id::text ELSE to_jsonb(OLD) ->> TG_ARGV[1] END;
    tenant := OLD.tenant_id;
  END IF;
  IF TG_OP = 'UPDATE' AND (old_key <> new_key OR OLD.tenant_id <> NEW.tenant_id) THEN
    RAISE EXCEPTION 'law: key or tenant of % may not change', TG_ARGV[0] USING ERRCODE = 'GL003';
  END IF;
  PERFORM FROM governance_ledger.governance_events e
    WHERE e.xid = pg_current_xact_id() AND e.tenant_id = tenant
      AND TG_ARGV[0] || '/' || coalesce(new_key, old_key) = ANY (e.subjects);
  IF NOT FOUND THEN
    RAISE EXCEPTION 'law: % on %/% has no governance event in transaction %',
      TG_OP, TG_ARGV[0], coalesce(new_key, old_key), pg_current_xact_id() USING ERRCODE = 'GL002';
  END IF;
  RETURN NULL;
END
$$;

-- The digest form, part one: record each change. Arguments: logical name, key column, columns that enter the image as
-- their SHA-256 only. The pinned settings make the image independent of the session.
CREATE FUNCTION governance_ledger.capture() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  SET timezone = 'UTC' SET datestyle = 'ISO, YMD' SET intervalstyle = 'iso_8601' SET bytea_output = 'hex'
  SET extra_float_digits = 1
AS $$
DECLARE
  gone jsonb;
  came jsonb;
  row_key text;
  tenant uuid;
  old_hash bytea;
  image text;
  column_name text;
BEGIN
  IF TG_OP <> 'INSERT' THEN gone := to_jsonb(OLD); END IF;
  IF TG_OP <> 'DELETE' THEN came := to_jsonb(NEW); END IF;
  row_key := coalesce(came, gone) ->> TG_ARGV[1];
  tenant := (coalesce(came, gone) ->> 'tenant_id')::uuid;
  IF TG_OP = 'UPDATE' AND (gone ->> TG_ARGV[1] <> row_key OR (gone ->> 'tenant_id')::uuid <> tenant) THEN
    RAISE EXCEPTION 'law: key or tenant of % may not change', TG_ARGV[0] USING ERRCODE = 'GL003';
  END IF;
  FOR place IN 2 .. TG_NARGS - 1 LOOP
    column_name := TG_ARGV[place];
    gone := gone || jsonb_build_object(column_name,
      'sha256:' || encode(sha256(convert_to(gone ->> column_name, 'UTF8')), 'hex'));
    came := came || jsonb_build_object(column_name,
      'sha256:' || encode(sha256(convert_to(came ->> column_name, 'UTF8')), 'hex'));
  END LOOP;
  old_hash := sha256(convert_to(gone::text, 'UTF8'));
  image := came::text;
  INSERT INTO governance_ledger.changes (xid, n, tenant_id, rel, key, op, old_hash, new_image, digest)
  VALUES (
    pg_current_xact_id(), nextval('governance_ledger.n'), tenant, TG_ARGV[0], row_key, left(TG_OP, 1)::"char",
    old_hash, image,
    sha256(convert_to(concat_ws(E'\n', 'change/v1', tenant, TG_ARGV[0], row_key, left(TG_OP, 1),
      coalesce(encode(old_hash, 'hex'), '-'),
      coalesce(encode(sha256(convert_to(image, 'UTF8')), 'hex'), '-')), 'UTF8')));
  RETURN NULL;
END
$$;

-- The digest form, part two, at commit: an event after the change names it.
CREATE FUNCTION governance_ledger.law_digest() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM FROM governance_ledger.governance_events e
    WHERE e.xid = NEW.xid AND e.n > NEW.n AND e.tenant_id = NEW.tenant_id
      AND (NEW.rel || '/' || NEW.key = ANY (e.subjects) OR NEW.rel = ANY (e.subjects));
  IF NOT FOUND THEN
    RAISE EXCEPTION 'law: % on %/% has no governance event after it in transaction %', NEW.op, NEW.rel, NEW.key, NEW.xid
      USING ERRCODE = 'GL002';
  END IF;
  RETURN NULL;
END
$$;

CREATE TRIGGER a_stamp BEFORE INSERT ON governance_ledger.governance_events
  FOR EACH ROW EXECUTE FUNCTION governance_ledger.stamp();
ALTER TABLE governance_ledger.governance_events ENABLE ALWAYS TRIGGER a_stamp;

CREATE CONSTRAINT TRIGGER law AFTER INSERT ON governance_ledger.changes DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION governance_ledger.law_digest();
ALTER TABLE governance_ledger.changes ENABLE ALWAYS TRIGGER law;

DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['governance_events', 'changes', 'ledger_seals', 'ledger_checkpoints', 'ledger_keys',
                              'ledger_verifications', 'evidence_objects'] LOOP
    EXECUTE format('CREATE TRIGGER worm_statement BEFORE UPDATE OR DELETE ON governance_ledger.%I
      FOR EACH STATEMENT EXECUTE FUNCTION governance_ledger.worm()', name);
    EXECUTE format('CREATE TRIGGER worm_row BEFORE UPDATE OR DELETE ON governance_ledger.%I
      FOR EACH ROW EXECUTE FUNCTION governance_ledger.worm()', name);
    EXECUTE format('CREATE TRIGGER worm_truncate BEFORE TRUNCATE ON governance_ledger.%I
      FOR EACH STATEMENT EXECUTE FUNCTION governance_ledger.worm()', name);
    EXECUTE format('ALTER TABLE governance_ledger.%I ENABLE ALWAYS TRIGGER worm_statement,
      ENABLE ALWAYS TRIGGER worm_row, ENABLE ALWAYS TRIGGER worm_truncate', name);
  END LOOP;
END
$$;

CREATE FUNCTION governance_ledger.check_governable(tab regclass, key name) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF (SELECT count(*) FROM pg_attribute
       WHERE attrelid = tab AND attname IN (key, 'tenant_id') AND attnotnull AND NOT attisdropped) <> 2 THEN
    RAISE EXCEPTION '% cannot be governed: % and tenant_id must be NOT NULL columns', tab, key;
  END IF;
END
$$;

-- Govern a table in the presence form. The migrator calls it.
CREATE FUNCTION governance_ledger.govern_presence(tab regclass, logical text, key name) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM governance_ledger.check_governable(tab, key);
  EXECUTE format('CREATE CONSTRAINT TRIGGER zz_law_id AFTER INSERT OR DELETE ON %s DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION governance_ledger.law_presence(%L, %L)', tab, logical, key);
  EXECUTE format('CREATE CONSTRAINT TRIGGER zz_law_u AFTER UPDATE ON %s DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD *<> NEW) EXECUTE FUNCTION governance_ledger.law_presence(%L, %L)', tab, logical, key);
  EXECUTE format('CREATE TRIGGER zz_law_t BEFORE TRUNCATE ON %s
    FOR EACH STATEMENT EXECUTE FUNCTION governance_ledger.worm()', tab);
  EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER zz_law_id, ENABLE ALWAYS TRIGGER zz_law_u,
    ENABLE ALWAYS TRIGGER zz_law_t', tab);
END
$$;

-- Govern a table in the digest form. Columns in `hashed` enter the history as their SHA-256 only.
CREATE FUNCTION governance_ledger.govern_digest(tab regclass, logical text, key name, hashed name[] DEFAULT '{}')
  RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  arguments text := concat_ws(', ', quote_literal(logical), quote_literal(key),
    (SELECT string_agg(quote_literal(c), ', ' ORDER BY c) FROM unnest(hashed) c));
BEGIN
  PERFORM governance_ledger.check_governable(tab, key);
  EXECUTE format('CREATE TRIGGER zz_law_id AFTER INSERT OR DELETE ON %s
    FOR EACH ROW EXECUTE FUNCTION governance_ledger.capture(%s)', tab, arguments);
  EXECUTE format('CREATE TRIGGER zz_law_u AFTER UPDATE ON %s
    FOR EACH ROW WHEN (OLD *<> NEW) EXECUTE FUNCTION governance_ledger.capture(%s)', tab, arguments);
  EXECUTE format('CREATE TRIGGER zz_law_t BEFORE TRUNCATE ON %s
    FOR EACH STATEMENT EXECUTE FUNCTION governance_ledger.worm()', tab);
  EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER zz_law_id, ENABLE ALWAYS TRIGGER zz_law_u,
    ENABLE ALWAYS TRIGGER zz_law_t', tab);
END
$$;
