"""The protections themselves: pinned in the repository, held against the live catalogue, each change of them named."""

import asyncio
from pathlib import Path
from typing import NamedTuple

import asyncpg
import msgspec
import pytest

from app.cli.main import main
from app.governance_ledger import compare_catalogue
from app.governance_ledger.catalogue import parse, pinned_catalogue, read_catalogue, write
from app.postgres import Database
from db.catalogue import HEAD, PINNED
from tests.governance_ledger.ledgers import verify

TICKETS, EVENTS = "work_queue.tickets", "governance_ledger.governance_events"


async def test_the_pinned_catalogue_is_that_of_a_freshly_migrated_database(superuser: asyncpg.Connection) -> None:
    fresh = HEAD + write(await read_catalogue(superuser))
    assert PINNED.read_text(encoding="utf-8").splitlines() == fresh.splitlines(), "run `python -m db.catalogue`"


def test_what_is_written_is_read_back() -> None:
    assert parse(PINNED.read_text(encoding="utf-8")) == dict(pinned_catalogue())


async def test_every_role_reads_the_same_catalogue(
    superuser: asyncpg.Connection, application: asyncpg.Connection
) -> None:
    async with application.transaction():
        await application.execute("SET LOCAL search_path = public, governance_ledger, work_queue")
        assert await read_catalogue(application) == await read_catalogue(superuser)
        assert await application.fetchval("SHOW search_path") == "public, governance_ledger, work_queue"


async def test_a_full_verification_and_only_that_reads_it(database: Database, superuser: asyncpg.Connection) -> None:
    assert (await verify(database, full=True)).ok
    await superuser.execute("SET event_triggers = off")
    await superuser.execute(f"ALTER TABLE {TICKETS} DISABLE TRIGGER zz_law_u, DISABLE TRIGGER zz_law_id")
    assert (await verify(database)).ok
    report = await verify(database, full=True)
    assert report.first_break is not None
    assert report.first_break.reason.startswith("unprotected: trigger zz_law_id on work_queue.tickets is disabled")
    assert "and 1 more" in report.first_break.reason


class Tampering(NamedTuple):
    statement: str
    named: str


DEFINER = (
    "CREATE FUNCTION {schema}.helpful() RETURNS void LANGUAGE sql SECURITY DEFINER AS "
    "'UPDATE governance_ledger.ledger_heads SET seq = 0'"
)
TAMPERINGS = {
    "disabled trigger": Tampering(
        f"ALTER TABLE {EVENTS} DISABLE TRIGGER worm_row",
        f"trigger worm_row on {EVENTS} is disabled",
    ),
    "trigger that sleeps under replica": Tampering(
        f"ALTER TABLE {TICKETS} DISABLE TRIGGER zz_law_u, ENABLE TRIGGER zz_law_u",
        f"trigger zz_law_u on {TICKETS} is enabled",
    ),
    "missing Law trigger": Tampering(
        f"DROP TRIGGER zz_law_id ON {TICKETS}", f"trigger zz_law_id on {TICKETS} is missing"
    ),
    "Law trigger that looks elsewhere": Tampering(
        f"DROP TRIGGER zz_law_t ON {TICKETS}; CREATE TRIGGER zz_law_t BEFORE TRUNCATE ON {TICKETS} FOR EACH STATEMENT "
        f"WHEN (false) EXECUTE FUNCTION governance_ledger.worm(); ALTER TABLE {TICKETS} ENABLE ALWAYS TRIGGER zz_law_t",
        f"trigger zz_law_t on {TICKETS} is always, CREATE TRIGGER zz_law_t BEFORE TRUNCATE",
    ),
    "trigger before the stamp": Tampering(
        f"CREATE TRIGGER a_first BEFORE INSERT ON {EVENTS} FOR EACH ROW EXECUTE FUNCTION governance_ledger.worm()",
        f"trigger a_first on {EVENTS} is not pinned",
    ),
    "replaced function body": Tampering(
        "CREATE OR REPLACE FUNCTION governance_ledger.worm() RETURNS trigger LANGUAGE plpgsql "
        "SET search_path = pg_catalog, pg_temp AS 'BEGIN RETURN NEW; END'",
        "function governance_ledger.worm() is owner flr_owner, plpgsql",
    ),
    "replaced link of the chain": Tampering(
        "CREATE OR REPLACE FUNCTION governance_ledger.link(state bytea, head bytea, seq bigint, leaf bytea) "
        "RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN sha256(leaf)",
        "function governance_ledger.link(bytea,bytea,bigint,bytea) is owner flr_owner",
    ),
    "loosened search path": Tampering(
        "ALTER FUNCTION governance_ledger.law_presence() SET search_path = public",
        "function governance_ledger.law_presence() is owner flr_law, plpgsql, security definer, search_path=public",
    ),
    "function that runs as its caller": Tampering(
        "ALTER FUNCTION governance_ledger.capture() SECURITY INVOKER",
        "function governance_ledger.capture() is owner flr_law, plpgsql, DateStyle",
    ),
    "function of another owner": Tampering(
        "ALTER FUNCTION governance_ledger.worm() OWNER TO flr_app",
        "function governance_ledger.worm() is owner flr_app",
    ),
    "new definer function in a room": Tampering(
        DEFINER.format(schema="work_queue"), "function work_queue.helpful() is not pinned"
    ),
    "new definer function elsewhere": Tampering(
        f"CREATE SCHEMA mine; GRANT USAGE ON SCHEMA mine TO flr_app; {DEFINER.format(schema='mine')}",
        "function mine.helpful() is not pinned: owner the administrator, sql, security definer",
    ),
    "dropped policy": Tampering(f"DROP POLICY tenant ON {EVENTS}", f"policy tenant on {EVENTS} is missing"),
    "policy for everybody": Tampering(
        f"ALTER POLICY tenant ON {TICKETS} USING (true)", f"policy tenant on {TICKETS} is all, permissive, to flr_app"
    ),
    "second policy": Tampering(
        f"CREATE POLICY wide ON {EVENTS} TO flr_app USING (true)", f"policy wide on {EVENTS} is not pinned"
    ),
    "row security unforced": Tampering(
        f"ALTER TABLE {EVENTS} NO FORCE ROW LEVEL SECURITY",
        f"table {EVENTS} is owner flr_owner, row security not forced",
    ),
    "row security off": Tampering(
        f"ALTER TABLE {TICKETS} DISABLE ROW LEVEL SECURITY", f"table {TICKETS} is owner flr_owner, no row security"
    ),
    "table of another owner": Tampering(f"ALTER TABLE {TICKETS} OWNER TO flr_app", f"table {TICKETS} is owner flr_app"),
    "unlogged table": Tampering(
        "ALTER TABLE governance_ledger.ledger_keys SET UNLOGGED",
        "table governance_ledger.ledger_keys is owner flr_owner, unlogged",
    ),
    "extra grant on a table": Tampering(
        f"GRANT UPDATE ON {EVENTS} TO flr_app", f"grant on table {EVENTS} to flr_app is INSERT (actor"
    ),
    "extra grant on a column": Tampering(
        f"GRANT INSERT (leaf) ON {EVENTS} TO flr_app", f"grant on table {EVENTS} to flr_app is INSERT (actor"
    ),
    "grant to a stranger": Tampering(
        f"CREATE ROLE flr_catalogue_test; GRANT SELECT ON {EVENTS} TO flr_catalogue_test",
        f"grant on table {EVENTS} to flr_catalogue_test is not pinned: SELECT",
    ),
    "grant to everybody": Tampering(
        "GRANT EXECUTE ON FUNCTION governance_ledger.seal() TO PUBLIC",
        "grant on function governance_ledger.seal() to PUBLIC is not pinned: EXECUTE",
    ),
    "temporary objects again": Tampering(
        "DO $$ BEGIN EXECUTE format('GRANT TEMP ON DATABASE %I TO PUBLIC', current_database()); END $$",
        "grant on the database to PUBLIC is not pinned: TEMPORARY",
    ),
    "setting made grantable": Tampering(
        "GRANT SET ON PARAMETER session_replication_role TO flr_app",
        "grant on parameter session_replication_role to flr_app is not pinned: SET",
    ),
    "role that may log in": Tampering("ALTER ROLE flr_owner LOGIN", "role flr_owner is login; pinned is no login"),
    "role past row security": Tampering(
        "ALTER ROLE flr_app BYPASSRLS", "role flr_app is login, bypassrls; pinned is login"
    ),
    "member of the owner": Tampering("GRANT flr_owner TO flr_app", "member flr_app of flr_owner is not pinned"),
    "member of a role of the server": Tampering(
        "GRANT pg_write_all_data TO flr_app", "member flr_app of pg_write_all_data is not pinned"
    ),
    "setting of a role": Tampering(
        "ALTER ROLE flr_app SET session_replication_role = replica",
        "setting session_replication_role of flr_app is not pinned: replica",
    ),
    "column default": Tampering(
        f"ALTER TABLE {EVENTS} ALTER COLUMN recorded_at SET DEFAULT '2026-01-01Z'",
        f"column {EVENTS}.recorded_at is timestamp with time zone, not null, default '2026",
    ),
    "dropped constraint": Tampering(
        "ALTER TABLE governance_ledger.ledger_seals DROP CONSTRAINT ledger_seals_once",
        "constraint ledger_seals_once on governance_ledger.ledger_seals is missing",
    ),
    "rule that swallows": Tampering(
        f"CREATE RULE quiet AS ON INSERT TO {EVENTS} DO INSTEAD NOTHING", f"rule quiet on {EVENTS} is not pinned"
    ),
    "child table": Tampering(
        f"CREATE TABLE governance_ledger.child () INHERITS ({EVENTS})",
        f"inheritance of governance_ledger.child from {EVENTS} is not pinned",
    ),
    "foreign keys asleep": Tampering(
        "ALTER TABLE work_queue.ticket_inputs DISABLE TRIGGER ALL",
        "on work_queue.ticket_inputs is not pinned: its triggers are disabled",
    ),
    "guard lifted": Tampering(
        "ALTER EVENT TRIGGER flr_guard_ddl DISABLE", "event trigger flr_guard_ddl is disabled, ddl_command_end"
    ),
    "guard gone": Tampering("DROP EVENT TRIGGER flr_guard_drop", "event trigger flr_guard_drop is missing"),
}


@pytest.mark.parametrize("tampering", TAMPERINGS.values(), ids=TAMPERINGS.keys())
async def test_a_changed_protection_is_found_and_named(superuser: asyncpg.Connection, tampering: Tampering) -> None:
    await superuser.execute("SET event_triggers = off")
    transaction = superuser.transaction()
    await transaction.start()
    try:
        assert await compare_catalogue(superuser) == ()
        await superuser.execute(tampering.statement)
        found = await compare_catalogue(superuser)
    finally:
        await transaction.rollback()
    assert any(tampering.named in difference for difference in found), found


async def test_where_no_superuser_migrated_no_event_trigger_is_missed(superuser: asyncpg.Connection) -> None:
    transaction = superuser.transaction()
    await transaction.start()
    try:
        await superuser.execute("SET LOCAL event_triggers = off")
        await superuser.execute("CREATE ROLE managed CREATEROLE")
        await superuser.execute("DROP EVENT TRIGGER flr_guard_ddl; DROP EVENT TRIGGER flr_guard_drop")
        await superuser.execute("ALTER SCHEMA guard OWNER TO managed")
        for name in ("is_guarded(oid)", "refuse_ddl()", "refuse_drop()"):
            await superuser.execute(f"ALTER FUNCTION guard.{name} OWNER TO managed")
        await superuser.execute("GRANT flr_owner, flr_law TO managed")
        assert await compare_catalogue(superuser) == ()
    finally:
        await transaction.rollback()


async def test_what_others_keep_in_the_database_is_their_own(superuser: asyncpg.Connection) -> None:
    await superuser.execute(
        "CREATE SCHEMA theirs; CREATE TABLE theirs.notes (id int); GRANT ALL ON theirs.notes TO PUBLIC"
    )
    await superuser.execute("CREATE FUNCTION theirs.f() RETURNS void LANGUAGE sql SECURITY DEFINER AS ''")
    assert await compare_catalogue(superuser) == ()


async def test_the_doctor_names_what_differs(
    superuser: asyncpg.Connection,
    superuser_dsn: str,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DATABASE_URL", superuser_dsn)
    monkeypatch.setenv("FLR_HOME", str(home))

    async def finding() -> tuple[str, str]:
        await asyncio.to_thread(main, ["doctor", "--json"])
        found = {item["area"]: item for item in msgspec.json.decode(capsys.readouterr().out)}
        return found["catalogue"]["status"], found["catalogue"]["says"]

    assert await finding() == ("ok", "triggers, functions, grants, policies and roles are as pinned")
    await superuser.execute("SET event_triggers = off")
    await superuser.execute(f"DROP POLICY tenant ON {EVENTS}")
    status, says = await finding()
    assert status == "wrong"
    assert says.startswith(f"1 facts differ: policy tenant on {EVENTS} is missing")
