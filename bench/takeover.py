"""Two sealers: the one that leads is killed, then stopped; until the other one has sealed the next event."""

import asyncio
import signal
import subprocess
import sys
import time

import asyncpg

from app.database_urls import app_url
from app.governance_ledger import Event, append
from app.own_postgres import url
from app.postgres import Database
from app.settings import Settings
from bench._appends import TENANT
from bench._machine import bench_home, environment_of
from bench.figures import Figure, arguments, middle, show

BAR_SECONDS = 2.0
BLOWS = {"killed": signal.SIGKILL, "stopped": signal.SIGSTOP}
SEALED = "SELECT count(*) FROM governance_ledger.ledger_seals WHERE tenant_id = $1"
LEADS = """
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1
   AND (classid::bigint << 32 | objid::bigint) = hashtext('flr.sealer')::bigint
"""
STAND_BY = """
SELECT count(*) FROM pg_stat_activity
 WHERE application_name = 'flr sealer' AND state = 'idle' AND query LIKE '%pg_terminate_backend%'
"""


def main() -> None:
    chosen = arguments(str(__doc__))
    with bench_home() as settings:
        taken = {
            name: sorted(asyncio.run(_rounds(settings, blow, 3 if chosen.quick else 9))) for name, blow in BLOWS.items()
        }
    figures = {
        f"sealer_{name}": Figure(
            middle(seconds), "s", f"{len(seconds)} times; longest {seconds[-1]:.2f} s", BAR_SECONDS, "less"
        )
        for name, seconds in taken.items()
    }
    show(figures, as_json=chosen.json)


async def _rounds(settings: Settings, blow: signal.Signals, count: int) -> list[float]:
    watcher = await asyncpg.connect(url(settings.home, "postgres"))
    try:
        async with Database(app_url(settings)) as database:
            return [await _round(settings, watcher, database, blow) for _ in range(count)]
    finally:
        await watcher.close()


async def _round(settings: Settings, watcher: asyncpg.Connection, database: Database, blow: signal.Signals) -> float:
    """Seconds from the blow to the seal of an event that was recorded after it."""
    first = _start(settings)
    await _until(watcher, LEADS, 1)
    second = _start(settings)
    try:
        await _until(watcher, STAND_BY, 1)
        await _record(database)
        known = await _settled(watcher)
        first.send_signal(blow)
        begun = time.monotonic()
        await _record(database)
        await _until(watcher, SEALED, known + 1, TENANT)
        return time.monotonic() - begun
    finally:
        for process in (first, second):
            process.kill()
            process.wait()
        await _until(watcher, LEADS, 0)


def _start(settings: Settings) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "app.sealer"], env=environment_of(settings, 0), stderr=subprocess.DEVNULL
    )


async def _record(database: Database) -> None:
    async with database.transaction(TENANT) as tx:
        await append(tx, Event(type="x.counted", actor="system"))


async def _settled(watcher: asyncpg.Connection) -> int:
    """How many events are sealed once all are."""
    waiting = "SELECT count FROM governance_ledger.unsealed()"
    await _until(watcher, waiting, 0)
    return int(await watcher.fetchval(SEALED, TENANT))


async def _until(watcher: asyncpg.Connection, question: str, answer: int, *values: object) -> None:
    for _ in range(12_000):
        if await watcher.fetchval(question, *values) == answer:
            return
        await asyncio.sleep(0.005)
    raise SystemExit("it does not come within a minute")


if __name__ == "__main__":
    main()
