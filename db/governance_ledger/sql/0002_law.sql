-- SQLSTATEs: GL001 write once; GL002 no event; GL003 key or tenant changed; GL004 body; GL005 expect.

CREATE FUNCTION governance_ledger.worm() RETURNS trigger
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RAISE EXCEPTION '% on % is refused: the ledger is write once', TG_OP, TG_RELID::regclass USING ERRCODE = 'GL001';
END
$$;

-- Before an event is inserted: number, transaction, time, columns, the digest of the changes it accounts for, the
-- canonical document and its leaf hash. docs/ledger-format.md says what stands in the document.
CREATE FUNCTION governance_ledger.stamp() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  keys CONSTANT text[] := '{actor,approval,data,evidence,occurred_at,run_id,step,ticket_id,type}';
  given jsonb := NEW.body::jsonb;
  taken integer := 0;
  wide integer := 0;
  folded bytea := '\xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
BEGIN
  IF NEW.body IS NOT JSON OBJECT WITH UNIQUE KEYS OR left(NEW.body, 1) <> '{' OR right(NEW.body, 1) <> '}'
     OR NOT given ?& keys OR given - keys <> '{}' THEN
    RAISE EXCEPTION 'body must be one JSON object with exactly the members %', keys USING ERRCODE = 'GL004';
  END IF;
  NEW.n := nextval('governance_ledger.n');
  NEW.xid := pg_current_xact_id();
  NEW.recorded_at := clock_timestamp();
  IF NEW.subjects <> '{}' THEN
    IF EXISTS (SELECT FROM governance_ledger.changes h WHERE h.xid = NEW.xid) THEN
      SELECT count(*), count(*) FILTER (WHERE h.rel = ANY (NEW.subjects)),
             sha256(coalesce(string_agg(h.digest, '' ORDER BY h.n), ''))
        INTO taken, wide, folded
        FROM governance_ledger.changes h
       WHERE h.xid = NEW.xid AND h.tenant_id = NEW.tenant_id
         AND (h.rel || '/' || h.key = ANY (NEW.subjects) OR h.rel = ANY (NEW.subjects))
         AND NOT EXISTS (
           SELECT FROM governance_ledger.governance_events e
            WHERE e.xid = h.xid AND e.n > h.n AND e.tenant_id = h.tenant_id
              AND (h.rel || '/' || h.key = ANY (e.subjects) OR h.rel = ANY (e.subjects)));
    END IF;
    IF array_to_string(NEW.subjects, ' ') ~ '(^| )[^ /]+( |$)' THEN
      IF NEW.expect IS DISTINCT FROM wide THEN
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
  NEW.effect_n := taken;
  NEW.effect_digest := folded;
  NEW.type := given ->> 'type';
  NEW.actor := given ->> 'actor';
  NEW.occurred_at := (given ->> 'occurred_at')::timestamptz;
  NEW.ticket_id := (given ->> 'ticket_id')::uuid;
  NEW.run_id := (given ->> 'run_id')::uuid;
  NEW.step := (given ->> 'step')::integer;
  NEW.approval_signature := given ->> 'approval';
  NEW.evidence_sha256 := given #>> '{evidence,0,sha256}';
  NEW.evidence_url := given #>> '{evidence,0,key}';
  NEW.body := concat(
    '{"at":"', to_char(NEW.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    '","body":', NEW.body,
    ',"effect":{"digest":"', encode(folded, 'hex'), '","n":"', taken,
    '"},"id":"', NEW.event_id, '","n":"', NEW.n, '","subjects":', array_to_json(NEW.subjects),
    ',"tenant":"', NEW.tenant_id, '","v":"1","xid":"', NEW.xid, '"}');
  NEW.leaf := sha256('\x00'::bytea || convert_to(NEW.body, 'UTF8'));
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
