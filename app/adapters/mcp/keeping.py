"""Programs that stay: a run that calls a server's tools again finds it started. No run meets another's."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import msgspec
from mcp import Client

from app.adapters.mcp.connecting import connected, inner, listed, secrets_of, started, words
from app.canon.tool import ToolCall, ToolFailed
from app.canon.tool_server import Listed, StdioServer, ToolChanged, ToolServer

_LOG = logging.getLogger("flr.tool_servers")

IDLE_SECONDS = 120.0
OLDEST_SECONDS = 600.0
MOST_KEPT = 32


class _Key(msgspec.Struct, frozen=True):
    """Where, for whom and with what a program runs: what differs in any of it is another program."""

    tenant: UUID
    run_id: UUID
    place: bytes


class _Kept:
    """One program, entered and left in a task of its own, since a connection belongs to the task that opened it."""

    def __init__(self, place: StdioServer, secrets: dict[str, str], home: Path) -> None:
        self.users = 0
        self.began = self.used = time.monotonic()
        self._over = asyncio.Event()
        self._client: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._living = asyncio.create_task(self._live(place, secrets, home))

    async def client(self) -> Client:
        """The connection, once it stands. Raises what kept it from standing."""
        return await asyncio.shield(self._client)

    @property
    def is_stale(self) -> bool:
        """It is over, or nobody uses it and it is old."""
        return self._living.done() or (not self.users and time.monotonic() - self.began > OLDEST_SECONDS)

    async def end(self) -> None:
        """Ends the program; it is gone when this returns."""
        self._over.set()
        if not self._client.done():
            self._living.cancel()
        await asyncio.wait([self._living])

    async def _live(self, place: StdioServer, secrets: dict[str, str], home: Path) -> None:
        try:
            async with started(place, secrets, home) as client:
                self._client.set_result(client)
                await self._over.wait()
        except Exception as error:  # noqa: BLE001 - whoever waits for the connection is told
            _LOG.info("a tool server ended: %s", words(inner(error)))
            self._failed(error)
        finally:
            self._failed(ToolFailed("the server was ended before it stood"))

    def _failed(self, error: Exception) -> None:
        if not self._client.done():
            self._client.set_exception(error)
            self._client.exception()  # whoever waited for it may be gone


class Shelf:
    """The programs of one worker process."""

    def __init__(self, home: Path, idle_seconds: float = IDLE_SECONDS) -> None:
        self._home = home
        self._idle_seconds = idle_seconds
        self._kept: dict[_Key, _Kept] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._tidying: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def using(self, server: ToolServer, call: ToolCall) -> AsyncIterator[tuple[Client, Sequence[Listed]]]:
        """A connection, and what the server lists at this moment. A program stays for the run's next call, unless this
        one ends in anything but an answer."""
        if not isinstance(server.at, StdioServer):
            async with connected(server.at, call.vault, self._home) as client:
                yield client, await listed(client)
            return
        secrets = await secrets_of(server.at, call.vault)
        key = _Key(call.tenant, call.run_id, msgspec.json.encode((server.at, secrets), order="sorted"))
        kept, now = await self._answering(key, server.at, secrets)
        try:
            yield await kept.client(), now
        except BaseException as error:
            if not isinstance(error, ToolFailed) or isinstance(error, ToolChanged):
                self._end(key, kept)
            raise
        finally:
            kept.users -= 1
            kept.used = time.monotonic()

    def leave(self, run_id: UUID) -> None:
        """End the programs of a run that is not driven here any more."""
        self._end_where(lambda key, _: key.run_id == run_id)

    async def close(self) -> None:
        """End all; they are gone when this returns."""
        if self._tidying is not None:
            self._tidying.cancel()
        self._end_where(lambda *_: True)
        while self._ending:
            await asyncio.wait(self._ending)

    async def _answering(
        self, key: _Key, place: StdioServer, secrets: dict[str, str]
    ) -> tuple[_Kept, Sequence[Listed]]:
        """A program that has just said what it has. One that died since the last call is started anew: nothing was
        asked of it yet."""
        kept = self._kept.get(key)
        if kept is not None and not kept.is_stale:
            try:
                return kept, await self._asked(key, kept)
            except Exception as error:  # noqa: BLE001 - whatever it died of, the next attempt says
                _LOG.info("a tool server is started anew: %s", words(inner(error)))
        elif kept is not None:
            self._end(key, kept)
        kept = self._start(key, place, secrets)
        return kept, await self._asked(key, kept)

    async def _asked(self, key: _Key, kept: _Kept) -> Sequence[Listed]:
        """What the program has. The caller is its user from now on; one that does not answer is ended."""
        kept.users += 1
        try:
            return await listed(await kept.client())
        except BaseException:
            self._end(key, kept)
            raise

    def _start(self, key: _Key, place: StdioServer, secrets: dict[str, str]) -> _Kept:
        idle = sorted((kept.used, other) for other, kept in self._kept.items() if not kept.users)
        for _, other in idle[: max(0, len(self._kept) - MOST_KEPT + 1)]:
            self._end(other, self._kept[other])
        kept = self._kept[key] = _Kept(place, secrets, self._home)
        if self._tidying is None or self._tidying.done():
            self._tidying = asyncio.create_task(self._tidy())
        return kept

    async def _tidy(self) -> None:
        while self._kept:
            await asyncio.sleep(self._idle_seconds / 4)
            before = time.monotonic() - self._idle_seconds
            self._end_where(lambda _, kept: not kept.users and kept.used < before)  # noqa: B023 - called at once

    def _end_where(self, over: Callable[[_Key, _Kept], bool]) -> None:
        for key, kept in [(key, kept) for key, kept in self._kept.items() if over(key, kept)]:
            self._end(key, kept)

    def _end(self, key: _Key, kept: _Kept) -> None:
        """Nobody finds it any more; a program that does not go by itself is killed within seconds."""
        if self._kept.get(key) is kept:
            del self._kept[key]
        ending = asyncio.create_task(kept.end())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
