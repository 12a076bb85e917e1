"""Two small companies' books to try Law 17 on: the same tables governed in the presence form or in the digest form."""

from uuid import UUID

import asyncpg

from db.zz_govern.lifted import lift_guards, restore_guards

TENANT = UUID("018f0000-0000-7000-8000-000000000001")
OTHER = UUID("018f0000-0000-7000-8000-000000000002")
TABLES = ("invoices", "shadow", "lines", "refs", "parts", "late")

_BOOKS = """
CREATE SCHEMA scratch AUTHORIZATION flr_owner;
GRANT USAGE ON SCHEMA scratch TO flr_app;
SET LOCAL ROLE flr_owner;
CREATE TABLE scratch.invoices (id int PRIMARY KEY, tenant_id uuid NOT NULL, amount numeric NOT NULL DEFAULT 10.50,
  note text, due_at timestamptz NOT NULL DEFAULT '2026-03-01 10:00+07');
CREATE TABLE scratch.shadow (id int PRIMARY KEY, tenant_id uuid NOT NULL, note text);
CREATE TABLE scratch.lines (id int PRIMARY KEY, tenant_id uuid NOT NULL,
  invoice int REFERENCES scratch.invoices ON DELETE CASCADE);
CREATE TABLE scratch.refs (id int PRIMARY KEY, tenant_id uuid NOT NULL,
  invoice int REFERENCES scratch.invoices ON DELETE SET NULL);
CREATE TABLE scratch.parts (id int NOT NULL, tenant_id uuid NOT NULL, note text) PARTITION BY RANGE (id);
CREATE TABLE scratch.parts_low PARTITION OF scratch.parts FOR VALUES FROM (0) TO (5000);
CREATE TABLE scratch.parts_high PARTITION OF scratch.parts FOR VALUES FROM (5000) TO (10000);
CREATE VIEW scratch.window AS SELECT id, tenant_id, note FROM scratch.invoices;
CREATE TABLE scratch.late (id int PRIMARY KEY, tenant_id uuid NOT NULL);
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA scratch TO flr_app;

CREATE FUNCTION scratch.tenant() RETURNS uuid LANGUAGE sql STABLE RETURN current_setting('app.tenant')::uuid;
CREATE FUNCTION scratch.ev(subjects text[], expect int DEFAULT NULL) RETURNS void LANGUAGE sql AS $$
  INSERT INTO governance_ledger.governance_events
    (tenant_id, event_id, occurred_at, type, actor, subjects, expect, body)
  SELECT scratch.tenant(), gen_random_uuid(), '2026-01-01Z', 'x.y', 'a', subjects, expect,
    '"data":{},"evidence":[]' $$;

CREATE FUNCTION scratch.touch(wanted int) RETURNS void LANGUAGE sql SECURITY DEFINER AS $$
  UPDATE scratch.invoices SET note = 'definer' WHERE id = wanted $$;
CREATE FUNCTION scratch.mirror() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF NEW.note = 'mirror' THEN INSERT INTO scratch.shadow VALUES (NEW.id, NEW.tenant_id, 'mirrored'); END IF;
  RETURN NULL; END $$;
CREATE TRIGGER mirror AFTER UPDATE ON scratch.invoices FOR EACH ROW EXECUTE FUNCTION scratch.mirror();
CREATE FUNCTION scratch.again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  UPDATE scratch.invoices SET note = 'again, by itself' WHERE id = NEW.id; RETURN NULL; END $$;
CREATE TRIGGER again AFTER UPDATE ON scratch.invoices FOR EACH ROW WHEN (NEW.note = 'again')
  EXECUTE FUNCTION scratch.again();
CREATE FUNCTION scratch.at_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  UPDATE scratch.invoices SET note = 'late' WHERE id = NEW.id; RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER aaa_late AFTER INSERT ON scratch.late DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION scratch.at_commit();
RESET ROLE;
"""


async def open_books(superuser: asyncpg.Connection, form: str) -> None:
    """Make the tables and govern them all but `late` in `form`: presence or digest."""
    async with superuser.transaction():
        await lift_guards(superuser)
        await superuser.execute(_BOOKS)
        await superuser.execute("SET LOCAL ROLE flr_owner")
        for name in TABLES[:-1]:
            await superuser.execute(
                f"SELECT governance_ledger.govern_{form}('scratch.{name}'::regclass, 'scratch.{name}', 'id')"
            )
        await superuser.execute("RESET ROLE")
        await restore_guards(superuser, [])


async def outcome(connection: asyncpg.Connection, *statements: str) -> str:
    """`commits`, or the SQLSTATE with which the statements or their commit are refused."""
    try:
        await connection.execute("BEGIN")
        await connection.execute(f"SET LOCAL app.tenant = '{TENANT}'")
        for statement in statements:
            await connection.execute(statement)
        await connection.execute("COMMIT")
    except asyncpg.PostgresError as error:
        await connection.execute("ROLLBACK")
        return str(error.sqlstate)
    return "commits"
