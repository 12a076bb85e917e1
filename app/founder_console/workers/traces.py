"""A run told step by step: what was done, what the gate said, what it cost, and where its proof lies."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from app.execution_graph import Run, StepView, run_status, runs_of_ticket
from app.founder_console.naming import FAILURES, Naming, sentence_case
from app.governance_ledger import EventFilter, RecordedEvent, read_events
from app.postgres import Transaction

MOST_EVENTS = 500
RUN_TONES: dict[str, str] = {
    "running": "go",
    "done": "go",
    "held": "wait",
    "paused": "wait",
    "failed": "stop",
    "refused": "stop",
    "diverged": "stop",
}
STEP_TONES: dict[str, str] = {"done": "good", "held": "wait", "unknown": "bad", "failed": "bad"}


class Exhibit(msgspec.Struct, frozen=True):
    """One piece of evidence of a step: the event that names it, its place there, and what it is."""

    event_id: UUID
    index: int
    name: str


class StepRow(msgspec.Struct, frozen=True, kw_only=True):
    """A step in the timeline."""

    number: int
    what: str
    code: str
    state: str
    tone: str
    verdict: str
    why: str
    said: str
    figures: tuple[str, ...]
    at: datetime
    event_id: UUID | None
    approval_id: UUID | None
    exhibits: tuple[Exhibit, ...]


class RunRow(msgspec.Struct, frozen=True, kw_only=True):
    """A run in a ticket's list."""

    id: UUID
    status: str
    tone: str
    open: bool
    at: datetime
    part: int
    cause: str


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """A run with its steps, oldest first. `driven` while a worker has it in hand; `totals` are figures with names.
    `before` and `after` are the parts of the same work that it continues and is continued by."""

    run: Run
    row: RunRow
    steps: tuple[StepRow, ...]
    totals: tuple[tuple[str, str], ...]
    driven: bool
    before: UUID | None
    after: UUID | None


def row_of(run: Run) -> RunRow:
    tone = RUN_TONES.get(run.status, "")
    return RunRow(
        id=run.id,
        status=run.status,
        tone=tone,
        open=run.is_open,
        at=run.started_at or run.created_at,
        part=run.part,
        cause=run.cause,
    )


async def rows_of(tx: Transaction, ticket_id: UUID) -> tuple[RunRow, ...]:
    """The ticket's runs, newest first."""
    return tuple(map(row_of, sorted(await runs_of_ticket(tx, ticket_id), key=lambda run: run.id, reverse=True)))


async def trace(tx: Transaction, run_id: UUID, naming: Naming) -> Trace:
    """Raises `RunUnknown`."""
    view = await run_status(tx, run_id)
    events = (await read_events(tx, EventFilter(run_id=run_id), limit=MOST_EVENTS)).items
    formats, totals = naming.formats, view.totals
    figures = [
        ("steps", formats.number(totals.steps)),
        ("model_calls", formats.number(totals.model_calls)),
        ("tool_calls", formats.number(totals.tool_calls)),
        ("tokens", formats.number(totals.tokens)),
        ("cost", formats.usd(totals.cost_usd_micros)),
    ]
    return Trace(
        run=view.run,
        row=row_of(view.run),
        steps=tuple(_step(step, events, naming) for step in view.steps),
        totals=tuple((naming.words(f"run.total.{name}"), value) for name, value in figures if value != "0"),
        driven=view.driven,
        before=view.run.continues,
        after=view.continued_as,
    )


def _step(step: StepView, events: Sequence[RecordedEvent], naming: Naming) -> StepRow:
    told = [event for event in events if event.step == step.step]
    ended = next((naming.line(event) for event in told if event.type in FAILURES), None)
    return StepRow(
        number=step.step,
        what=naming.words("step.model") if step.kind == "model" else sentence_case(naming.tool(step.name)),
        code=step.name,
        state=step.state,
        tone=STEP_TONES.get(step.state, ""),
        verdict=_verdict(step.verdict, naming),
        why=ended.detail if ended else "",
        said=ended.said if ended else "",
        figures=_figures(step, naming),
        at=step.planned_at,
        event_id=told[0].event_id if told else None,
        approval_id=step.approval_id,
        exhibits=tuple(
            Exhibit(event.event_id, index, _exhibited(event, ref.name or ref.media_type, naming))
            for event in reversed(told)
            for index, ref in enumerate(event.evidence)
        ),
    )


def _verdict(verdict: str, naming: Naming) -> str:
    """What the gate said, and why; why is left out where it is not known here."""
    word, _, code = verdict.partition(":")
    keys = (f"verdict.{word}.{code}", f"step.verdict.{word}")
    return next((naming.words(key) for key in keys if naming.words.has(key)), "") if code else ""


def _exhibited(event: RecordedEvent, name: str, naming: Naming) -> str:
    """What a piece of evidence is; a file that a call brought keeps its name."""
    if event.type in ("tool.held", "approval.raised"):
        return naming.words("exhibit.card")
    if not name.startswith(f"step-{event.step}-"):
        return name
    return naming.words("exhibit.request" if event.type == "tool.intended" else "exhibit.call")


def _figures(step: StepView, naming: Naming) -> tuple[str, ...]:
    formats = naming.formats
    figures = [formats.took(step.ended_at - step.planned_at)] if step.ended_at else []
    if step.money:
        figures.append(formats.money(step.money))
    if step.cost_usd_micros:
        figures.append(formats.usd(step.cost_usd_micros))
    if step.tokens:
        figures.append(naming.words("step.tokens", n=formats.number(step.tokens)))
    if step.attempts > 1:
        figures.append(naming.words("step.attempts", n=step.attempts))
    return tuple(figures)
