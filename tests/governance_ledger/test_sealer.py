"""The sealer process: alone in charge, taken over when it dies, back by itself when the database was away."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from app import auth
from app.adapters.evidence.folder import FolderStore
from app.governance_ledger import Event, append, keep_evidence
from app.governance_ledger.notes import object_key
from app.governance_ledger.notes import verify as verify_note
from app.own_postgres import OwnPostgres, create_database, running
from app.own_postgres import url as embedded_url
from app.postgres import Database
from app.sealer import Sealer
from db.migrate import migrate
from tests.governance_ledger.ledgers import KEY, TENANT, record, verify

SEALED = "SELECT count(*) FROM governance_ledger.ledger_seals WHERE tenant_id = $1"
PIDS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'flr sealer' AND datname = current_database()"
# A sealer that asked for the lead and did not get it looks whether the leader has fallen silent.
STANDS_BY = f"""
SELECT EXISTS (SELECT FROM pg_stat_activity
                WHERE pid IN ({PIDS}) AND state = 'idle' AND query LIKE '%pg_terminate_backend%')
"""


async def until(what: Callable[[], Awaitable[object]], *, seconds: float = 60) -> None:
    """Wait until it is true. Here it has to come; how fast it comes is for `bench` to measure."""
    begun = time.monotonic()
    while not await what():
        assert time.monotonic() - begun < seconds, "it does not come"
        await asyncio.sleep(0.02)


@asynccontextmanager
async def sealing(dsn: str, store: FolderStore) -> AsyncIterator[Sealer]:
    async with running_sealer(Sealer(dsn, lambda: (KEY,), store)) as sealer:
        yield sealer


@asynccontextmanager
async def running_sealer(sealer: Sealer) -> AsyncIterator[Sealer]:
    task = asyncio.create_task(sealer.run())
    try:
        yield sealer
    finally:
        sealer.close()
        await asyncio.wait_for(task, 5)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "evidence")


async def test_it_seals_signs_and_moves_by_itself(
    database: Database, sealer_dsn: str, superuser: asyncpg.Connection, store: FolderStore
) -> None:
    async with sealing(sealer_dsn, store) as sealer:
        await sealer.leading.wait()
        async with database.transaction(TENANT) as tx:
            ref = await keep_evidence(tx, b"proof", media_type="text/plain", name="proof.txt")
            await append(tx, Event(type="tool.done", actor="worker:1", evidence=(ref,)))
        await until(lambda: superuser.fetchval(SEALED, TENANT))

        async def kept() -> bool:
            report = await verify(database, full=True, store=store)
            return report.checkpoint is not None and not await superuser.fetchval(
                "SELECT count(*) FROM governance_ledger.evidence_spool"
            )

        await until(kept)
    assert await store.get(ref.key) == b"proof"
    note = (await store.get(object_key(TENANT, 1))).decode()
    assert verify_note(note, TENANT, KEY.raw_public).size == 1


async def test_it_seals_what_is_there_before_it_ends(
    database: Database, sealer_dsn: str, superuser: asyncpg.Connection, store: FolderStore
) -> None:
    async with sealing(sealer_dsn, store) as sealer:
        await sealer.leading.wait()
        await record(database, 3)
    assert await superuser.fetchval(SEALED, TENANT) == 3


async def test_of_two_one_seals_and_the_other_takes_over_when_it_ends(
    database: Database, sealer_dsn: str, superuser: asyncpg.Connection, store: FolderStore
) -> None:
    async with sealing(sealer_dsn, store) as first:
        await first.leading.wait()
        async with sealing(sealer_dsn, store) as second:
            await until(lambda: superuser.fetchval(STANDS_BY))
            assert not second.leading.is_set()
            first.close()
            await record(database, 2)
            await until(second.leading.wait)
            await until(lambda: superuser.fetchval(f"SELECT ({SEALED}) = 2", TENANT))


async def test_it_comes_back_when_its_connections_are_cut(
    database: Database, sealer_dsn: str, superuser: asyncpg.Connection, store: FolderStore
) -> None:
    async with sealing(sealer_dsn, store) as sealer:
        await sealer.leading.wait()
        for round_number in range(1, 4):
            await superuser.execute(f"SELECT pg_terminate_backend(pid) FROM ({PIDS}) cut")
            await record(database, 1)
            await until(lambda wanted=round_number: superuser.fetchval(f"SELECT ({SEALED}) = {wanted}", TENANT))  # type: ignore[misc]
    assert (await verify(database, full=True)).ok


async def test_a_store_that_is_away_does_not_stop_the_seals(
    database: Database, sealer_dsn: str, superuser: asyncpg.Connection, tmp_path: Path
) -> None:
    (tmp_path / "gone").write_text("")
    async with sealing(sealer_dsn, FolderStore(tmp_path / "gone")) as sealer:
        await sealer.leading.wait()
        async with database.transaction(TENANT) as tx:
            await keep_evidence(tx, b"proof", media_type="text/plain", name="x")
        await asyncio.sleep(0.5)
        await record(database, 1)
        await until(lambda: superuser.fetchval(SEALED, TENANT))
        assert sealer.leading.is_set()


@pytest.fixture
def home(home: Path) -> Path:
    """A home with a key."""
    auth.ensure_keys(home / "keys", "seal")
    return home


async def test_the_process_ends_cleanly_when_told_to(
    database: Database, sealer_dsn: str, superuser: asyncpg.Connection, home: Path
) -> None:
    environment = os.environ | {"FLR_HOME": str(home), "DATABASE_URL": sealer_dsn}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app.sealer", env=environment, stderr=subprocess.PIPE
    )
    try:
        await record(database, 1)
        await until(lambda: superuser.fetchval(SEALED, TENANT))
        process.send_signal(signal.SIGTERM)
        _, said = await asyncio.wait_for(process.communicate(), 10)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, said


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_process_that_is_killed_or_hangs_is_replaced_by_the_one_that_stands_by(
    database: Database,
    sealer_dsn: str,
    superuser: asyncpg.Connection,
    home: Path,
    store: FolderStore,
    blow: signal.Signals,
) -> None:
    environment = os.environ | {"FLR_HOME": str(home), "DATABASE_URL": sealer_dsn}
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "app.sealer", env=environment)
    try:
        await record(database, 1)
        await until(lambda: superuser.fetchval(f"SELECT ({SEALED}) = 1", TENANT))
        async with sealing(sealer_dsn, store) as second:
            await until(lambda: superuser.fetchval(STANDS_BY))
            assert not second.leading.is_set()
            process.send_signal(blow)
            await record(database, 1)
            await until(lambda: superuser.fetchval(f"SELECT ({SEALED}) = 2", TENANT))
            assert second.leading.is_set(), "sealed while the other one is dead or still"
            if blow is signal.SIGSTOP:
                process.send_signal(signal.SIGCONT)
                await until(lambda: superuser.fetchval(STANDS_BY))
                assert second.leading.is_set()
                await record(database, 1)
                await until(lambda: superuser.fetchval(f"SELECT ({SEALED}) = 3", TENANT))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert (await verify(database, full=True)).ok


async def test_sealers_that_are_killed_stopped_and_woken_at_random_make_one_chain(
    database: Database, sealer_dsn: str, superuser: asyncpg.Connection, home: Path
) -> None:
    environment = os.environ | {"FLR_HOME": str(home), "DATABASE_URL": sealer_dsn}
    chance, ended, kept = random.Random(17), asyncio.Event(), 0

    async def started() -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "app.sealer", env=environment, stderr=subprocess.DEVNULL
        )

    async def write() -> None:
        nonlocal kept
        while not ended.is_set():
            kept += len(await record(database, chance.randint(1, 5)))
            await asyncio.sleep(chance.random() / 20)

    processes = [await started() for _ in range(2)]
    writer = asyncio.create_task(write())
    try:
        await until(lambda: superuser.fetchval(SEALED, TENANT))
        for blow in (signal.SIGSTOP, signal.SIGKILL, signal.SIGSTOP, signal.SIGSTOP, signal.SIGKILL):
            place = chance.randrange(2)
            processes[place].send_signal(blow)
            await asyncio.sleep(1 + chance.random())
            if blow is signal.SIGSTOP:
                processes[place].send_signal(signal.SIGCONT)
            else:
                await processes[place].wait()
                processes[place] = await started()
        ended.set()
        await writer
        await until(lambda: superuser.fetchval(f"SELECT ({SEALED}) = {kept}", TENANT))
        covered = "SELECT max(size) FROM governance_ledger.ledger_checkpoints WHERE tenant_id = $1"
        await until(lambda: superuser.fetchval(f"SELECT ({covered}) = {kept}", TENANT))
    finally:
        ended.set()
        for process in processes:
            if process.returncode is None:
                process.kill()
                await process.wait()
    public = {kid: auth.raw_public(key) for kid, key in auth.load_public_keys(home / "keys", "seal").items()}
    report = await verify(database, full=True, keys=public)
    assert (report.ok, report.to_seq) == (True, kept), report.first_break
    assert report.checkpoint is not None
    assert report.checkpoint.serial >= 2


def test_without_a_key_it_says_what_to_do(tmp_path: Path) -> None:
    environment = os.environ | {"FLR_HOME": str(tmp_path), "DATABASE_URL": "postgresql://flr_sealer@localhost/x"}
    ended = subprocess.run(
        [sys.executable, "-m", "app.sealer"], env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 78
    assert "flr migrate" in ended.stderr


@pytest.mark.timeout(180)
async def test_a_server_killed_ten_times_under_load_loses_no_acknowledged_event(home: Path) -> None:
    kept: set[str] = set()
    for kill in range(10):
        with running(home) as server:
            if kill == 0:
                await create_database(home)
                await migrate(embedded_url(home, "postgres"))
            before = len(kept)
            async with sealing(embedded_url(home, "flr_sealer"), FolderStore(home / "evidence")) as sealer:
                await sealer.leading.wait()
                await _write_until_killed(home, server, kept)
            assert len(kept) > before + 5
    with running(home):
        async with sealing(embedded_url(home, "flr_sealer"), FolderStore(home / "evidence")) as sealer:
            await sealer.leading.wait()
            await asyncio.sleep(0.2)
        async with Database(embedded_url(home, "flr_app")) as database, database.transaction(TENANT) as tx:
            found = await tx.connection.fetch("SELECT event_id::text FROM governance_ledger.governance_events")
            report = await verify(database, full=True)
    assert kept <= {row["event_id"] for row in found}
    assert (report.ok, report.to_seq, report.unsealed.count) == (True, len(found), 0), report.first_break


async def _write_until_killed(home: Path, server: OwnPostgres, kept: set[str]) -> None:
    """Four writers; the server goes at once, as with `-m immediate`, while they write. `kept` are acknowledged."""
    stop = asyncio.Event()

    async def write(database: Database) -> None:
        while not stop.is_set():
            try:
                async with database.transaction(TENANT) as tx:
                    receipt = await append(tx, Event(type="x.load", actor="system"))
                kept.add(str(receipt.event_id))
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                await asyncio.sleep(0.05)

    async with Database(embedded_url(home, "flr_app")) as database:
        writers = [asyncio.create_task(write(database)) for _ in range(4)]
        await asyncio.sleep(0.5)
        pid = int((server.place.data / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGQUIT)
        await asyncio.sleep(0.3)
        stop.set()
        await asyncio.gather(*writers)
        database.pool.terminate()
