"""How long an event is out of a checkpoint's reach: from its recording until a checkpoint over it lies in the store.

What came after the last checkpoint that left the database is what a superuser can rewrite unseen.
"""

import asyncio
import time
from pathlib import Path

from app.database_urls import app_url
from app.governance_ledger import Event, append
from app.postgres import Database
from app.settings import Settings
from bench._appends import TENANT
from bench._machine import bench_home
from bench.figures import Figure, arguments, middle, show
from bench.ledger import _sealer as sealer

PAUSE_SECONDS = 0.1


def main() -> None:
    chosen = arguments(str(__doc__))
    with bench_home() as settings, sealer(settings):
        windows = sorted(asyncio.run(_windows(settings, 15 if chosen.quick else 60)))
    said = f"{len(windows)} events, ten a second, a folder as the store; p50 {middle(windows):.1f} s"
    longest = Figure(windows[-1], "s", f"the longest of {said}", 10, "less")
    show({"checkpoint_window": longest}, as_json=chosen.json)


async def _windows(settings: Settings, seconds: int) -> list[float]:
    """Seconds of each event until the first checkpoint over it lay in the store."""
    recorded: list[float] = []
    async with Database(app_url(settings)) as database:
        until = time.time() + seconds
        while time.time() < until:
            async with database.transaction(TENANT) as tx:
                recorded.append((await append(tx, Event(type="x.counted", actor="system"))).recorded_at.timestamp())
            await asyncio.sleep(PAUSE_SECONDS)
    await asyncio.sleep(8)
    kept = settings.home.rglob(f"checkpoints/{TENANT}/*")
    stored = sorted(_stored(path) for path in kept if path.is_file() and path.name.isdecimal())
    return [min(at for size, at in stored if size > place) - then for place, then in enumerate(recorded)]


def _stored(path: Path) -> tuple[int, float]:
    """What a checkpoint covers, and when it was there."""
    return int(path.read_text(encoding="utf-8").splitlines()[1]), path.stat().st_mtime


if __name__ == "__main__":
    main()
