"""What events of runs say in their `data`; how shapes change stands in `event_shapes.py`."""

from datetime import datetime
from uuid import UUID

from app.governance_ledger.event_shapes import Amount, Digest, Shape


class Run(Shape, frozen=True, kw_only=True):
    status: str
    role_id: UUID | None
    role_version: int | None


class RunOpened(Run, frozen=True, kw_only=True):
    backbone: str
    router: str
    worker: str
    tools: list[str]


class RunPartOpened(RunOpened, frozen=True, kw_only=True):
    """`part` counts the runs of one piece of work; `continues` is the one before, null in the first."""

    part: int
    continues: UUID | None


class RunContinued(Run, frozen=True, kw_only=True):
    """The run's journal was full; `next_run_id` goes on, from a hand-over that is the event's evidence. The sums are
    this part's own."""

    next_run_id: UUID
    part: int
    journal_bytes: int
    calls_left: int
    steps: int
    model_calls: int
    tool_calls: int
    tokens: int
    cost_usd_micros: int | str
    tool_money: list[Amount]


class RunPruned(Run, frozen=True, kw_only=True):
    """Requests and answers of a run that closed longer ago left the journal; the ledger and the evidence hold them."""

    steps: int
    bytes: int
    older_than_days: int


class RunRouted(Run, frozen=True, kw_only=True):
    worker: str


class RunBriefed(Run, frozen=True, kw_only=True):
    brief_sha256: Digest
    max_steps: int


class RunHeld(Run, frozen=True, kw_only=True):
    approval_id: UUID
    kind: str


class RunPaused(Run, frozen=True, kw_only=True):
    was: str


class RunTaken(Run, frozen=True, kw_only=True):
    """A worker drives the run from now on, under the fencing token `epoch`."""

    was: str
    epoch: int
    backbone: str
    worker: str


class RunClosed(Run, frozen=True, kw_only=True):
    summary: str
    steps: int
    model_calls: int
    tool_calls: int
    tokens: int
    cost_usd_micros: int | str
    tool_money: list[Amount]
    opened_at: datetime
    started_at: datetime | None
    closed_at: datetime | None
    due_at: datetime | None
    sla_met: bool | None
    waited_for_founder_ms: int


class RunPartsClosed(RunClosed, frozen=True, kw_only=True):
    """Sums and times are those of all `parts` of the work. `cause` is a word for why the runtime ended it; empty where
    the worker did."""

    parts: int
    cause: str
