"""A run's journal in memory: enough for an adapter to be tested as the runtime would treat it.

It records each step, answers recorded ones without executing them again, refuses a step whose arguments differ, and can
suspend or halt before any step. It is a builder for tests, no copy of the runtime: nothing is gated or kept.
"""

import asyncio
import hashlib
import mimetypes
from collections.abc import Awaitable, Callable, Mapping, Sequence
from uuid import UUID

import msgspec

from app.adapters.agents.procedure import ProcedureWorker
from app.canon.agent import Finished, Proposed, StepContext, Suspend, Task, Worker
from app.canon.canonical_json import canonical_bytes
from app.canon.contract import ProcedureStep
from app.canon.errors import NotFound
from app.canon.model import ModelAnswer, ModelClient, ModelRequest
from app.canon.tool import Arguments, InputFile, Tool, ToolAnswer, ToolCall, ToolFailed, ToolSpec
from app.canon.vocabulary import Risk, new_id

Perform = Callable[[Arguments], Awaitable[ToolAnswer]]


class Diverged(AssertionError):
    """A replay proposed something else than what is recorded."""


class Step(msgspec.Struct):
    kind: str
    name: str
    proposed: bytes
    answer: ToolAnswer | ModelAnswer | None = None


class Journal:
    """What outlives a process: the steps, and how often each tool was really executed."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.executed: list[tuple[str, Arguments]] = []
        self.model_calls = 0
        self.earlier: list[ToolAnswer] = []

    def next_part(self) -> "Journal":
        """The empty journal of a part that goes on; what was executed stays one list."""
        part = Journal()
        part.executed = self.executed
        part.earlier = [*self.earlier, *(step.answer for step in self.steps if isinstance(step.answer, ToolAnswer))]
        return part

    def tool_names(self) -> list[str]:
        return [step.name for step in self.steps if step.kind == "tool"]


class Driver:
    """One attempt at a run: the `StepContext` that a worker is given."""

    def __init__(
        self,
        task: Task,
        tools: Sequence[tuple[ToolSpec, Perform]],
        journal: Journal,
        model: ModelClient | None = None,
        *,
        stop_before: int | None = None,
        stop: BaseException | None = None,
        verdicts: Mapping[str, ToolAnswer | Exception] | None = None,
    ) -> None:
        self._task = task
        self._specs = tuple(spec for spec, _ in tools)
        self._performs = {spec.name: perform for spec, perform in tools}
        self._journal = journal
        self._model = model
        self._stop_before = stop_before
        self._stop = stop or Suspend(UUID(int=7))
        self._verdicts = dict(verdicts or {})
        self._next = 0
        self._told: list[ToolAnswer] = list(journal.earlier)
        self._loop = asyncio.get_running_loop()

    def replace(self, name: str, perform: Perform) -> None:
        """Another way to perform the tool called `name`."""
        self._performs[name] = perform

    @property
    def task(self) -> Task:
        return self._task

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        return self._specs

    async def call_tool(self, name: str, arguments: Arguments) -> ToolAnswer:
        answer = await self._step("tool", name, canonical_bytes(arguments), lambda: self._perform(name, arguments))
        assert isinstance(answer, ToolAnswer)
        self._told.append(answer)
        return answer

    async def call_model(self, request: ModelRequest) -> ModelAnswer:
        body = canonical_bytes({"model": request.model, "body": request.body})
        answer = await self._step("model", request.model or "", body, lambda: self._complete(request))
        assert isinstance(answer, ModelAnswer)
        return answer

    async def proposal(self, number: int) -> Proposed | Finished:
        """What an agent outside asks for: one that follows the task's procedure and knows the answers so far."""
        try:
            task = msgspec.structs.replace(self._task, handover=None)
            return await ProcedureWorker().work(_Mind(task, self._specs, self._told[: number - 1]))
        except _Asks as asks:
            return asks.proposed

    def call_tool_from_thread(self, name: str, arguments: Arguments) -> ToolAnswer:
        return asyncio.run_coroutine_threadsafe(self.call_tool(name, arguments), self._loop).result()

    def call_model_from_thread(self, request: ModelRequest) -> ModelAnswer:
        return asyncio.run_coroutine_threadsafe(self.call_model(request), self._loop).result()

    async def _step(
        self, kind: str, name: str, proposed: bytes, act: Callable[[], Awaitable[ToolAnswer | ModelAnswer]]
    ) -> ToolAnswer | ModelAnswer:
        number, self._next = self._next, self._next + 1
        if number < len(self._journal.steps):
            recorded = self._journal.steps[number]
            if (recorded.kind, recorded.name, recorded.proposed) != (kind, name, proposed):
                raise Diverged(f"step {number}: {recorded.proposed!r} became {proposed!r}")
        else:
            self._journal.steps.append(Step(kind, name, proposed))
        step = self._journal.steps[number]
        if step.answer is None:
            if number == self._stop_before:
                raise self._stop
            step.answer = await act()
        return step.answer

    async def _perform(self, name: str, arguments: Arguments) -> ToolAnswer:
        verdict = self._verdicts.get(name)
        if isinstance(verdict, Exception):
            raise verdict
        if verdict is not None:
            return verdict
        if name not in self._performs:
            return ToolAnswer("refused", f"the role has no tool {name!r}")
        self._journal.executed.append((name, arguments))
        return await self._performs[name](arguments)

    async def _complete(self, request: ModelRequest) -> ModelAnswer:
        assert self._model is not None
        self._journal.model_calls += 1
        return await self._model.complete(request)


class _Asks(BaseException):
    """The agent outside wants this call next."""

    def __init__(self, proposed: Proposed) -> None:
        super().__init__(proposed.name)
        self.proposed = proposed


class _Mind(StepContext):
    """What an agent outside knows: the task, the tools, and the answers it was given."""

    def __init__(self, task: Task, tools: tuple[ToolSpec, ...], told: list[ToolAnswer]) -> None:
        self._task, self._tools, self._told = task, tools, iter(told)

    @property
    def task(self) -> Task:
        return self._task

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        return self._tools

    async def call_tool(self, name: str, arguments: Arguments) -> ToolAnswer:
        for answer in self._told:
            return answer
        raise _Asks(Proposed(name, arguments))

    async def call_model(self, request: ModelRequest) -> ModelAnswer:
        raise AssertionError("an agent outside has a model of its own")

    def call_tool_from_thread(self, name: str, arguments: Arguments) -> ToolAnswer:
        raise AssertionError("an agent outside has threads of its own")

    def call_model_from_thread(self, request: ModelRequest) -> ModelAnswer:
        raise AssertionError("an agent outside has a model of its own")

    async def proposal(self, number: int) -> Proposed | Finished:
        raise AssertionError("an agent outside proposes by calling")


async def work_through_stops(worker: Worker, begin: Callable[[int | None], Driver]) -> Finished:
    """Suspends the worker before every single step, each time in a process of its own, and returns how it ends."""
    stop_before = 0
    while True:
        driver = begin(stop_before)
        try:
            return await worker.work(driver)
        except Suspend:
            stop_before += 1


def a_task(
    title: str = "Worst carriers",
    instructions: str = "Find the 2 carriers with the worst mean arrival delay in month 3, mail it to ada@example.org.",
    *,
    fields: Mapping[str, str] | None = None,
    inputs: Sequence[InputFile] = (),
    procedure: Sequence[ProcedureStep] = (),
    max_steps: int = 20,
) -> Task:
    return Task(
        ticket_id=new_id(),
        title=title,
        instructions=instructions,
        fields=dict(fields or {}),
        inputs=tuple(inputs),
        role_name="analyst",
        job_description="Answers questions about our data.",
        procedure=tuple(procedure),
        max_steps=max_steps,
    )


class Files:
    """The files of a ticket, in memory."""

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        self._contents = dict(contents)

    @property
    def files(self) -> tuple[InputFile, ...]:
        return tuple(_file(name, content) for name, content in self._contents.items())

    async def read(self, name: str) -> bytes:
        if name not in self._contents:
            raise NotFound(f"no file {name!r}")
        return self._contents[name]


def a_tool(tool: Tool, files: Files) -> tuple[ToolSpec, Perform]:
    """A shipped tool as the driver performs it."""

    async def perform(arguments: Arguments) -> ToolAnswer:
        call = ToolCall(key="k", tenant=UUID(int=1), run_id=UUID(int=2), step=1, arguments=arguments, inputs=files)
        try:
            result = await tool.perform(call)
        except ToolFailed as failed:
            return ToolAnswer("failed", str(failed))
        return ToolAnswer("done", result.content, result.data)

    return tool.spec, perform


def a_plain_tool(name: str, perform: Perform, **properties: str) -> tuple[ToolSpec, Perform]:
    """A tool of the test's own; `properties` are argument names with their JSON types, all of them required."""
    schema: dict[str, object] = {
        "type": "object",
        "properties": {key: {"type": kind} for key, kind in properties.items()},
        "required": list(properties),
    }
    return ToolSpec(name, f"{name}, for tests.", schema, Risk.READ, "read"), perform


def _file(name: str, content: bytes) -> InputFile:
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return InputFile(name, media_type, len(content), hashlib.sha256(content).hexdigest())
