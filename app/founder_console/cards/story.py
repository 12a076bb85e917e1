"""A ticket told end to end, and the ledger told line by line."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

import msgspec

from app.founder_console.cards.inbox import act_of
from app.founder_console.naming import Line, Naming, as_uuid, questions_of, whole
from app.governance_ledger import EventFilter, RecordedEvent, read_events
from app.postgres import Transaction
from app.work_queue import Approval, Ticket, TicketStatus, get_approvals, list_approvals

MOST_STEPS = 200
NOISE = ("approval.shown", "approval.opened", "model.", "run.", "tool.held")
TONES: dict[str, str] = {"held": "wait", "done": "go", "working": "go", "failed": "stop", "refused": "stop"}
CLOSED = ("done", "returned", "refused", "failed", "cancelled")


class Story(msgspec.Struct, frozen=True):
    """What happened to a ticket, oldest first. `cost_usd_micros` sums its model calls; `cut` when there is more."""

    steps: tuple[Line, ...]
    approvals: tuple[Approval, ...]
    cost_usd_micros: int
    cut: bool


class TicketRow(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket in a list."""

    id: UUID
    title: str
    status: TicketStatus
    worker: str
    tone: str
    open: bool
    due_at: object
    closed_at: object


async def with_acts(tx: Transaction, naming: Naming, events: Iterable[RecordedEvent]) -> Naming:
    """`naming` that knows what each question among the events asked for."""
    named = {as_uuid(one) for event in events for one in questions_of(event)[:1]}
    approvals = await get_approvals(tx, [one for one in named if one is not None])
    acts = {str(approval.id): act_of(approval, naming.words.language) for approval in approvals}
    return msgspec.structs.replace(naming, acts={**naming.acts, **acts})


async def tell(tx: Transaction, ticket_id: UUID, naming: Naming) -> Story:
    """The ticket's story. Reading the model is not told, but what it cost is."""
    page = await read_events(tx, EventFilter(ticket_id=ticket_id), limit=500)
    approvals = (await list_approvals(tx, ticket_id=ticket_id, limit=200)).items
    named = await with_acts(tx, naming, page.items)
    told = [event for event in reversed(page.items) if not event.type.startswith(NOISE)]
    cost = sum(whole(event.data.get("cost_usd_micros")) for event in page.items)
    cut = page.next_cursor is not None or len(told) > MOST_STEPS
    causes = {event.run_id: named.cause(event) for event in page.items if event.type == "run.closed"}
    steps = tuple(_line(event, named, causes) for event in _without_echoes(told)[-MOST_STEPS:])
    return Story(steps, approvals, cost, cut)


def _line(event: RecordedEvent, naming: Naming, causes: Mapping[UUID | None, str]) -> Line:
    """Of a ticket that the runtime ended, why: as its run says it."""
    line = naming.line(event)
    ended = event.type.startswith("ticket.") and event.data.get("status") in CLOSED
    cause = causes.get(event.run_id, "") if ended else ""
    return msgspec.structs.replace(line, detail=cause) if cause else line


def _without_echoes(events: Sequence[RecordedEvent]) -> list[RecordedEvent]:
    """An intent says nothing beside its outcome, nor a held ticket beside its question."""
    known = {
        (event.run_id, event.step) for event in events if event.type in ("tool.done", "tool.failed", "tool.unknown")
    }
    return [
        event
        for event in events
        if event.type != "ticket.held" and (event.type != "tool.intended" or (event.run_id, event.step) not in known)
    ]


def row_of(ticket: Ticket, naming: Naming) -> TicketRow:
    return TicketRow(
        id=ticket.id,
        title=ticket.title,
        status=ticket.status,
        worker=naming.worker(ticket.role_id),
        tone=TONES.get(ticket.status, ""),
        open=ticket.status not in CLOSED,
        due_at=ticket.due_at,
        closed_at=ticket.closed_at,
    )


async def recent(
    tx: Transaction, naming: Naming, *, kind: str | None = None, after: str | None = None, limit: int = 25
) -> tuple[tuple[Line, ...], str | None]:
    """The newest events as lines, and the cursor of the next page."""
    page = await read_events(tx, EventFilter(type=kind or None), after=after, limit=limit)
    named = await with_acts(tx, naming, page.items)
    return tuple(named.line(event) for event in page.items), page.next_cursor
