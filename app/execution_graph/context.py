"""The hands of a worker and of a router: every call numbered, journaled, gated, metered."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from app.canon.agent import Candidate, Finished, Halt, Proposed, Task
from app.canon.model import ModelAnswer, ModelRequest
from app.canon.tool import Arguments, ToolAnswer, ToolSpec
from app.execution_graph import outside_rows
from app.execution_graph.drive import Drive
from app.execution_graph.model import BeatName, Brief
from app.execution_graph.model_steps import call_model
from app.execution_graph.tool_steps import call_tool

T = TypeVar("T")


class Counted:
    """Numbers steps in the order in which they are asked for, one at a time. Once a call has left by a BaseException,
    no other is made: an engine that swallowed it cannot go on."""

    def __init__(self, drive: Drive, beat: BeatName) -> None:
        self._drive = drive
        self._beat: BeatName = beat
        self._next = drive.journal.first_step(beat)
        self._turn = asyncio.Lock()
        self._left: BaseException | None = None
        self._loop = asyncio.get_running_loop()

    async def call_model(self, request: ModelRequest) -> ModelAnswer:
        async with self._turn:
            return await self._step(call_model(self._drive, self._take(), self._beat, request))

    def _take(self) -> int:
        if self._left is not None:
            raise self._left
        number = self._next
        self._next += 1
        return number

    async def _step(self, call: Coroutine[Any, Any, T]) -> T:
        try:
            return await call
        except BaseException as error:
            if not isinstance(error, Exception):
                self._left = error
            raise

    def _from_thread(self, call: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(call, self._loop).result()


class WorkerContext(Counted):
    """`canon.agent.StepContext`."""

    def __init__(self, drive: Drive, brief: Brief) -> None:
        super().__init__(drive, "act")
        self._brief = brief

    @property
    def task(self) -> Task:
        return self._brief.task

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        return self._brief.tools

    async def call_tool(self, name: str, arguments: Arguments) -> ToolAnswer:
        async with self._turn:
            return await self._step(call_tool(self._drive, self._take(), name, arguments))

    async def proposal(self, number: int) -> Proposed | Finished:
        self._drive.check()
        async with self._drive.runtime.database.transaction(self._drive.lease.tenant) as tx:
            said = await outside_rows.proposal(tx, self._drive.run.chain, number)
        if said is None:
            raise Halt("outside")
        return said

    def call_tool_from_thread(self, name: str, arguments: Arguments) -> ToolAnswer:
        return self._from_thread(self.call_tool(name, arguments))

    def call_model_from_thread(self, request: ModelRequest) -> ModelAnswer:
        return self._from_thread(self.call_model(request))


class RoutingContext(Counted):
    """`canon.agent.RouteContext`."""

    def __init__(self, drive: Drive, candidates: Sequence[Candidate]) -> None:
        super().__init__(drive, "route")
        self._candidates = tuple(candidates)

    @property
    def title(self) -> str:
        return self._drive.ticket.title

    @property
    def instructions(self) -> str:
        return self._drive.ticket.instructions

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        return self._candidates
