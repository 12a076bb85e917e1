-- Roles belong to the cluster, not to the database: another database of it may have made them, or be making them now.
DO $roles$
DECLARE
  wanted record;
BEGIN
  FOR wanted IN
    SELECT * FROM (VALUES
      ('flr_owner', 'NOLOGIN'),
      ('flr_law', 'NOLOGIN'),
      ('flr_auditor', 'NOLOGIN'),
      ('flr_app', 'LOGIN'),
      ('flr_sealer', 'LOGIN')
    ) AS roles (name, login)
  LOOP
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = wanted.name) THEN
      BEGIN
        EXECUTE format(
          'CREATE ROLE %I %s NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS', wanted.name, wanted.login);
      EXCEPTION WHEN duplicate_object OR unique_violation THEN
        NULL;
      END;
    END IF;
  END LOOP;
END
$roles$;

-- An administrator who is no superuser must be a member to create as flr_owner and to hand functions to flr_law.
DO $membership$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['flr_owner', 'flr_law', 'flr_auditor', 'flr_app', 'flr_sealer'] LOOP
    IF NOT pg_catalog.pg_has_role(current_user, name, 'SET') THEN
      EXECUTE format('GRANT %I TO CURRENT_USER WITH INHERIT TRUE, SET TRUE', name);
    END IF;
  END LOOP;
END
$membership$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
