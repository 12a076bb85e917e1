"""A run, its steps, its lease: states and what may follow what."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

import msgspec

from app.canon.agent import Cause as WorkerCause
from app.canon.agent import Task
from app.canon.tool import ToolSpec
from app.canon.vocabulary import Money
from app.execution_graph.errors import IllegalMove

RunStatus: TypeAlias = Literal[
    "queued", "running", "held", "paused", "continued", "done", "returned", "refused", "failed", "cancelled", "diverged"
]
Ending: TypeAlias = Literal["done", "returned", "refused", "failed", "cancelled", "diverged"]
StepState: TypeAlias = Literal["planned", "held", "started", "done", "failed", "unknown"]
StepKind: TypeAlias = Literal["model", "tool"]
Cause: TypeAlias = Literal[
    WorkerCause,
    "cancelled",
    "ticket_closed",
    "retired",
    "unassigned",
    "not_routed",
    "not_started",
    "start_unanswered",
    "procedure",
    "no_progress",
    "no_news",
    "wall_clock",
    "forged",
    "budget",
    "diverged",
    "engine",
    "stuck",
]
BeatName: TypeAlias = Literal["route", "act"]

OPEN: frozenset[RunStatus] = frozenset({"queued", "running", "held", "paused"})
ENDINGS: frozenset[RunStatus] = frozenset({"done", "returned", "refused", "failed", "cancelled", "diverged"})

_ENDED: frozenset[RunStatus] = frozenset()

NEXT: Mapping[RunStatus, frozenset[RunStatus]] = {
    "queued": ENDINGS | {"running", "held", "paused"},
    "running": ENDINGS | {"queued", "held", "paused", "continued"},
    "held": ENDINGS | {"queued", "running", "paused"},
    "paused": ENDINGS | {"queued", "running", "held"},
    **dict.fromkeys(ENDINGS | {"continued"}, _ENDED),
}


def check_move(before: RunStatus, after: RunStatus) -> None:
    """Raises `IllegalMove` unless a run may go from `before` to `after`."""
    if after not in NEXT[before]:
        raise IllegalMove(f"a run that is {before} cannot become {after}")


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to carry out a ticket. `approval_id` is what a held run waits for. Instants are UTC. `cause` says why
    the runtime ended it; empty where the worker did, whose own words `summary` are then. Since `pruned_at` its journal
    holds no bodies.

    Long work goes on as one run after the other: `part` counts them, `continues` is the one before (None in the first),
    `first_run_id` the first (None in itself). Steps are numbered through all parts; this one's begin at `first_step`.
    """

    id: UUID
    ticket_id: UUID
    role_id: UUID | None
    role_version: int | None
    status: RunStatus
    backbone: str
    worker: str
    router: str
    model: str
    tools: tuple[str, ...]
    approval_id: UUID | None
    summary: str
    created_at: datetime
    started_at: datetime | None
    closed_at: datetime | None
    continues: UUID | None = None
    first_run_id: UUID | None = None
    part: int = 1
    first_step: int = 1
    cause: Cause = ""
    pruned_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def chain(self) -> UUID:
        """What all parts have as one: the first part's id."""
        return self.first_run_id or self.id


class Brief(msgspec.Struct, frozen=True):
    """What the worker was given, fixed before its first step, so that a replay is told the same."""

    task: Task
    tools: tuple[ToolSpec, ...]


class Lease(msgspec.Struct, frozen=True):
    """The right to drive a run. Every journal write carries `epoch`; a later holder's epoch is higher."""

    tenant: UUID
    run_id: UUID
    owner: int
    epoch: int


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the journal. `request` is canonical JSON of what was asked, `answer` JSON of what was told; `edited`
    are the arguments of a tool call (canonical JSON) as the founder changed them, None where nobody did."""

    step: int
    beat: BeatName
    kind: StepKind
    name: str
    attempts: int
    request_digest: str
    request: str
    state: StepState
    approval_id: UUID | None
    effect: str
    verdict: str
    answer: str | None
    secret: bool
    cost_usd_micros: int
    tokens: int
    money_minor: int | None
    currency: str | None
    planned_at: datetime
    ended_at: datetime | None
    edited: str | None = None

    @property
    def settled(self) -> bool:
        """Its answer is final: a replay tells it again and executes nothing."""
        return self.answer is not None


class Metered(msgspec.Struct, frozen=True):
    """What a step cost. `money` is tool money, moved or promised by the call."""

    cost_usd_micros: int = 0
    tokens: int = 0
    money: Money | None = None


class Totals(msgspec.Struct, frozen=True):
    """Sums over the steps of a run. `tool_money` maps a currency to minor units of calls that were done."""

    steps: int
    model_calls: int
    tool_calls: int
    cost_usd_micros: int
    tokens: int
    tool_money: dict[str, int]


def totals(steps: tuple[Step, ...]) -> Totals:
    """What a run has cost so far. Money of a call that may have happened counts."""
    money: dict[str, int] = {}
    for step in steps:
        if step.money_minor is not None and step.currency is not None and step.state in ("done", "unknown"):
            money[step.currency] = money.get(step.currency, 0) + step.money_minor
    return Totals(
        steps=len(steps),
        model_calls=sum(step.kind == "model" for step in steps),
        tool_calls=sum(step.kind == "tool" and step.state in ("done", "unknown") for step in steps),
        cost_usd_micros=sum(step.cost_usd_micros for step in steps),
        tokens=sum(step.tokens for step in steps),
        tool_money=money,
    )


def added(before: Totals, now: Totals) -> Totals:
    """Both together."""
    money = dict(before.tool_money)
    for currency, minor in now.tool_money.items():
        money[currency] = money.get(currency, 0) + minor
    return Totals(
        steps=before.steps + now.steps,
        model_calls=before.model_calls + now.model_calls,
        tool_calls=before.tool_calls + now.tool_calls,
        cost_usd_micros=before.cost_usd_micros + now.cost_usd_micros,
        tokens=before.tokens + now.tokens,
        tool_money=money,
    )


class StepView(msgspec.Struct, frozen=True, kw_only=True):
    """A step as the trace shows it. `verdict` is what the gate said: `allow:…`, `hold:R1`, `refuse:budget`."""

    step: int
    beat: BeatName
    kind: StepKind
    name: str
    state: StepState
    verdict: str
    approval_id: UUID | None
    answer_status: str
    edited: bool = False
    attempts: int
    cost_usd_micros: int
    tokens: int
    money: Money | None
    planned_at: datetime
    ended_at: datetime | None


class RunView(msgspec.Struct, frozen=True, kw_only=True):
    """A run with its trace. `driven` is true while a worker holds its lease; `continued_as` is the next part's id."""

    run: Run
    steps: tuple[StepView, ...]
    totals: Totals
    driven: bool
    continued_as: UUID | None = None


class Document(msgspec.Struct, frozen=True):
    """A document that a worker wrote in this ticket; `secret` when the step that made it had read what is secret."""

    name: str
    media_type: str
    size_bytes: int
    sha256: str
    evidence_key: str
    secret: bool = False
