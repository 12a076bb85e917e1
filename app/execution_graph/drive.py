"""One run, driven by one process under one lease: what its beats and steps share."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import TypeVar
from uuid import UUID

from app.canon.agent import Halt
from app.canon.tool import InputFile
from app.execution_graph.files import files_of
from app.execution_graph.inheriting import inherited_secrets
from app.execution_graph.journal import Journal
from app.execution_graph.model import Brief, Lease, Run, Step
from app.execution_graph.runtime import Runtime
from app.postgres import Transaction
from app.work_queue import Ticket

T = TypeVar("T")


class Drive:
    """Mutable, of one process; the journal and the tables are the truth."""

    def __init__(
        self,
        runtime: Runtime,
        lease: Lease,
        *,
        run: Run,
        ticket: Ticket,
        journal: Journal,
        zone: str,
        worked_ms: int = 0,
    ) -> None:
        self.runtime = runtime
        self.lease = lease
        self.run = run
        self.ticket = ticket
        self.journal = journal
        self.zone = zone
        self.brief: Brief | None = None
        self.files: dict[InputFile, str] | None = None
        self.texts: dict[str, str] = {}
        self.inherited: tuple[Step, ...] | None = None
        self.paid_minute = 0
        self.given_back = False
        self._worked_before_ms = worked_ms
        self._begun = time.monotonic()
        self._stopped = asyncio.Event()
        self._reason = ""

    @property
    def actor(self) -> str:
        """Who acts, as events name it: the role's worker, or the router while there is no role."""
        return worker_actor(self.run.role_id)

    @property
    def worked_ms(self) -> int:
        """How long the run was driven so far, by whomever."""
        return self._worked_before_ms + int((time.monotonic() - self._begun) * 1000)

    def minute(self) -> int:
        """The minute of its working time that the run is in; the first is 1."""
        return self.worked_ms // 60_000 + 1

    def stop(self, reason: str) -> None:
        """Let the run halt at its next step, or in the model call that it waits for. The first reason counts."""
        if not self._stopped.is_set():
            self._reason = reason
            self._stopped.set()

    def check(self) -> None:
        """Raises `Halt` once the run was told to stop."""
        if self._stopped.is_set():
            raise Halt(self._reason)

    async def unless_stopped(self, waited_for: Awaitable[T]) -> T:
        """The result; when the run is told to stop first, the call is aborted. Raises `Halt`."""
        task = asyncio.ensure_future(waited_for)
        stopped = asyncio.create_task(self._stopped.wait())
        try:
            await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise Halt(self._reason)
        finally:
            for one in (task, stopped):
                one.cancel()
            await asyncio.gather(task, stopped, return_exceptions=True)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """One transaction of the run's tenant; what the journal wrote in it counts once it has committed."""
        try:
            async with self.runtime.database.transaction(self.lease.tenant) as tx:
                yield tx
        except BaseException:
            self.journal.forget()
            raise
        self.journal.keep()

    async def files_in(self, tx: Transaction, *, anew: bool) -> dict[InputFile, str]:
        """The ticket's files with their evidence keys; read `anew` where a step may want one that came meanwhile."""
        if self.files is None or anew:
            self.files = await files_of(tx, self.run.ticket_id)
        return self.files

    async def inherited_in(self, tx: Transaction) -> tuple[Step, ...]:
        """What was read of secrets in the work that the ticket was opened in; read once."""
        if self.inherited is None:
            self.inherited = await inherited_secrets(tx, self.ticket)
        return self.inherited


def worker_actor(role_id: UUID | None) -> str:
    return "system:router" if role_id is None else f"worker:{role_id}"
