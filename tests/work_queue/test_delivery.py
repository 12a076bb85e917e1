"""Messages: queued with the state change, delivered at least once, counted, retried, buried."""

import asyncio
import inspect
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from app.canon.vocabulary import new_id
from app.governance_ledger import EventFilter, read_events
from app.messages import ENCODER, Message, RunWanted, TicketOpened, entrypoint
from app.postgres import Database
from app.work_queue import publish
from app.work_queue.delivery import Handler, consume, wait_seconds


@asynccontextmanager
async def consuming(dsn: str, handlers: dict[str, Handler], **settings: Any) -> AsyncIterator[None]:
    """A consumer that runs for the length of the block."""
    closing = asyncio.Event()
    task = asyncio.create_task(consume(dsn, handlers, closing=closing, **settings))
    try:
        yield
    finally:
        closing.set()
        await asyncio.wait_for(task, 15)


async def until(what: Any, seconds: float = 15) -> None:
    """Wait for `what()` to be true: other processes and the database raise no event here."""
    async with asyncio.timeout(seconds):
        while not (await what() if inspect.iscoroutinefunction(what) else what()):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def send(database: Database, message: Message, **more: Any) -> None:
    async with database.transaction(message.tenant) as tx:
        await publish(tx, message, **more)


async def jobs(superuser: asyncpg.Connection) -> list[asyncpg.Record]:
    rows: list[asyncpg.Record] = await superuser.fetch("SELECT * FROM work_queue.pgqueuer ORDER BY id")
    return rows


async def test_what_we_queue_is_what_the_queue_would_have_queued(
    database: Database, superuser: asyncpg.Connection
) -> None:
    """pgqueuer's own enqueue, asked for the same message, writes the same rows."""
    from pgqueuer.adapters.persistence.qb import QueryQueueBuilder
    from pgqueuer.domain.settings import DBSettings

    message = TicketOpened(new_id(), new_id())
    payload = ENCODER.encode(message)
    await send(database, message, dedupe_key="one")
    theirs = QueryQueueBuilder(DBSettings(db_schema="work_queue")).build_enqueue_query(on_conflict="skip")
    row = [[0], [entrypoint(message)], [payload], [timedelta()], ["two"], [None]]
    await superuser.fetch(theirs, *row)
    varying = {"id", "created", "updated", "heartbeat", "execute_after", "dedupe_key"}
    ours, own = [{k: v for k, v in job.items() if k not in varying} for job in await jobs(superuser)]
    assert ours == own
    logged = await superuser.fetch(
        "SELECT status, priority, entrypoint, traceback, aggregated FROM work_queue.pgqueuer_log"
    )
    assert dict(logged[0]) == dict(logged[1])


async def test_a_message_is_delivered_after_the_commit(database: Database, dsn: str) -> None:
    got: list[Message] = []

    async def keep(message: Message) -> None:
        got.append(message)

    message = RunWanted(new_id(), new_id())
    async with consuming(dsn, {"run_wanted": keep}):
        async with database.transaction(message.tenant) as tx:
            await publish(tx, message)
            await asyncio.sleep(0.3)
            assert got == []
        await until(lambda: got == [message])


async def test_a_message_of_a_rolled_back_transaction_is_never_delivered(
    database: Database, superuser: asyncpg.Connection
) -> None:
    async def fail() -> None:
        async with database.transaction(new_id()) as tx:
            await publish(tx, RunWanted(tx.tenant, new_id()))
            raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        await fail()
    assert await jobs(superuser) == []


async def test_a_delayed_message_waits(database: Database, dsn: str) -> None:
    got: list[float] = []
    loop = asyncio.get_running_loop()

    async def keep(_: Message) -> None:
        got.append(loop.time())

    async with consuming(dsn, {"run_wanted": keep}):
        start = loop.time()
        await send(database, RunWanted(new_id(), new_id()), after_seconds=1)
        await until(lambda: got)
        assert 0.99 <= got[0] - start < 4


async def test_the_same_wish_waits_once(database: Database, superuser: asyncpg.Connection) -> None:
    message = RunWanted(new_id(), new_id())
    for _ in range(3):
        await send(database, message, dedupe_key=f"run:{message.run_id}")
    assert len(await jobs(superuser)) == 1


async def test_a_handler_that_fails_is_tried_again(database: Database, dsn: str, superuser: asyncpg.Connection) -> None:
    tries: list[int] = []

    async def flaky(_: Message) -> None:
        tries.append(1)
        if len(tries) < 3:
            raise ValueError("not yet")

    async with consuming(dsn, {"run_wanted": flaky}):
        await send(database, RunWanted(new_id(), new_id()))
        await until(lambda: len(tries) == 3)

        async def settled() -> bool:
            return not await superuser.fetchval("SELECT count(*) FROM work_queue.deliveries")

        await until(settled)
    assert await superuser.fetchval("SELECT count(*) FROM work_queue.pgqueuer") == 0


async def test_a_message_that_always_fails_is_a_dead_letter_in_the_ledger(
    database: Database, dsn: str, superuser: asyncpg.Connection
) -> None:
    tries: list[int] = []

    async def broken(_: Message) -> None:
        tries.append(1)
        raise ValueError("never")

    message = RunWanted(new_id(), new_id())
    async with consuming(dsn, {"run_wanted": broken}, attempts=2):
        await send(database, message)

        async def buried() -> bool:
            return bool(
                await superuser.fetchval("SELECT count(*) FROM work_queue.deliveries WHERE dead_at IS NOT NULL")
            )

        await until(buried)
    assert len(tries) == 2
    async with database.transaction(message.tenant) as tx:
        letters = (await read_events(tx, EventFilter(type="message.dead_lettered"))).items
        assert letters[0].data["error"] == "ValueError: never"
        assert str(message.run_id) in str(letters[0].data["message"])


def test_waits_grow_and_end() -> None:
    waits = [wait_seconds(attempt) for attempt in range(1, 12)]
    assert waits[:4] == [1, 2, 4, 8]
    assert max(waits) == 300
    assert waits == sorted(waits)


VICTIM = """
import asyncio, sys
from app.work_queue.delivery import consume
from datetime import timedelta

async def hang(message):
    print("taken", flush=True)
    await asyncio.sleep(600)

asyncio.run(consume(sys.argv[1], {"run_wanted": hang}, closing=asyncio.Event(), heartbeat=timedelta(seconds=2)))
"""


async def test_a_killed_workers_message_goes_to_another_and_is_counted(
    database: Database, dsn: str, superuser: asyncpg.Connection
) -> None:
    """The queue's own attempts stay 0 when a worker is killed; ours say 2."""
    victim = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-c", VICTIM, dsn], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ)
    )
    counted: list[int] = []

    async def rescue(_: Message) -> None:
        counted.append(await superuser.fetchval("SELECT attempts FROM work_queue.deliveries"))

    try:
        await send(database, RunWanted(new_id(), new_id()))
        assert victim.stdout is not None
        said = await asyncio.wait_for(asyncio.to_thread(victim.stdout.readline), 20)
        assert said == b"taken\n", victim.stderr
        victim.send_signal(signal.SIGKILL)
        async with consuming(dsn, {"run_wanted": rescue}, heartbeat=timedelta(seconds=2)):
            await until(lambda: counted, seconds=30)
    finally:
        victim.kill()
        victim.communicate()
    assert counted == [2]


async def test_the_queues_own_log_is_kept_for_a_week(
    database: Database, dsn: str, superuser: asyncpg.Connection
) -> None:
    insert = """
    INSERT INTO work_queue.pgqueuer_log (created, job_id, status, priority, entrypoint, aggregated)
    VALUES (now() - interval '8 days', 1, 'successful', 0, 'x', true),
           (now() - interval '8 days', 2, 'successful', 0, 'x', false),
           (now(), 3, 'successful', 0, 'x', true)
    """
    await superuser.execute(insert)

    async def tidied() -> bool:
        jobs_left = await superuser.fetch("SELECT job_id FROM work_queue.pgqueuer_log ORDER BY job_id")
        return [record["job_id"] for record in jobs_left] == [2, 3]

    async with consuming(dsn, {}):
        await until(tidied)


async def test_closing_lets_a_handler_finish(database: Database, dsn: str) -> None:
    started, finished = asyncio.Event(), asyncio.Event()

    async def slow(_: Message) -> None:
        started.set()
        await asyncio.sleep(0.5)
        finished.set()

    async with consuming(dsn, {"run_wanted": slow}):
        await send(database, RunWanted(new_id(), new_id()))
        await asyncio.wait_for(started.wait(), 10)
    assert finished.is_set()


async def test_many_messages_are_handled_side_by_side_and_each_once(database: Database, dsn: str) -> None:
    got: list[UUID] = []
    at_once = most = 0

    async def keep(message: Message) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.05)
        at_once -= 1
        assert isinstance(message, RunWanted)
        got.append(message.run_id)

    wanted = [RunWanted(new_id(), new_id()) for _ in range(24)]
    async with consuming(dsn, {"run_wanted": keep}, concurrency=4):
        for message in wanted:
            await send(database, message)
        await until(lambda: len(got) >= 24, seconds=30)
    assert sorted(got) == sorted(message.run_id for message in wanted)
    assert 1 < most <= 4


async def test_a_lost_connection_is_opened_anew(database: Database, dsn: str, superuser: asyncpg.Connection) -> None:
    got: list[Message] = []

    async def keep(message: Message) -> None:
        got.append(message)

    async with consuming(dsn, {"run_wanted": keep}):
        await send(database, RunWanted(new_id(), new_id()))
        await until(lambda: len(got) == 1)
        await superuser.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND query LIKE '%pgqueuer%' AND pid <> pg_backend_pid()"
        )
        await send(database, RunWanted(new_id(), new_id()))
        await until(lambda: len(got) == 2, seconds=40)


def test_who_only_publishes_does_not_load_the_queue() -> None:
    code = "import sys, app.work_queue, app.work_queue.http; print('pgqueuer' in sys.modules)"
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert seen.stdout.strip() == "False"
