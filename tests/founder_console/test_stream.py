"""Live updates: every open page of the tenant hears, nobody else does, and closing ends them all."""

import asyncio
from contextlib import suppress
from uuid import UUID, uuid4

import asyncpg

from app.founder_console import Hub
from app.founder_console.stream import RETRY_SECONDS, ROOM
from app.postgres import Database
from app.work_queue import raise_approval
from tests.builders import a_company, a_question

TIMEOUT = 10


async def until_listening(hub: Hub, dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    tenant = uuid4()
    stream = hub.stream(tenant)
    await anext(stream)
    waiting = asyncio.ensure_future(anext(stream))
    while not waiting.done():
        await connection.execute("SELECT pg_notify('console', $1)", f"{tenant} 1")
        await asyncio.wait((waiting,), timeout=0.1)
    await stream.aclose()
    await connection.close()


async def test_a_sealed_batch_reaches_its_own_tenant_only(dsn: str) -> None:
    hub, mine, other = Hub(dsn), uuid4(), uuid4()
    running = asyncio.create_task(hub.run())
    await until_listening(hub, dsn)
    own, foreign = hub.stream(mine), hub.stream(other)
    await anext(own)
    await anext(foreign)
    heard, silent = asyncio.ensure_future(anext(own)), asyncio.ensure_future(anext(foreign))
    await asyncio.sleep(0)
    connection = await asyncpg.connect(dsn)
    await connection.execute("SELECT pg_notify('console', $1)", f"{mine} 42")
    assert await asyncio.wait_for(heard, TIMEOUT) == b"id: 42\nevent: change\ndata: 42\n\n"
    assert not silent.done()
    hub.close()
    with suppress(StopAsyncIteration):
        await asyncio.wait_for(silent, TIMEOUT)
    assert [piece async for piece in own] == []
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await connection.close()


async def test_a_lost_connection_makes_everybody_read_anew(dsn: str, superuser: asyncpg.Connection) -> None:
    hub, tenant = Hub(dsn), uuid4()
    running = asyncio.create_task(hub.run())
    await until_listening(hub, dsn)
    stream = hub.stream(tenant)
    await anext(stream)
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    await superuser.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE query ILIKE 'LISTEN%' AND datname = current_database()"
    )
    assert await asyncio.wait_for(waiting, TIMEOUT) == b"event: change\ndata: resync\n\n"
    await stream.aclose()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_news_comes_again_after_a_database_that_let_nobody_in(dsn: str, superuser: asyncpg.Connection) -> None:
    hub, tenant = Hub(dsn), uuid4()
    running = asyncio.create_task(hub.run())
    await until_listening(hub, dsn)
    stream = hub.stream(tenant)
    await anext(stream)
    name = await superuser.fetchval("SELECT current_database()")
    await superuser.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT 0')
    await superuser.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE query ILIKE 'LISTEN%' AND datname = current_database()"
    )
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(3 * RETRY_SECONDS)
    assert not running.done(), "a full database is asked again"
    await superuser.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT -1')
    assert await asyncio.wait_for(waiting, TIMEOUT) == b"event: change\ndata: resync\n\n"
    await stream.aclose()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_page_that_cannot_keep_up_is_told_to_read_anew(dsn: str) -> None:
    hub, tenant = Hub(dsn), uuid4()
    stream = hub.stream(tenant)
    await anext(stream)
    for number in range(ROOM + 1):
        hub.publish(tenant, str(number))
    assert await anext(stream) == b"event: change\ndata: resync\n\n"
    await stream.aclose()


async def test_a_page_that_comes_back_is_told_at_once_what_it_missed(dsn: str) -> None:
    hub, tenant = Hub(dsn), uuid4()

    async def head() -> int:
        return 7

    missed = hub.stream(tenant, seen=5, head=head)
    assert (await anext(missed)).endswith(b"id: 7\nevent: beat\ndata: \n\n")
    assert await anext(missed) == b"id: 7\nevent: change\ndata: 7\n\n"
    current = hub.stream(tenant, seen=7, head=head)
    await anext(current)
    waiting = asyncio.ensure_future(anext(current))
    await asyncio.sleep(0)
    assert not waiting.done()
    hub.publish(tenant, "8")
    assert await asyncio.wait_for(waiting, TIMEOUT) == b"id: 8\nevent: change\ndata: 8\n\n"
    await missed.aclose()
    await current.aclose()


async def test_a_question_is_told_at_its_commit_before_it_is_sealed(dsn: str, database: Database) -> None:
    sealed: list[UUID] = []
    hub, tenant = Hub(dsn, sealed.append), uuid4()
    running = asyncio.create_task(hub.run())
    await until_listening(hub, dsn)
    sealed.clear()
    stream = hub.stream(tenant)
    await anext(stream)
    heard = asyncio.ensure_future(anext(stream))
    async with database.transaction(tenant) as tx:
        await a_company(tx)
        await raise_approval(tx, a_question())
        assert not heard.done()
    assert await asyncio.wait_for(heard, TIMEOUT) == b"event: change\ndata: approvals\n\n"
    assert sealed == []
    await stream.aclose()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_who_may_not_listen_any_more_is_ended_at_the_next_beat(dsn: str) -> None:
    hub, answers = Hub(dsn, beat_seconds=0.01), [True, True, False]

    async def allowed() -> bool:
        return answers.pop(0)

    stream = hub.stream(uuid4(), allowed=allowed)
    assert [piece async for piece in stream] == [
        b"retry: 1500\nevent: beat\ndata: \n\n",
        *[b"event: beat\ndata: \n\n"] * 2,
    ]
    assert answers == []
