"""The sealer process: links committed events into the chains, signs checkpoints, moves evidence to the store.

Exactly one is active, by a session lock in PostgreSQL; others stand by and take over within two seconds.
"""

import asyncio
import logging
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import timedelta

import asyncpg

from app import event_loop
from app.adapters import attestors
from app.adapters.evidence import load_store
from app.adapters.webhooks import Webhooks
from app.auth import KeyMissing, KeyRing, SigningKey, load_keys
from app.canon.errors import Misconfigured
from app.canon.evidence import EvidenceStore, StoreUnavailable
from app.database_urls import sealer_url
from app.governance_ledger import attesting, delivering, sealing
from app.governance_ledger.arriving import check_database
from app.governance_ledger.witnessing import parse_witnesses
from app.postgres import LOST
from app.settings import InvalidSetting, Settings

LOG = logging.getLogger(__name__)
SEAL_SECONDS = 0.05
CHECKPOINT_LOOK_SECONDS = 1.0
DELIVER_SECONDS = 1.0
ATTEST_SECONDS = 1.0
MOVE_SECONDS = 0.2
STANDBY_SECONDS = 0.25
LONGEST_BACKOFF_SECONDS = 5.0
CONFIGURATION_ERROR = 78

_TRY_LOCK = "SELECT pg_try_advisory_lock(hashtext('flr.sealer'))"
# A leader seals twenty times a second. One whose session has not spoken for longer is stopped or unreachable, and the
# lock would stay with it for as long as its machine keeps the connection. Ending the session is safe at any moment: a
# leader that wakes up finds it gone, and the database lets neither a seal nor a checkpoint be made twice.
_END_SILENT_LEADER = """
SELECT count(pg_terminate_backend(a.pid))
  FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
 WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND a.datname = current_database()
   AND (l.classid::bigint << 32 | l.objid::bigint) = hashtext('flr.sealer')::bigint AND a.pid <> pg_backend_pid()
   AND a.state = 'idle' AND a.state_change < clock_timestamp() - interval '1 second'
"""
# A host that vanished must not hold the lock until the kernel's two hours are over.
_KEEPALIVES = {
    "application_name": "flr sealer",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}


class Sealer:
    """One process's part: stand by, lead, give way. `close` ends it after a last seal.

    `keys` gives the keys that sign now, newest first: asked before each round, so that one may be replaced meanwhile.
    `post` sends checkpoints to subscribers; None: nobody is sent any. `attestors` are asked for theirs.
    """

    def __init__(
        self,
        url: str,
        keys: Callable[[], Sequence[SigningKey]],
        store: EvidenceStore,
        post: delivering.Post | None = None,
        attestors: Sequence[attesting.Attestor] = (),
    ) -> None:
        self._url = url
        self._keys = keys
        self._store = store
        self._post = post
        self._attestors = attestors
        self._closing = asyncio.Event()
        self.leading = asyncio.Event()

    def close(self) -> None:
        self._closing.set()

    async def run(self) -> None:
        """Until `close`. Comes back by itself when PostgreSQL goes away and returns."""
        backoff = 0.1
        while not self._closing.is_set():
            try:
                await self._lead()
                backoff = 0.1
            except LOST as error:
                LOG.warning("the database does not answer (%s); trying again in %.1f s", error, backoff)
                await self._pause(backoff)
                backoff = min(backoff * 2, LONGEST_BACKOFF_SECONDS)
            finally:
                self.leading.clear()

    async def _lead(self) -> None:
        connection = await self._connect()
        try:
            await check_database(connection, self._url)
            while not await connection.fetchval(_TRY_LOCK):
                if await connection.fetchval(_END_SILENT_LEADER):
                    LOG.warning("the process that sealed has not answered for a second: its session was ended")
                if await self._pause(STANDBY_SECONDS):
                    return
            self.leading.set()
            LOG.info("this process seals")
            await _together(self._seal(connection), self._checkpoints(), self._move(), self._deliver(), self._attest())
            await sealing.seal(connection)
        finally:
            await _close(connection)

    async def _seal(self, connection: asyncpg.Connection) -> None:
        while not await self._pause(SEAL_SECONDS):
            await sealing.seal(connection)

    async def _checkpoints(self) -> None:
        await self._with_connection(self._sign_until_closing)

    async def _sign_until_closing(self, connection: asyncpg.Connection) -> None:
        published: set[str] = set()
        while not await self._pause(CHECKPOINT_LOOK_SECONDS):
            key, *also = self._keys()
            for new in (one for one in (key, *also) if one.kid not in published):
                await sealing.publish_key(connection, new)
                published.add(new.kid)
            await sealing.sign_checkpoints(connection, key, also=also)

    async def _move(self) -> None:
        await self._with_connection(self._move_until_closing)

    async def _move_until_closing(self, connection: asyncpg.Connection) -> None:
        mover, backoff = sealing.Mover(self._store), MOVE_SECONDS
        while not self._closing.is_set():
            try:
                pause = 0.0 if await mover.move(connection) else MOVE_SECONDS
                backoff = MOVE_SECONDS
            except StoreUnavailable as error:
                LOG.warning("evidence waits in the database: %s", error)
                pause = backoff = min(backoff * 2, LONGEST_BACKOFF_SECONDS)
            await self._pause(pause)

    async def _deliver(self) -> None:
        if self._post is not None:
            await self._with_connection(self._deliver_until_closing)

    async def _deliver_until_closing(self, connection: asyncpg.Connection) -> None:
        assert self._post is not None
        courier, heard = delivering.Courier(self._post), 0
        try:
            while not await self._pause(0.0 if heard else DELIVER_SECONDS):
                heard = await courier.deliver(connection)
        finally:
            await courier.close()

    async def _attest(self) -> None:
        if self._attestors:
            await self._with_connection(self._attest_until_closing)

    async def _attest_until_closing(self, connection: asyncpg.Connection) -> None:
        while not await self._pause(ATTEST_SECONDS):
            await self._unless_closing(attesting.attest(connection, self._attestors))

    async def _unless_closing(self, work: Coroutine[None, None, int]) -> None:
        """Until it is done, or is cancelled because the process closes: others may take their time."""
        working, closing = asyncio.create_task(work), asyncio.create_task(self._closing.wait())
        try:
            await asyncio.wait({working, closing}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                await working
        finally:
            for task in (working, closing):
                task.cancel()
            await asyncio.gather(working, closing, return_exceptions=True)

    async def _with_connection(self, work: Callable[[asyncpg.Connection], Awaitable[None]]) -> None:
        connection = await self._connect()
        try:
            await work(connection)
        finally:
            await _close(connection)

    async def _connect(self) -> asyncpg.Connection:
        return await asyncpg.connect(self._url, timeout=5, command_timeout=60, server_settings=_KEEPALIVES)

    async def _pause(self, seconds: float) -> bool:
        """Wait, or less when closing; whether it is closing."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)
        return self._closing.is_set()


async def _close(connection: asyncpg.Connection) -> None:
    with suppress(*LOST):
        await connection.close(timeout=2)


async def _together(*works: Coroutine[None, None, None]) -> None:
    """Run all to their end; when one fails, stop the others and raise what it raised."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def serve(settings: Settings) -> int:
    """Seals until SIGTERM or SIGINT; the process's exit code."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        KeyRing.load(settings.keys, "seal")
        outside = attestors_of(settings)
        url = sealer_url(settings)
        store = load_store(
            settings.evidence_url,
            settings.home,
            access_key=settings.evidence_access_key,
            secret_key=settings.evidence_secret_key,
        )
    except (KeyMissing, InvalidSetting, Misconfigured) as error:
        sys.stderr.write(f"{error}\n")
        return CONFIGURATION_ERROR
    webhooks = Webhooks(settings.http_allow_private)
    sealer = Sealer(url, lambda: load_keys(settings.keys, "seal"), store, webhooks.post, outside)
    try:
        event_loop.run(_serve(sealer, store))
    except (InvalidSetting, Misconfigured) as error:
        sys.stderr.write(f"{error}\n")
        return CONFIGURATION_ERROR
    return 0


def attestors_of(settings: Settings) -> list[attesting.Attestor]:
    """Whom the settings name to attest checkpoints. Raises `Misconfigured`."""
    every = timedelta(seconds=settings.timestamp_every_seconds)
    found: list[attesting.Attestor] = [
        attesting.WitnessClient(witness, attestors.post) for witness in parse_witnesses(settings.witnesses or "")
    ]
    if settings.timestamp_url is not None:
        found.append(attesting.Authority(settings.timestamp_url, attestors.post, every))
    return found


async def _serve(sealer: Sealer, store: EvidenceStore) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, sealer.close)
    try:
        await sealer.run()
    finally:
        await store.close()


if __name__ == "__main__":
    from app.settings import read

    sys.exit(serve(read()))
