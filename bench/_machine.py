"""A database and a home for a bench: the embedded PostgreSQL, durable as in production."""

import asyncio
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app import auth
from app.own_postgres import create_database, running
from app.own_postgres import url as embedded_url
from app.settings import Settings
from db.migrate import migrate


@contextmanager
def bench_home() -> Iterator[Settings]:
    """Settings of a temporary home with a migrated embedded database that keeps its default, durable settings."""
    with tempfile.TemporaryDirectory(prefix="flr-bench-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        home.chmod(0o755)
        settings = Settings(home=home, undo_seconds=0)
        with running(home):
            asyncio.run(_prepare(settings))
            yield settings


async def _prepare(settings: Settings) -> None:
    await create_database(settings.home)
    await migrate(embedded_url(settings.home, "postgres"))
    auth.ensure_keys(settings.keys, "token", "approval", "receipt", "seal", "device")


def environment_of(settings: Settings, port: int) -> dict[str, str]:
    """The environment of a process of this home."""
    return {**os.environ, "FLR_HOME": str(settings.home), "FLR_PORT": str(port), "FLR_UNDO_SECONDS": "0"}
