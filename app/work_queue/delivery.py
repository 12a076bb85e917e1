"""Messages between rooms: published in the caller's transaction, delivered at least once.

pgqueuer carries them. The API publishes by plain SQL and never imports it; `consume` does, in worker processes. The
queue's own count of attempts stays 0 when a worker is killed, so each delivery is counted here, in a commit of its own
before the handler runs; a message that was delivered too often in vain is a dead letter, kept in `deliveries`.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg

from app.governance_ledger import Event, append
from app.messages import DECODER, ENCODER, ApprovalDecided, ApprovalRaised, Message, entrypoint
from app.postgres import LOST, Transaction

if TYPE_CHECKING:
    from pgqueuer.models import Job
    from pgqueuer.qm import QueueManager

Handler: TypeAlias = Callable[[Message], Awaitable[None]]

SCHEMA = "work_queue"
ATTEMPTS = 8
LONGEST_WAIT_SECONDS = 300.0
HEARTBEAT = timedelta(seconds=30)
POLL = timedelta(seconds=1)
TIDY_SECONDS = 3600

_LOG = logging.getLogger("flr.delivery")

# The same rows that pgqueuer's own enqueue writes, but for the start of the wait: the transaction's `now()` may lie
# before the instant that the message is about, and then the message would come too early.
_PUBLISH = """
WITH inserted AS (
  INSERT INTO work_queue.pgqueuer (priority, entrypoint, payload, execute_after, dedupe_key, headers, status)
  VALUES (0, $1, $2, clock_timestamp() + make_interval(secs => $3), $4, NULL, 'queued')
  ON CONFLICT (dedupe_key) WHERE status IN ('queued', 'picked') AND dedupe_key IS NOT NULL DO NOTHING
  RETURNING id, entrypoint, priority
)
INSERT INTO work_queue.pgqueuer_log (job_id, status, entrypoint, priority)
SELECT id, 'queued', entrypoint, priority FROM inserted
"""

# Open consoles hear of questions and answers at the commit, before the sealer links them. The insert into the queue
# notifies in any case, so that one more costs the transaction nothing.
_PUBLISH_AND_TELL = f"{_PUBLISH} CROSS JOIN (SELECT pg_notify('console', $5)) AS told"
TOLD = (ApprovalRaised, ApprovalDecided)

_COUNT = """
INSERT INTO work_queue.deliveries AS d (job_id, entrypoint, payload) VALUES ($1, $2, $3)
ON CONFLICT (job_id) DO UPDATE SET attempts = d.attempts + 1, last_at = clock_timestamp()
RETURNING attempts
"""

_TIDY = "DELETE FROM work_queue.pgqueuer_log WHERE aggregated AND created < now() - interval '7 days'"
_FAILED = "UPDATE work_queue.deliveries SET last_error = $2 WHERE job_id = $1 RETURNING last_error"
_DEAD = "UPDATE work_queue.deliveries SET dead_at = clock_timestamp() WHERE job_id = $1 RETURNING last_error"
_DONE = "DELETE FROM work_queue.deliveries WHERE job_id = $1"


async def publish(
    tx: Transaction, message: Message, *, after_seconds: float = 0, dedupe_key: str | None = None
) -> None:
    """Queue `message` in the caller's transaction; it is delivered after the commit, not before `after_seconds`.

    While a message with the same `dedupe_key` waits or is being handled, this one is dropped.
    """
    values = (entrypoint(message), ENCODER.encode(message), float(after_seconds), dedupe_key)
    if isinstance(message, TOLD):
        await tx.connection.execute(_PUBLISH_AND_TELL, *values, f"{tx.tenant} approvals")
    else:
        await tx.connection.execute(_PUBLISH, *values)


def wait_seconds(attempts: int) -> float:
    """How long to wait after the `attempts`-th delivery failed: 1, 2, 4 ... at most 300 seconds."""
    return min(2.0 ** (attempts - 1), LONGEST_WAIT_SECONDS)


async def consume(
    url: str,
    handlers: Mapping[str, Handler],
    *,
    closing: asyncio.Event,
    concurrency: int = 8,
    attempts: int = ATTEMPTS,
    heartbeat: timedelta = HEARTBEAT,
) -> None:
    """Deliver messages to `handlers` (by entrypoint) until `closing` is set; then handlers in hand may finish.

    A handler opens its own transactions and is idempotent. When it raises, the message comes again after a wait; after
    `attempts` deliveries it is a dead letter, recorded as `message.dead_lettered`. A lost connection is opened anew.
    `heartbeat` is how long a worker may be silent before its messages go to another.
    """
    while not closing.is_set():
        try:
            await _consume_once(url, handlers, closing, concurrency, attempts, heartbeat)
        except LOST as error:
            _LOG.warning("the queue's connection is gone (%s); trying again", error)
            with suppress(TimeoutError):
                await asyncio.wait_for(closing.wait(), 1)


async def _consume_once(
    url: str,
    handlers: Mapping[str, Handler],
    closing: asyncio.Event,
    concurrency: int,
    attempts: int,
    heartbeat: timedelta,
) -> None:
    async with asyncpg.create_pool(url, min_size=1, max_size=2, command_timeout=20) as counting:
        connection = await asyncpg.connect(url)
        try:
            manager = _manager(connection)
            for name, handler in handlers.items():
                _register(manager, name, _counted(counting, handler, attempts))
            await _run(manager, counting, closing, concurrency, heartbeat)
        finally:
            await connection.close()


async def _run(
    manager: "QueueManager", counting: asyncpg.Pool, closing: asyncio.Event, concurrency: int, heartbeat: timedelta
) -> None:
    async def close() -> None:
        await closing.wait()
        manager.shutdown.set()

    closer = asyncio.create_task(close())
    tidying = asyncio.create_task(_tidy(counting))
    try:
        await manager.run(
            dequeue_timeout=POLL,
            batch_size=max(1, concurrency // 2),
            max_concurrent_tasks=max(2, concurrency),
            shutdown_on_listener_failure=True,
            heartbeat_timeout=heartbeat,
        )
    finally:
        closer.cancel()
        tidying.cancel()


async def _tidy(counting: asyncpg.Pool) -> None:
    """The queue logs each change of each job and never forgets: keep a week of what is in its statistics."""
    while True:
        with suppress(*LOST):
            await counting.execute(_TIDY)
        await asyncio.sleep(TIDY_SECONDS)


def _manager(connection: asyncpg.Connection) -> "QueueManager":
    from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment, QueryQueueBuilder, QuerySchedulerBuilder
    from pgqueuer.db import AsyncpgDriver
    from pgqueuer.domain.settings import DBSettings
    from pgqueuer.qm import QueueManager
    from pgqueuer.queries import Queries

    names = DBSettings(db_schema=SCHEMA)
    queries = Queries(
        AsyncpgDriver(connection),
        qbe=QueryBuilderEnvironment(names),
        qbq=QueryQueueBuilder(names),
        qbs=QuerySchedulerBuilder(names),
    )
    return QueueManager(queries)


def _register(manager: "QueueManager", name: str, handle: Callable[["Job"], Awaitable[None]]) -> None:
    async def deliver(job: Any) -> None:
        await handle(job)

    manager.entrypoint(name, on_failure="hold", accepts_context=False)(deliver)


def _counted(counting: asyncpg.Pool, handler: Handler, limit: int) -> Callable[["Job"], Awaitable[None]]:
    """`handler`, with its deliveries counted, its failures retried and its dead letters kept."""

    async def handle(job: "Job") -> None:
        from pgqueuer.errors import RetryRequested

        attempt = await counting.fetchval(_COUNT, int(job.id), str(job.entrypoint), job.payload or b"")
        message = DECODER.decode(job.payload or b"")
        if attempt > limit:
            await _bury(counting, int(job.id), message)
            return
        try:
            await handler(message)
        except Exception as error:
            _LOG.exception("%s failed, delivery %d of %d", job.entrypoint, attempt, limit)
            await counting.execute(_FAILED, int(job.id), f"{type(error).__name__}: {error}"[:2000])
            raise RetryRequested(timedelta(seconds=wait_seconds(attempt)), type(error).__name__) from error
        await counting.execute(_DONE, int(job.id))

    return handle


async def _bury(counting: asyncpg.Pool, job_id: int, message: Message) -> None:
    async with counting.acquire() as connection, connection.transaction():
        await connection.execute("SELECT set_config('app.tenant', $1, true)", str(message.tenant))
        said = await connection.fetchval(_DEAD, job_id)
        event = Event(
            type="message.dead_lettered",
            actor="system:work_queue",
            data={
                "job": str(job_id),
                "entrypoint": entrypoint(message),
                "error": said or "the worker ended in the middle of it",
                "message": ENCODER.encode(message).decode(),
            },
        )
        await append(Transaction(connection, message.tenant), event)
    _LOG.error("%s is a dead letter (job %d): %s", entrypoint(message), job_id, said)
