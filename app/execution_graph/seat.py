"""A worker process's seat: a session lock in PostgreSQL that is free the moment the process is gone."""

import asyncio
import logging
import secrets
from contextlib import suppress

import asyncpg

from app.postgres import Database

_LOG = logging.getLogger("flr.execution_graph")

RETRY_SECONDS = 0.5


class Seat:
    """Holds `pg_advisory_lock(owner)` on a connection of its own. A lost connection is opened anew with the same key;
    whatever was taken over meanwhile is fenced by its epoch."""

    def __init__(self, url: str) -> None:
        self.owner = secrets.randbits(62) + 1
        self._url = url
        self._connection: asyncpg.Connection | None = None

    async def sit(self) -> None:
        """Take the lock. Raises what asyncpg raises when the database cannot be reached."""
        self._connection = await asyncpg.connect(
            self._url, command_timeout=20, server_settings={"application_name": "flr-worker"}
        )
        await self._connection.execute("SELECT pg_advisory_lock($1)", self.owner)

    async def keep(self) -> None:
        """Runs until cancelled: sits down again whenever the connection is lost."""
        while True:
            try:
                if self._connection is None or self._connection.is_closed():
                    await self.sit()
                lost = asyncio.Event()
                connection = self._connection
                if connection is not None:
                    connection.add_termination_listener(lambda _, lost=lost: lost.set())
                    if not connection.is_closed():
                        await lost.wait()
                _LOG.warning("the worker's session was lost; taking the seat again")
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                _LOG.warning("the worker's seat cannot be taken (%s); trying again", error)
            self._connection = None
            await asyncio.sleep(RETRY_SECONDS)

    async def leave(self) -> None:
        """Free the lock."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await connection.close(timeout=2)


async def vacant(database: Database, owners: set[int]) -> set[int]:
    """Those of `owners` whose processes are gone: their session locks are free."""
    gone: set[int] = set()
    if not owners:
        return gone
    async with database.pool.acquire(timeout=5) as connection, connection.transaction():
        for owner in owners:
            if await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", owner):
                gone.add(owner)
    return gone
