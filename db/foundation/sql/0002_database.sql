-- What belongs to the database and not to its schemas: a clone made from a template needs it again.
-- TEMP is revoked because pg_temp is searched first: an object there could stand in for one a definer function means.
DO $database$
DECLARE
  name text;
BEGIN
  EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO flr_app, flr_sealer, flr_auditor', current_database());
  EXECUTE format('GRANT CONNECT, CREATE ON DATABASE %I TO flr_owner', current_database());
  EXECUTE format('ALTER DATABASE %I SET timezone = ''UTC''', current_database());
  FOREACH name IN ARRAY ARRAY['flr_app', 'flr_sealer'] LOOP
    EXECUTE format('ALTER ROLE %I IN DATABASE %I SET lock_timeout = ''10s''', name, current_database());
    EXECUTE format(
      'ALTER ROLE %I IN DATABASE %I SET idle_in_transaction_session_timeout = ''30s''', name, current_database());
  END LOOP;
END
$database$;
