"""ADR 0003: one request, one transaction; what fails leaves nothing; no tenant sees another's rows."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from litestar import Litestar, get, post
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.middleware import DefineMiddleware
from litestar.middleware.authentication import AbstractAuthenticationMiddleware, AuthenticationResult
from piccolo.engine.exceptions import TransactionError

from app import problems
from app.canon.vocabulary import Principal, Rol
from app.governance_ledger import Event, append
from app.main import bind, provide_tx
from app.postgres import ENGINE, Database, Transaction


class ByHeader(AbstractAuthenticationMiddleware):
    """The tenant stands in a header: tokens are not this test's subject."""

    async def authenticate_request(
        self, connection: ASGIConnection[object, object, object, State]
    ) -> AuthenticationResult:
        principal = Principal("someone", UUID(connection.headers["tenant"]), Rol.FOUNDER)
        return AuthenticationResult(principal, principal)


NOTE = "INSERT INTO execution_graph.notes VALUES ($1, $2, $1, $1, 1, 'a note', now())"
COUNT = "SELECT count(*) FROM execution_graph.notes"


async def write_note(tx: Transaction, *, with_event: bool) -> UUID:
    note = uuid4()
    await tx.connection.execute(NOTE, note, tx.tenant)
    if with_event:
        await append(tx, Event(type="x.noted", actor="system", subjects=(f"execution_graph.notes/{note}",)))
    return note


@post("/written")
async def written(tx: NamedDependency[Transaction]) -> str:
    return str(await write_note(tx, with_event=True))


@post("/unrecorded")
async def unrecorded(tx: NamedDependency[Transaction]) -> str:
    return str(await write_note(tx, with_event=False))


@post("/raising")
async def raising(tx: NamedDependency[Transaction]) -> None:
    await write_note(tx, with_event=True)
    raise RuntimeError("after the write")


@post("/unencodable")
async def unencodable(tx: NamedDependency[Transaction]) -> dict[str, object]:
    await write_note(tx, with_event=True)
    return {"socket": object()}


@get("/count")
async def count(tx: NamedDependency[Transaction]) -> int:
    return int(await tx.connection.fetchval(COUNT))


@pytest.fixture
def app(database: Database) -> Litestar:
    return Litestar(
        [written, unrecorded, raising, unencodable, count],
        middleware=[DefineMiddleware(ByHeader), bind],
        dependencies={"tx": Provide(provide_tx)},
        exception_handlers=problems.HANDLERS,
        state=State({"database": database}),
    )


@asynccontextmanager
async def browsing(app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    """A client in the test's own loop, where the pool lives."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://edge") as client:
        yield client


@pytest.mark.parametrize(
    ("path", "status", "rows"), [("written", 201, 1), ("raising", 500, 0), ("unencodable", 500, 0)]
)
async def test_a_request_commits_as_a_whole_or_not_at_all(app: Litestar, path: str, status: int, rows: int) -> None:
    tenant = str(uuid4())
    async with browsing(app) as client:
        answer = await client.post(f"/{path}", headers={"tenant": tenant})
        assert answer.status_code == status, answer.text
        assert (await client.get("/count", headers={"tenant": tenant})).json() == rows


async def test_a_commit_that_the_law_refuses_is_an_error_and_never_a_success(app: Litestar, database: Database) -> None:
    tenant = str(uuid4())
    async with browsing(app) as client:
        for _ in range(3):
            answer = await client.post("/unrecorded", headers={"tenant": tenant})
            assert answer.status_code == 500
        assert (await client.get("/count", headers={"tenant": tenant})).json() == 0
    assert database.pool.get_idle_size() == database.pool.get_size(), "no connection is lost by a refused commit"


async def test_interleaved_requests_of_two_tenants_never_mix(app: Litestar) -> None:
    tenants = [str(uuid4()), str(uuid4())]
    async with browsing(app) as client:
        for _ in range(3):
            await client.post("/written", headers={"tenant": tenants[0]})

        async def seen(tenant: str) -> int:
            return int((await client.get("/count", headers={"tenant": tenant})).json())

        answers = await asyncio.gather(*(seen(tenants[at % 2]) for at in range(60)))
    assert answers == [3 if at % 2 == 0 else 0 for at in range(60)]


async def test_a_cancelled_transaction_leaves_nothing_and_gives_its_connection_back(database: Database) -> None:
    tenant = uuid4()

    async def slow() -> None:
        async with database.transaction(tenant) as tx:
            await write_note(tx, with_event=True)
            await tx.connection.execute("SELECT pg_sleep(30)")

    task = asyncio.create_task(slow())
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with database.transaction(tenant) as tx:
        assert await tx.connection.fetchval(COUNT) == 0


async def test_without_a_transaction_no_query_of_piccolo_runs() -> None:
    with pytest.raises(TransactionError):
        await ENGINE.get_new_connection()
    with pytest.raises(TransactionError):
        ENGINE.transaction()


DROP_ALL = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND usename = 'flr_app'
"""


async def test_connections_that_died_in_the_pool_cost_nobody_a_request(
    database: Database, superuser: asyncpg.Connection
) -> None:
    tenant = uuid4()

    async def counted() -> int:
        async with database.transaction(tenant) as tx:
            await asyncio.sleep(0.05)
            return int(await tx.connection.fetchval(COUNT))

    for _ in range(5):
        assert await asyncio.gather(*(counted() for _ in range(6))) == [0] * 6
        assert await superuser.fetchval(DROP_ALL) >= 1
