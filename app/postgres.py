"""The one transaction: our asyncpg pool owns it, Piccolo borrows the same connection.

The tenant is set as the transaction's first statement; row-level security does the rest. Piccolo outside
an open transaction raises, so that no query can run without its tenant.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, Self
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from piccolo.engine.exceptions import TransactionError
from piccolo.engine.postgres import PostgresEngine

Connection = asyncpg.Connection | PoolConnectionProxy

# asyncpg says InternalClientError when the server's farewell is being read as the next query begins.
DIED = (
    ConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
)
AWAY = (*DIED, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.TooManyConnectionsError)
"""The database does not answer now: it restarts, is full, or cannot be reached. Asking again may do."""
LOST = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, TimeoutError)
"""Whatever may befall work that goes on by itself when the database is away: it says so, and begins again."""

_BEGIN = "BEGIN; SET LOCAL app.tenant = '{}'"


class Binding:
    """The slot that Piccolo takes for its open transaction; shared by copied contexts."""

    __slots__ = ("_manager", "open")

    def __init__(self) -> None:
        self.open: Connection | None = None
        self._manager: AbstractAsyncContextManager[Transaction] | None = None

    @property
    def connection(self) -> Connection:
        if self.open is None:
            raise TransactionError("no open transaction here: open one with Database.transaction()")
        return self.open

    async def enter(self, manager: "AbstractAsyncContextManager[Transaction]") -> "Transaction":
        opened = await manager.__aenter__()
        self._manager = manager
        return opened

    async def leave(self, error: BaseException | None) -> None:
        manager, self._manager = self._manager, None
        if manager is not None:
            traceback = error.__traceback__ if error else None
            await manager.__aexit__(type(error) if error else None, error, traceback)

    async def abandon(self) -> None:
        """Roll back what a framework forgot to close; quiet when nothing is open."""
        if self._manager is None:
            return
        abandoned = TransactionError("abandoned")
        try:
            await self.leave(abandoned)
        except TransactionError as error:
            if error is not abandoned:
                raise


class Engine(PostgresEngine):
    """Refuses every way around the edge's transaction."""

    def __init__(self) -> None:
        super().__init__(config={"database": "flr"}, extensions=())

    async def get_new_connection(self) -> Any:
        raise TransactionError("no open transaction here: open one with Database.transaction()")

    async def batch(self, *_: Any, **__: Any) -> Any:
        raise TransactionError("read in batches with tx.connection.cursor()")

    def transaction(self, allow_nested: bool = False) -> Any:
        raise TransactionError("the edge owns the transaction; use tx.savepoint()")

    def atomic(self) -> Any:
        raise TransactionError("the edge owns the transaction")

    async def get_version(self) -> float:
        return 18.0


ENGINE = Engine()


class Transaction:
    """One open transaction of one tenant. One query at a time; never `gather` over it."""

    __slots__ = ("connection", "tenant")

    def __init__(self, connection: Connection, tenant: UUID) -> None:
        self.connection = connection
        self.tenant = tenant

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """`async with tx.savepoint():` rolls back to here on error."""
        await self.connection.execute("SAVEPOINT here")
        try:
            yield
        except BaseException:
            await self.connection.execute("ROLLBACK TO here; RELEASE here")
            raise
        await self.connection.execute("RELEASE here")


async def _keep(_: Any) -> None:
    """Nothing session-wide is ever set on a pool connection, so there is nothing to reset."""


class Database:
    """The pool of one process. `connect` and `close` belong to composition."""

    def __init__(self, url: str, *, max_size: int = 10) -> None:
        self.url = url
        self._max_size = max_size
        self._pool: asyncpg.Pool | None = None

    @property
    def pool(self) -> asyncpg.Pool:
        if self._pool is None:
            raise RuntimeError("Database.connect() was not called")
        return self._pool

    async def connect(self) -> "Database":
        self._pool = await asyncpg.create_pool(
            self.url, min_size=1, max_size=self._max_size, command_timeout=20, reset=_keep
        )
        return self

    async def close(self) -> None:
        if self._pool is not None:
            await self._pool.close()
            self._pool = None

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @asynccontextmanager
    async def transaction(self, tenant: UUID, binding: Binding | None = None) -> AsyncIterator[Transaction]:
        """One transaction of `tenant`, committed at the end of the block, rolled back on error."""
        mark = None
        if binding is None:
            binding = Binding()
            mark = ENGINE.current_transaction.set(binding)  # type: ignore[arg-type]
        try:
            async with self._begun(tenant) as connection:
                binding.open = connection
                try:
                    yield Transaction(connection, tenant)
                finally:
                    binding.open = None
        finally:
            if mark is not None:
                ENGINE.current_transaction.reset(mark)

    @asynccontextmanager
    async def _begun(self, tenant: UUID) -> AsyncIterator[PoolConnectionProxy]:
        connection = await self._begin(tenant)
        try:
            try:
                yield connection
            except BaseException:
                await connection.execute("ROLLBACK")
                raise
            if await connection.execute("COMMIT") != "COMMIT":
                raise TransactionError("rolled back: an error of the database was swallowed within the transaction")
        finally:
            await self.pool.release(connection)

    async def _begin(self, tenant: UUID) -> PoolConnectionProxy:
        """A transaction that has done nothing but name its tenant. A connection that died in the pool is replaced:
        nothing has run on it, so trying the next is safe."""
        for spare in range(self._max_size, -1, -1):
            connection = await self._acquire()
            try:
                await connection.execute(_BEGIN.format(tenant))
                return connection
            except BaseException as error:
                await self._discard(connection)
                if not isinstance(error, DIED) or not spare:
                    raise
        raise AssertionError("the last try returns or raises")

    async def _acquire(self) -> PoolConnectionProxy:
        """A connection within 5 seconds. One that lies idle is taken at once, without a timer for the wait."""
        return await self.pool.acquire(timeout=None if self.pool.get_idle_size() else 5)

    async def _discard(self, connection: PoolConnectionProxy) -> None:
        with suppress(asyncpg.InterfaceError):  # the pool took it back when its server went away
            connection.terminate()
        await self.pool.release(connection)
