-- Event triggers against DDL on the ledger and on governed tables. Only a superuser may make them; elsewhere `flr doctor`
-- says that they are missing. There is no setting that lifts them: the migrator does, in its own transaction, and
-- records an event. They lie in a schema of the administrator's: dropping the ledger's schema does not take them along.
RESET ROLE;
CREATE SCHEMA guard;

CREATE FUNCTION guard.is_guarded(tab oid) RETURNS boolean
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN EXISTS (SELECT FROM pg_class c WHERE c.oid = tab AND c.relnamespace = 'governance_ledger'::regnamespace)
    OR EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = tab AND t.tgname IN ('zz_law_id', 'zz_law_u', 'zz_law_t'));

CREATE FUNCTION guard.refuse_ddl() RETURNS event_trigger
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  done record;
  tab oid;
BEGIN
  FOR done IN SELECT * FROM pg_event_trigger_ddl_commands() LOOP
    tab := CASE done.classid
      WHEN 'pg_class'::regclass THEN coalesce(
        (SELECT indrelid FROM pg_index WHERE indexrelid = done.objid), done.objid)
      WHEN 'pg_trigger'::regclass THEN (SELECT tgrelid FROM pg_trigger WHERE oid = done.objid)
      WHEN 'pg_policy'::regclass THEN (SELECT polrelid FROM pg_policy WHERE oid = done.objid)
      WHEN 'pg_rewrite'::regclass THEN (SELECT ev_class FROM pg_rewrite WHERE oid = done.objid)
    END;
    IF done.schema_name IN ('governance_ledger', 'guard') OR guard.is_guarded(tab) THEN
      RAISE EXCEPTION '% on % is refused: the ledger and what it governs change by migration only',
        done.command_tag, done.object_identity USING ERRCODE = 'GL006';
    END IF;
  END LOOP;
END
$$;

CREATE FUNCTION guard.refuse_drop() RETURNS event_trigger
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  gone record;
BEGIN
  FOR gone IN SELECT * FROM pg_event_trigger_dropped_objects() LOOP
    IF gone.schema_name IN ('governance_ledger', 'guard') OR gone.object_identity ~ '(^| on )governance_ledger([.]|$)'
       OR (gone.object_type = 'trigger' AND gone.object_identity ~ '^zz_law_') THEN
      RAISE EXCEPTION 'DROP of % is refused: the ledger and what it governs change by migration only',
        gone.object_identity USING ERRCODE = 'GL006';
    END IF;
  END LOOP;
END
$$;
REVOKE ALL ON FUNCTION guard.is_guarded(oid), guard.refuse_ddl(), guard.refuse_drop()
  FROM PUBLIC;

DO $$
BEGIN
  IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN
    CREATE EVENT TRIGGER flr_guard_ddl ON ddl_command_end EXECUTE FUNCTION guard.refuse_ddl();
    CREATE EVENT TRIGGER flr_guard_drop ON sql_drop EXECUTE FUNCTION guard.refuse_drop();
  END IF;
END
$$;
