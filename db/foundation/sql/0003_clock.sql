SET LOCAL ROLE flr_owner;

CREATE SCHEMA clock;

-- Every statement that means business time asks here. The ledger's own time does not: `app.now` can be set by the app.
CREATE FUNCTION clock.now() RETURNS timestamptz
  LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(nullif(pg_catalog.current_setting('app.now', true), '')::timestamptz, pg_catalog.clock_timestamp());

GRANT USAGE ON SCHEMA clock TO flr_app, flr_sealer, flr_law, flr_auditor;
