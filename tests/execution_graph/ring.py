"""A company with its executor in this process: real database, real rooms, engines that ship with the product."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from app.adapters.agents import load_backbone, load_router, load_worker
from app.adapters.evidence import FolderStore
from app.adapters.tools import load_tools
from app.canon.agent import Backbone, Finished, Router, StepContext, Worker
from app.canon.contract import BudgetLimit, EngineBinding, ProcedureStep, ToolRule
from app.canon.model import ModelAnswer, ModelFailed, ModelRequest
from app.canon.tool import Effect, OutcomeUnknown, Tool, ToolCall, ToolFailed, ToolResult, ToolSpec
from app.canon.vocabulary import Principal, Risk, new_id
from app.execution_graph import Run, RunView, run_status, start_run
from app.execution_graph.executor import Executor
from app.execution_graph.runs import wake_waiting
from app.execution_graph.runtime import Defaults, Runtime
from app.governance_ledger import EventFilter, RecordedEvent, read_events
from app.messages import ApprovalDecided
from app.postgres import Database
from app.role_registry import Role, on_approval_decided
from app.work_queue import Approval, Ticket, decide, get_approval, get_ticket, pending_of_ticket
from tests.builders import APPROVALS, ROOMY_BUDGET, a_company, a_role, a_ticket, approve, some_terms


class Outside(Tool):
    """A tool that acts in the world outside: counts what it is asked, by key, and answers as told."""

    def __init__(self, name: str, *, effect: Effect = "external", idempotent: bool = False) -> None:
        self._spec = ToolSpec(
            name,
            "Does something outside.",
            {"type": "object", "properties": {"what": {"type": "string"}}, "additionalProperties": False},
            Risk.READ if effect == "read" else Risk.REVERSIBLE,
            effect,
            idempotent=idempotent,
        )
        self.keys: list[str] = []
        self.answer: Callable[[ToolCall], ToolResult] = lambda call: ToolResult(f"did {call.arguments.get('what')}")

    @property
    def spec(self) -> ToolSpec:
        return self._spec

    async def perform(self, call: ToolCall) -> ToolResult:
        self.keys.append(call.key)
        return self.answer(call)


def loses_its_answer(_: ToolCall) -> ToolResult:
    raise OutcomeUnknown("the line went dead")


def fails(_: ToolCall) -> ToolResult:
    raise ToolFailed("the shop is closed")


class Dies(BaseException):
    """The process is gone at this point, as far as anybody can tell."""


class Endpoint:
    """A model endpoint of the test: answers in turn, counts, costs what it is told."""

    scripted = True

    def __init__(self, *answers: dict[str, object], cost: int | None = 0, tokens: int = 10) -> None:
        self.answers = list(answers)
        self.requests: list[ModelRequest] = []
        self.cost = cost
        self.tokens = tokens
        self.gate: asyncio.Event | None = None
        self.asked = asyncio.Event()

    async def complete(self, request: ModelRequest) -> ModelAnswer:
        self.requests.append(request)
        self.asked.set()
        if self.gate is not None:
            await self.gate.wait()
        if not self.answers:
            raise ModelFailed("nothing more to say")
        return ModelAnswer(self.answers.pop(0), "test", self.tokens // 2, self.tokens - self.tokens // 2, self.cost)

    def worst_case_usd_micros(self, request: ModelRequest) -> int | None:
        return self.cost

    def worst_case_tokens(self, request: ModelRequest) -> int:
        return self.tokens


class Scribe(Worker):
    """A worker of the test: does what it is written to do."""

    name = "scribe"

    def __init__(self, write: Callable[[StepContext], Any]) -> None:
        self._write = write

    async def work(self, ctx: StepContext) -> Finished:
        said = await self._write(ctx)
        return said if isinstance(said, Finished) else Finished(str(said))


class Shelf:
    """Engines by name: those of the product, and the test's own."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.workers: dict[str, Worker] = {}
        self.routers: dict[str, Router] = {}
        self._backbones: dict[str, Backbone] = {}

    def worker(self, name: str) -> Worker:
        return self.workers.get(name) or load_worker(name)

    def router(self, name: str) -> Router:
        return self.routers.get(name) or load_router(name)

    def backbone(self, name: str) -> Backbone:
        if name not in self._backbones:
            self._backbones[name] = load_backbone(name, database_url=self._url)
        return self._backbones[name]


class Ring:
    """One tenant, its founder, and an executor that drives when told to."""

    def __init__(self, database: Database, store: FolderStore, tools: Mapping[str, Tool], endpoint: Endpoint) -> None:
        self.tenant = new_id()
        self.database = database
        self.shelf = Shelf(database.url)
        self.endpoint = endpoint
        self.tools = dict(tools)
        self.runtime = Runtime(
            database, store, self.tools, endpoint, self.shelf, APPROVALS, Defaults("plain", "procedure", "rules"), 0
        )
        self.executor = Executor(self.runtime, owner=7)
        self.founder: Principal

    def transaction(self) -> Any:
        return self.database.transaction(self.tenant)

    def outside(self, name: str) -> Outside:
        """One of the test's own tools."""
        tool = self.tools[name]
        assert isinstance(tool, Outside)
        return tool

    async def found(self) -> "Ring":
        async with self.transaction() as tx:
            self.founder = await a_company(tx)
        return self

    async def hire(
        self,
        *tools: str | ToolRule,
        procedure: Sequence[ProcedureStep] = (),
        budget: tuple[BudgetLimit, ...] = ROOMY_BUDGET,
        name: str = "Mira",
        **engine: Any,
    ) -> Role:
        rules = tuple(ToolRule(tool, "allow") if isinstance(tool, str) else tool for tool in tools)
        binding = EngineBinding(procedure=tuple(procedure), **engine)
        async with self.transaction() as tx:
            return await a_role(tx, self.founder, some_terms(name, tools=rules, budget=budget, engine=binding))

    async def hire_scribe(self, write: Callable[[StepContext], Any], *tools: str | ToolRule, **more: Any) -> Role:
        self.shelf.workers["scribe"] = Scribe(write)
        return await self.hire(*tools, worker="scribe", **more)

    async def open(self, role: Role | None, **changes: Any) -> Ticket:
        async with self.transaction() as tx:
            return await a_ticket(tx, self.founder, role_id=None if role is None else role.id, **changes)

    async def start(self, ticket: Ticket) -> Run:
        async with self.transaction() as tx:
            return await start_run(
                tx,
                ticket.id,
                actor=self.founder.actor,
                defaults=self.runtime.defaults,
                tools={name: tool.spec for name, tool in self.tools.items()},
                undo_seconds=0,
            )

    async def drive(self, run: Run, executor: Executor | None = None) -> RunView:
        await (executor or self.executor).drive(self.tenant, run.id)
        return await self.view(run)

    async def run(self, role: Role | None, **changes: Any) -> RunView:
        """Open a ticket, start it and drive it until it waits or is closed."""
        ticket = await self.open(role, **changes)
        return await self.drive(await self.start(ticket))

    async def view(self, run: Run) -> RunView:
        async with self.transaction() as tx:
            return await run_status(tx, run.id)

    async def ticket(self, run: Run) -> Ticket:
        async with self.transaction() as tx:
            return await get_ticket(tx, run.ticket_id)

    async def pending(self, run: Run) -> Approval:
        async with self.transaction() as tx:
            (only,) = await pending_of_ticket(tx, run.ticket_id)
            return only

    async def is_asked(self, run: Run) -> bool:
        async with self.transaction() as tx:
            return bool(await pending_of_ticket(tx, run.ticket_id))

    async def approval(self, approval_id: UUID) -> Approval:
        async with self.transaction() as tx:
            return await get_approval(tx, approval_id)

    async def decide(self, run: Run, *, yes: bool = True, reason: str = "") -> Approval:
        """The founder's answer to what waits, and the message that wakes the run."""
        waiting = await self.pending(run)
        async with self.transaction() as tx:
            if yes:
                approval = await approve(tx, waiting.id, self.founder)
            else:
                approval = await decide(
                    tx, waiting.id, "reject", by=self.founder, signer=APPROVALS, proof=None, reason=reason
                )
        await self.tell(approval)
        return approval

    async def tell(self, approval: Approval) -> None:
        async with self.transaction() as tx:
            message = ApprovalDecided(self.tenant, approval.id, approval.run_id, approval.ticket_id)
            await on_approval_decided(tx, message, reader=APPROVALS)
        async with self.transaction() as tx:
            await wake_waiting(tx, approval.id, approval.run_id)

    async def events(self, run: Run | None = None, kind: str | None = None) -> list[RecordedEvent]:
        async with self.transaction() as tx:
            page = await read_events(
                tx, EventFilter(type=kind, run_id=None if run is None else run.id), limit=200, newest_first=False
            )
            return list(page.items)

    async def types(self, run: Run) -> list[str]:
        return [event.type for event in await self.events(run)]

    async def count(self, table: str) -> int:
        async with self.transaction() as tx:
            return int(await tx.connection.fetchval(f"SELECT count(*) FROM execution_graph.{table}"))


def builtin_tools() -> dict[str, Tool]:
    return dict(load_tools())


def steps_of(view: RunView) -> list[tuple[str, str]]:
    return [(step.name, step.state) for step in view.steps]
