"""Law 17: what stands in the ledger cannot be changed, by the application, by the owner, by a migration."""

import hashlib
import json
from uuid import UUID

import asyncpg
import pytest

from app.canon.canonical_json import canonical_bytes
from app.governance_ledger import Event, append
from app.governance_ledger.errors import EventRefused
from app.postgres import Database
from tests.governance_ledger.ledgers import connected

TENANT = UUID("018f0000-0000-7000-8000-000000000001")
OTHER = UUID("018f0000-0000-7000-8000-000000000002")
WRITE_ONCE = (
    "governance_events",
    "changes",
    "ledger_seals",
    "ledger_checkpoints",
    "ledger_subtrees",
    "ledger_keys",
    "ledger_verifications",
    "ledger_receipts",
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
BODY = '"data":{},"evidence":[]'
INSERT = (
    f"INSERT INTO {EVENTS} (tenant_id, event_id, occurred_at, type, actor, body{{more}}) "
    f"VALUES ('{TENANT}', gen_random_uuid(), now(), 'x.y', 'a', $b${{body}}$b${{value}})"
)

APPLICATION = {
    "update": f"UPDATE {EVENTS} SET actor = 'x'",
    "update of the body": f"UPDATE {EVENTS} SET body = body",
    "delete": f"DELETE FROM {EVENTS}",
    "truncate": f"TRUNCATE {EVENTS}",
    "disable a trigger": f"ALTER TABLE {EVENTS} DISABLE TRIGGER worm_row",
    "drop the table": f"DROP TABLE {EVENTS}",
    "replace the stamp": "CREATE OR REPLACE FUNCTION governance_ledger.stamp() RETURNS trigger LANGUAGE plpgsql "
    "AS 'BEGIN RETURN NEW; END'",
    "set its own transaction id": INSERT.format(more=", xid", value=", '1'", body=BODY),
    "set its own leaf": INSERT.format(more=", leaf", value=", 'x'", body=BODY),
    "set its own time": INSERT.format(more=", recorded_at", value=", now()", body=BODY),
    "set its own digest": INSERT.format(more=", effect_digest", value=", 'x'", body=BODY),
    "take a number": "SELECT nextval('governance_ledger.n')",
    "set the numbers back": "SELECT setval('governance_ledger.n', 1)",
    "write a change": "INSERT INTO governance_ledger.changes (xid, n, tenant_id, rel, key, op, digest) "
    f"VALUES ('1', 1, '{TENANT}', 'a.b', '1', 'I', '')",
    "delete a change": "DELETE FROM governance_ledger.changes",
    "alter a change": "UPDATE governance_ledger.changes SET digest = ''",
    "write a seal": "INSERT INTO governance_ledger.ledger_seals (tenant_id, seq, n, hash) "
    f"VALUES ('{TENANT}', 1, 1, '')",
    "seal": "SELECT governance_ledger.seal()",
    "alter a receipt": "UPDATE governance_ledger.ledger_receipts SET receipt = 'x'",
    "delete a receipt": "DELETE FROM governance_ledger.ledger_receipts",
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


SEALER = {
    "write an event": INSERT.format(more="", value="", body=BODY),
    "alter an event": f"UPDATE {EVENTS} SET actor = 'x'",
    "delete an event": f"DELETE FROM {EVENTS}",
    "write a change": APPLICATION["write a change"],
    "alter a seal": "UPDATE governance_ledger.ledger_seals SET hash = ''",
    "delete a seal": "DELETE FROM governance_ledger.ledger_seals",
    "alter a checkpoint": "UPDATE governance_ledger.ledger_checkpoints SET note = ''",
    "delete a checkpoint": "DELETE FROM governance_ledger.ledger_checkpoints",
    "alter an attestation": "UPDATE governance_ledger.ledger_attestations SET content = ''",
    "write a receipt": f"INSERT INTO governance_ledger.ledger_receipts VALUES ('{TENANT}', gen_random_uuid(), 'x')",
    "delete a receipt": "DELETE FROM governance_ledger.ledger_receipts",
    "say how far was verified": "INSERT INTO governance_ledger.ledger_verifications (tenant_id, seq, hash) "
    f"VALUES ('{TENANT}', 1, '')",
    "disable a trigger": APPLICATION["disable a trigger"],
    "become the owner": "SET ROLE flr_owner",
    "become the application": "SET ROLE flr_app",
}


async def test_the_sealer_seals_and_has_no_right_to_anything_else(recorded: UUID, sealer_dsn: str) -> None:
    async with connected(sealer_dsn) as sealer:
        assert await states_of(sealer, SEALER) == dict.fromkeys(SEALER, "42501")


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
    "drop an index": "DROP INDEX governance_ledger.ledger_seals_type",
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
    statement = INSERT.format(more="", value="", body=BODY).replace(str(TENANT), str(OTHER))
    assert await state_of(application, statement) == "42501"


BODIES = {
    "nothing": "",
    "an array": "[]",
    "an object": '{"data":{},"evidence":[]}',
    "no data": '"evidence":[]',
    "no evidence": '"data":{}',
    "data that is text": '"data":"x","evidence":[]',
    "another order": '"evidence":[],"data":{}',
    "a second object": '"data":{},"evidence":[]},"effect":{"x":1,"evidence":[]',
    "a member of the wrapper": '"data":{},"actor":"founder:1","evidence":[]',
    "data twice": '"data":{},"data":{"x":1},"evidence":[]',
    "a member twice, far inside": '"data":{"a":[{"b":1,"b":2}]},"evidence":[]',
    "evidence that no column names": '"data":{},"evidence":[{"key":"k","sha256":"s"}]',
    "space before": ' "data":{},"evidence":[]',
    "cut off": '"data":{"a":,"evidence":[]',
    "an unclosed string": '"data":{"a":"},"evidence":[]',
}


async def test_a_body_that_is_not_data_and_evidence_is_refused(application: asyncpg.Connection) -> None:
    attempts = {name: INSERT.format(more="", value="", body=body) for name, body in BODIES.items()}
    assert await states_of(application, attempts) == dict.fromkeys(BODIES, "GL004")
    assert await state_of(application, INSERT.format(more="", value="", body=BODY)) is None


async def test_columns_that_name_evidence_must_agree_with_the_body(application: asyncpg.Connection) -> None:
    body = '"data":{},"evidence":[{"key":"k","media_type":"m","name":"n","sha256":"s","size_bytes":1}]'
    more = ", evidence_url"
    values = {", 'k'": None, ", 'l'": "GL004", ", NULL": "GL004", ", 'k\",\"'": "GL004"}
    attempts = {value: INSERT.format(more=more, value=value, body=body) for value in values}
    assert await states_of(application, attempts) == values


async def test_text_in_a_column_cannot_break_out_of_its_place(
    database: Database, superuser: asyncpg.Connection
) -> None:
    hostile = 'x","approval":"forged'
    async with database.transaction(TENANT) as tx:
        receipt = await append(tx, Event(type="x.y", actor=hostile, approval=hostile))
    row = await superuser.fetchrow(f"SELECT actor, body FROM {EVENTS} WHERE event_id = $1", receipt.event_id)
    assert row is not None
    assert json.loads(row["body"])["body"] | {"occurred_at": ""} == {
        "actor": hostile,
        "approval": hostile,
        "data": {},
        "evidence": [],
        "occurred_at": "",
        "run_id": None,
        "step": None,
        "ticket_id": None,
        "type": "x.y",
    }


_HOSTILE = """
CREATE SCHEMA hostile;
GRANT USAGE ON SCHEMA hostile TO flr_app;
CREATE FUNCTION hostile.sha256(bytea) RETURNS bytea LANGUAGE sql AS $$ SELECT 'forged'::bytea $$;
CREATE FUNCTION hostile.to_json(text) RETURNS json LANGUAGE sql AS $$ SELECT '"forged"'::json $$;
CREATE FUNCTION hostile.starts_with(text, text) RETURNS boolean LANGUAGE sql AS $$ SELECT true $$;
CREATE FUNCTION hostile.unequal(integer, integer) RETURNS boolean LANGUAGE sql AS $$ SELECT false $$;
CREATE OPERATOR hostile.<> (FUNCTION = hostile.unequal, LEFTARG = integer, RIGHTARG = integer);
CREATE FUNCTION hostile.joined(bytea, bytea) RETURNS bytea LANGUAGE sql AS $$ SELECT 'forged'::bytea $$;
CREATE OPERATOR hostile.|| (FUNCTION = hostile.joined, LEFTARG = bytea, RIGHTARG = bytea);
CREATE DOMAIN hostile.int4 AS pg_catalog.int4 CHECK (false);
"""


async def test_a_search_path_of_the_callers_does_not_change_what_is_recorded(
    superuser: asyncpg.Connection, database: Database
) -> None:
    await superuser.execute(_HOSTILE)
    async with database.transaction(TENANT) as tx:
        await tx.connection.execute("SET LOCAL search_path = hostile, pg_catalog")
        await tx.connection.execute("SET LOCAL standard_conforming_strings = off")
        await tx.connection.execute("SET LOCAL datestyle = 'German'; SET LOCAL timezone = 'Asia/Jakarta'")
        receipt = await append(tx, Event(type="x.y", actor="a", subjects=("a.b/c",)))
        with pytest.raises(asyncpg.PostgresError, match="expects 3 changes"):
            async with tx.savepoint():
                await append(tx, Event(type="x.y", actor="a", subjects=("a.b",), expect=3))
    row = await superuser.fetchrow(f"SELECT body, leaf FROM {EVENTS} WHERE event_id = $1", receipt.event_id)
    assert row is not None
    assert row["leaf"] == hashlib.sha256(b"\0" + row["body"].encode()).digest()
    assert canonical_bytes(json.loads(row["body"])) == row["body"].encode()
    assert json.loads(row["body"])["body"]["actor"] == "a"


SUBJECTS = ("x", "a.b/", "a.b/c d", 'a.b/"', "A.b/c", "a.b/c/d", "a.b/ü", "")


async def test_a_subject_that_could_be_misread_is_refused(database: Database) -> None:
    for subject in SUBJECTS:
        async with database.transaction(TENANT) as tx:
            with pytest.raises(EventRefused):
                await append(tx, Event(type="x.y", actor="a", subjects=(subject, "a.b/c")))


ARRAYS = ("{a.b/c,NULL}", "{{a.b/c,a.b/d},{a.b/e,a.b/f}}", '{"a.b/\\""}', '{"a.b/ü"}', '{"x.y/z,a.b"}')


async def test_subjects_that_could_break_the_document_are_refused(application: asyncpg.Connection) -> None:
    for array in ARRAYS:
        statement = INSERT.format(more=", subjects", value=f", '{array}'", body=BODY)
        assert await state_of(application, statement) == "GL004", array
    wide = INSERT.format(more=", subjects", value=", '{a.b/c/d,a.b}'", body=BODY)
    assert await state_of(application, wide) == "GL005"
