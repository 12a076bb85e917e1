"""Live updates: one LISTEN connection for each API process, a bounded queue for each open page.

The sealer notifies channel `console` once for each sealed batch, with `<tenant> <seq>`: how far the chain is linked,
which is also the event's id. A question or an answer is told at its commit already, with `<tenant> approvals`. A page
that comes back with the last id that it heard is told at once when something happened since; one that cannot keep up
is told to read anew instead of every change.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg

from app.postgres import LOST

CHANNEL = "console"
RESYNC = "resync"
ROOM = 64
BEAT_SECONDS = 20.0
RETRY_SECONDS = 0.5

Head: TypeAlias = Callable[[], Awaitable[int]]
Allowed: TypeAlias = Callable[[], Awaitable[bool]]

_LOG = logging.getLogger("flr.stream")


class Hub:
    """Fans notifications out to the open streams of their tenant, and tells `sealed`. `run` belongs to composition."""

    def __init__(
        self, url: str, sealed: Callable[[UUID], None] | None = None, *, beat_seconds: float = BEAT_SECONDS
    ) -> None:
        self._url = url
        self._sealed = sealed
        self._beat = beat_seconds
        self._open: dict[UUID, set[asyncio.Queue[str]]] = {}
        self.closing = asyncio.Event()

    def close(self) -> None:
        """End every stream, so that the server can."""
        self.closing.set()

    async def run(self) -> None:
        """Listen until cancelled; a lost connection is opened again and everybody reads anew."""
        while not self.closing.is_set():
            try:
                await self._listen()
            except LOST as error:
                _LOG.warning("the console's LISTEN connection is gone (%s); trying again", error)
            await asyncio.sleep(RETRY_SECONDS)

    async def _listen(self) -> None:
        connection = await asyncpg.connect(self._url)
        lost = asyncio.Event()
        try:
            connection.add_termination_listener(lambda *_: lost.set())
            await connection.add_listener(CHANNEL, self._got)
            self.publish_all()
            await lost.wait()
        finally:
            with suppress(*LOST):
                await connection.close(timeout=1)

    def _got(self, _connection: Any, _pid: int, _channel: str, payload: object) -> None:
        tenant, _, what = str(payload).partition(" ")
        with suppress(ValueError):
            self.publish(UUID(tenant), what or RESYNC)
            if self._sealed and what.isdigit():
                self._sealed(UUID(tenant))

    def publish(self, tenant: UUID, what: str) -> None:
        """Tell the tenant's open pages."""
        for queue in self._open.get(tenant, ()):
            _offer(queue, what)

    def publish_all(self) -> None:
        for queues in self._open.values():
            for queue in queues:
                _offer(queue, RESYNC)

    @contextmanager
    def _queue(self, tenant: UUID) -> Iterator[asyncio.Queue[str]]:
        queue: asyncio.Queue[str] = asyncio.Queue(ROOM)
        self._open.setdefault(tenant, set()).add(queue)
        try:
            yield queue
        finally:
            self._open[tenant].discard(queue)
            if not self._open[tenant]:
                del self._open[tenant]

    async def stream(
        self, tenant: UUID, *, seen: int | None = None, head: Head | None = None, allowed: Allowed | None = None
    ) -> AsyncGenerator[bytes, None]:
        """Server-sent events: `change` with what changed, `beat` when nothing did. Ends when the process closes, and at
        a beat after which the page is not `allowed` to listen any more.

        `seen` is how far the page knows the chain; `head`, asked once the page can miss nothing more, how far it is.
        """
        with self._queue(tenant) as queue:
            standing = await head() if head else 0
            yield _said("beat", "", standing, "retry: 1500\n")
            if seen is not None and standing > seen:
                yield _said("change", str(standing), standing)
            while not self.closing.is_set():
                what = await self._next(queue)
                if self.closing.is_set() or (what is None and allowed and not await allowed()):
                    return
                yield (
                    _said("beat", "", 0) if what is None else _said("change", what, int(what) if what.isdigit() else 0)
                )

    async def _next(self, queue: asyncio.Queue[str]) -> str | None:
        got, closing = asyncio.ensure_future(queue.get()), asyncio.ensure_future(self.closing.wait())
        try:
            await asyncio.wait((got, closing), timeout=self._beat, return_when=asyncio.FIRST_COMPLETED)
            return got.result() if got.done() else None
        finally:
            got.cancel()
            closing.cancel()


def _said(event: str, data: str, seq: int, before: str = "") -> bytes:
    known = f"id: {seq}\n" if seq else ""
    return f"{before}{known}event: {event}\ndata: {data}\n\n".encode()


def _offer(queue: asyncio.Queue[str], what: str) -> None:
    try:
        queue.put_nowait(what)
    except asyncio.QueueFull:
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait(RESYNC)
