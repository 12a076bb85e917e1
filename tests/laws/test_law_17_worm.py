"""Law 17: what stands in the ledger cannot be changed, by the application, by the owner, by a migration."""

from uuid import UUID

import asyncpg
import pytest

from app.governance_ledger import Event, append
from app.postgres import Database

TENANT = UUID("018f0000-0000-7000-8000-000000000001")
OTHER = UUID("018f0000-0000-7000-8000-000000000002")
WRITE_ONCE = (
    "governance_events",
    "changes",
    "ledger_seals",
    "ledger_checkpoints",
    "ledger_keys",
    "ledger_verifications",
    "evidence_objects",
)


@pytest.fixture
async def recorded(database: Database) -> UUID:
    async with database.transaction(TENANT) as tx:
        return (await append(tx, Event(type="x.kept", actor="system"))).event_id


async def state_of(connection: asyncpg.Connection, statement: str) -> str | None:
    """The SQLSTATE with which a statement is refused; None when it is not."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute(f"SET LOCAL app.tenant = '{TENANT}'")
        await connection.execute(statement)
        await connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    except asyncpg.PostgresError as error:
        return error.sqlstate
    finally:
        await transaction.rollback()
    return None


EVENTS = "governance_ledger.governance_events"

APPLICATION = {
    "update": f"UPDATE {EVENTS} SET actor = 'x'",
    "update of the body": f"UPDATE {EVENTS} SET body = body",
    "delete": f"DELETE FROM {EVENTS}",
    "truncate": f"TRUNCATE {EVENTS}",
    "disable a trigger": f"ALTER TABLE {EVENTS} DISABLE TRIGGER worm_row",
    "drop the table": f"DROP TABLE {EVENTS}",
    "replace the stamp": "CREATE OR REPLACE FUNCTION governance_ledger.stamp() RETURNS trigger LANGUAGE plpgsql "
    "AS 'BEGIN RETURN NEW; END'",
    "set its own transaction id": f"INSERT INTO {EVENTS} (tenant_id, event_id, body, xid) "
    f"VALUES ('{TENANT}', gen_random_uuid(), '{{}}', '1')",
    "set its own leaf": f"INSERT INTO {EVENTS} (tenant_id, event_id, body, leaf) "
    f"VALUES ('{TENANT}', gen_random_uuid(), '{{}}', 'x')",
    "set its own time": f"INSERT INTO {EVENTS} (tenant_id, event_id, body, recorded_at) "
    f"VALUES ('{TENANT}', gen_random_uuid(), '{{}}', now())",
    "set its own digest": f"INSERT INTO {EVENTS} (tenant_id, event_id, body, effect_digest) "
    f"VALUES ('{TENANT}', gen_random_uuid(), '{{}}', 'x')",
    "take a number": "SELECT nextval('governance_ledger.n')",
    "set the numbers back": "SELECT setval('governance_ledger.n', 1)",
    "write a change": "INSERT INTO governance_ledger.changes (xid, n, tenant_id, rel, key, op, digest) "
    f"VALUES ('1', 1, '{TENANT}', 'a.b', '1', 'I', '')",
    "write a seal": "INSERT INTO governance_ledger.ledger_seals (tenant_id, seq, n, hash) "
    f"VALUES ('{TENANT}', 1, 1, '')",
    "seal": "SELECT governance_ledger.seal()",
    "move the head": "UPDATE governance_ledger.ledger_heads SET seq = 0",
    "write a checkpoint": "INSERT INTO governance_ledger.ledger_checkpoints SELECT * FROM "
    "governance_ledger.ledger_checkpoints",
    "write a key": "INSERT INTO governance_ledger.ledger_keys (kid, public_key) VALUES ('x', '')",
    "empty the spool": "DELETE FROM governance_ledger.evidence_spool",
    "turn triggers off": "SET session_replication_role = replica",
    "attach the capture": "CREATE TEMP TABLE t (id uuid, tenant_id uuid)",
    "govern a table": "SELECT governance_ledger.govern_presence('work_queue.tickets', 'a.b', 'id')",
    "become the owner": "SET ROLE flr_owner",
    "become the law": "SET ROLE flr_law",
    "become the sealer": "SET ROLE flr_sealer",
}


async def states_of(connection: asyncpg.Connection, attempts: dict[str, str]) -> dict[str, str | None]:
    return {name: await state_of(connection, statement) for name, statement in attempts.items()}


async def test_the_application_has_no_right_to_change_it(recorded: UUID, application: asyncpg.Connection) -> None:
    assert await states_of(application, APPLICATION) == dict.fromkeys(APPLICATION, "42501")


@pytest.mark.parametrize("replica", [False, True])
async def test_not_even_an_administrator_changes_a_row_by_statement(
    recorded: UUID, superuser: asyncpg.Connection, replica: bool
) -> None:
    attempts = {}
    for table in WRITE_ONCE:
        column = "kid" if table == "ledger_keys" else "tenant_id"
        for statement in (f"UPDATE {{}} SET {column} = {column}", "DELETE FROM {}", "TRUNCATE {} CASCADE"):
            attempts[statement.format(table)] = statement.format(f"governance_ledger.{table}")
    if replica:
        await superuser.execute("SET session_replication_role = replica")
    assert await states_of(superuser, attempts) == dict.fromkeys(attempts, "GL001")


DDL = {
    "disable a trigger": f"ALTER TABLE {EVENTS} DISABLE TRIGGER worm_row",
    "drop a trigger": f"DROP TRIGGER worm_row ON {EVENTS}",
    "drop the table": f"DROP TABLE {EVENTS} CASCADE",
    "drop the schema": "DROP SCHEMA governance_ledger CASCADE",
    "make a rule": f"CREATE RULE r AS ON INSERT TO {EVENTS} DO INSTEAD NOTHING",
    "make a trigger": f"CREATE TRIGGER t BEFORE INSERT ON {EVENTS} EXECUTE FUNCTION governance_ledger.worm()",
    "rename": f"ALTER TABLE {EVENTS} RENAME TO gone",
    "change a column": f"ALTER TABLE {EVENTS} ALTER COLUMN actor TYPE varchar",
    "lift row security": f"ALTER TABLE {EVENTS} DISABLE ROW LEVEL SECURITY",
    "make a policy": f"CREATE POLICY all_of_it ON {EVENTS} USING (true)",
    "inherit": f"CREATE TABLE governance_ledger.child () INHERITS ({EVENTS})",
    "replace a function": "CREATE OR REPLACE FUNCTION governance_ledger.worm() RETURNS trigger LANGUAGE plpgsql "
    "AS 'BEGIN RETURN NEW; END'",
    "drop an index": "DROP INDEX governance_ledger.governance_events_xid",
    "ungovern a table": "DROP TRIGGER zz_law_id ON work_queue.tickets",
    "disable the law": "ALTER TABLE work_queue.tickets DISABLE TRIGGER zz_law_u",
    "drop a governed table": "DROP TABLE role_registry.known_parties",
    "rule on a governed table": "CREATE RULE r AS ON UPDATE TO work_queue.tickets DO INSTEAD NOTHING",
    "column of a governed table": "ALTER TABLE role_registry.ai_roles ADD COLUMN hidden text",
}


async def test_ddl_outside_of_a_migration_is_refused(superuser: asyncpg.Connection) -> None:
    assert await states_of(superuser, DDL) == dict.fromkeys(DDL, "GL006")


async def test_ddl_elsewhere_is_free(superuser: asyncpg.Connection) -> None:
    assert await state_of(superuser, "CREATE TABLE public.mine (id int); DROP TABLE public.mine") is None


async def test_a_migration_leaves_the_guards_up_and_an_event(superuser: asyncpg.Connection) -> None:
    guards = await superuser.fetch("SELECT evtname, evtenabled::text FROM pg_event_trigger ORDER BY evtname")
    assert [tuple(guard) for guard in guards] == [("flr_guard_ddl", "A"), ("flr_guard_drop", "A")]
    event = await superuser.fetchrow(f"SELECT tenant_id, actor, body FROM {EVENTS}")
    assert event is not None
    assert (event["tenant_id"], event["actor"]) == (UUID(int=0), "system:migrate")
    assert "zz_govern_0001_law_17" in event["body"]


async def test_a_tenant_sees_its_own_events_only(recorded: UUID, database: Database) -> None:
    async with database.transaction(OTHER) as tx:
        assert await tx.connection.fetchval(f"SELECT count(*) FROM {EVENTS}") == 0
    async with database.transaction(TENANT) as tx:
        assert await tx.connection.fetchval(f"SELECT count(*) FROM {EVENTS}") == 1


async def test_without_a_tenant_nothing_is_seen(recorded: UUID, application: asyncpg.Connection) -> None:
    assert await application.fetchval(f"SELECT count(*) FROM {EVENTS}") == 0
    assert await application.fetchval("SELECT count(*) FROM governance_ledger.ledger_seals") == 0


async def test_an_event_of_another_tenant_cannot_be_written(application: asyncpg.Connection) -> None:
    body = '{"actor":"a","approval":null,"data":{},"evidence":[],"occurred_at":"2026-01-01T00:00:00.000000Z",'
    body += '"run_id":null,"step":null,"ticket_id":null,"type":"x.y"}'
    statement = f"INSERT INTO {EVENTS} (tenant_id, event_id, body) VALUES ('{OTHER}', gen_random_uuid(), '{body}')"
    assert await state_of(application, statement) == "42501"


BODIES = {
    "two objects": '{{}},"effect":{{}}',
    "an array": "[]",
    "text": '"x"',
    "nothing": "",
    "a member too few": '{{"type":"x.y"}}',
    "a member twice": '{whole},"type":"x.z"}}',
    "a member too many": '{whole},"zzz":1}}',
    "space around": " {whole}}} ",
}


async def test_a_body_that_is_not_one_whole_object_is_refused(application: asyncpg.Connection) -> None:
    whole = '{"actor":"a","approval":null,"data":{},"evidence":[],"occurred_at":"2026-01-01T00:00:00.000000Z",'
    whole += '"run_id":null,"step":null,"ticket_id":null,"type":"x.y"'
    insert = f"INSERT INTO {EVENTS} (tenant_id, event_id, body) VALUES ('{TENANT}', gen_random_uuid(), $b${{}}$b$)"
    attempts = {name: insert.format(body.format(whole=whole)) for name, body in BODIES.items()}
    assert set((await states_of(application, attempts)).values()) == {"GL004", "22P02"}
    assert await state_of(application, insert.format(whole + "}")) is None


SUBJECTS = ("x", "a.b/", "a.b/c d", 'a.b/"', "A.b/c", "a.b/c/d", "a.b/ü", "")


async def test_a_subject_that_could_be_misread_is_refused(database: Database) -> None:
    for subject in SUBJECTS:
        with pytest.raises(asyncpg.PostgresError) as refused:
            async with database.transaction(TENANT) as tx:
                await append(tx, Event(type="x.y", actor="a", subjects=(subject, "a.b/c")))
        assert refused.value.sqlstate in ("23514", "GL005"), subject
