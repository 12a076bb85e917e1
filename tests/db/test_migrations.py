"""One command brings any database to the present schema: all or nothing, and as often as one likes."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from db.migrate import MigrationFailed, migrate
from db.piccolo_conf import ROOMS
from tests.databases import Cluster

FOLDER = Path(__file__).parent.parent.parent / "db"
TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = ANY($1)"
UNFORCED = """
SELECT format('%I.%I', nspname, relname)
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
JOIN pg_attribute ON attrelid = pg_class.oid AND attname = 'tenant_id' AND NOT attisdropped
WHERE nspname = ANY($1) AND relkind IN ('r', 'p') AND NOT (relrowsecurity AND relforcerowsecurity)
"""
BY_THE_APP = """
SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
WHERE schemaname = ANY($1) AND tableowner IN ('flr_app', 'flr_sealer')
"""


@pytest.fixture
def empty(cluster: Cluster) -> Iterator[str]:
    """The administrator's address of a database without any schema."""
    name = cluster.empty()
    yield cluster.url(None, name)
    cluster.drop(name)


def written() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*/migrations/*_*.py"))


async def test_an_empty_database_gets_every_room_in_order(empty: str) -> None:
    applied = await migrate(empty)

    assert sorted(applied) == written()
    rooms = [name.rsplit("_0", 1)[0] for name in applied]
    assert list(dict.fromkeys(rooms)) == [room for room in ROOMS if room in rooms]


async def test_a_second_migration_does_nothing_and_prints_nothing(
    empty: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await migrate(empty)
    assert await migrate(empty) == []
    assert capsys.readouterr().out == ""


async def test_two_migrators_at_once_apply_each_migration_once(empty: str) -> None:
    command = (sys.executable, "-m", "db.migrate", empty)
    both = [await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE) for _ in range(2)]
    said = [(await process.communicate())[0].decode().split() for process in both]

    assert [process.returncode for process in both] == [0, 0]
    assert sorted(said[0] + said[1]) == written()
    assert [] in said


async def test_a_refused_migration_leaves_the_database_as_it_was(empty: str) -> None:
    connection = await asyncpg.connect(empty)
    await connection.execute("CREATE SCHEMA founder_console")
    with pytest.raises(MigrationFailed, match="founder_console"):
        await migrate(empty)

    assert await connection.fetchval("SELECT to_regclass('public.migration')") is None
    assert await connection.fetchval(TABLES, list(ROOMS)) == 0
    await connection.execute("DROP SCHEMA founder_console")
    assert sorted(await migrate(empty)) == written()
    await connection.close()


async def test_migration_names_are_unique_and_begin_with_their_room() -> None:
    files = list(FOLDER.glob("*/migrations/*.py"))
    assert len({path.name for path in files}) == len(files)
    assert all(path.name.startswith(f"{path.parent.parent.name}_0") for path in files)


async def test_every_table_with_a_tenant_hides_other_tenants_from_its_owner_too(superuser: asyncpg.Connection) -> None:
    assert await superuser.fetch(UNFORCED, list(ROOMS)) == []


async def test_no_table_belongs_to_a_role_that_can_log_in(superuser: asyncpg.Connection) -> None:
    assert await superuser.fetch(BY_THE_APP, list(ROOMS)) == []
