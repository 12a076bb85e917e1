"""What a founder would see by looking long enough: forecasts, anomalies, and what to do about them.

Rules alone, over ledger events and present budgets. Each finding names the events it was counted from, and the screen
where something can be done; what has no event is not said.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median
from uuid import UUID

import msgspec

from app.founder_console.copilot.brief import Sentence, Source
from app.founder_console.money.scorecard import month_of
from app.founder_console.money.settings import MONTH
from app.founder_console.naming import Naming, whole
from app.founder_console.readings import midnight, read_family
from app.governance_ledger import EventFilter, RecordedEvent, read_events
from app.postgres import Transaction
from app.role_registry import BudgetState, Role, budgets_of
from app.work_queue import Ticket, list_tickets

DAYS = 30
WEEK = 7
MOST = 2_000
JUMP = 3
JUMP_FROM_USD_MICROS = 50_000
FEWEST_DAYS = 3
REPEATED = 3
ALIKE = 3
IDLE_DAYS = 7
EARLY = 0.1
LITTLE = 0.2
MONEY = ("usd_micros", "money")
SOON = timedelta(hours=2)
MOST_SOURCES = 200


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules look at. Events are newest first."""

    now: datetime
    today: datetime
    models: tuple[RecordedEvent, ...]
    refused: tuple[RecordedEvent, ...]
    decided: tuple[RecordedEvent, ...]
    closed: tuple[RecordedEvent, ...]
    opened: Mapping[UUID, RecordedEvent]
    last: Mapping[UUID, RecordedEvent]
    tickets: tuple[Ticket, ...]
    budgets: Mapping[UUID, tuple[BudgetState, ...]]
    roles: tuple[Role, ...]


async def read_evidence(tx: Transaction, roles: Sequence[Role], naming: Naming) -> Evidence:
    """All that the rules need, bounded."""
    formats = naming.formats
    month = midnight(formats, DAYS)
    active = tuple(role for role in roles if role.status == "active")
    tickets: list[Ticket] = []
    for status in ("open", "working", "held"):
        tickets += (await list_tickets(tx, status=status, limit=50)).items
    dated = tuple(ticket for ticket in tickets if ticket.due_at is not None)
    families = ("model.done", "tool.refused", "approval.decided", "ticket.done")
    models, refused, decided, closed = [await read_family(tx, name, since=month, most=MOST) for name in families]
    return Evidence(
        now=formats.now,
        today=midnight(formats),
        models=models,
        refused=refused,
        decided=decided,
        closed=closed,
        opened={ticket.id: event for ticket in dated if (event := await _opened(tx, ticket.id))},
        last={role.id: event for role in active if (event := await _last_of(tx, role))},
        tickets=dated,
        budgets={role.id: await budgets_of(tx, role.id) for role in active},
        roles=active,
    )


async def _opened(tx: Transaction, ticket_id: UUID) -> RecordedEvent | None:
    found = await read_events(tx, EventFilter(type="ticket.opened", ticket_id=ticket_id), limit=1)
    return next(iter(found.items), None)


async def _last_of(tx: Transaction, role: Role) -> RecordedEvent | None:
    """The newest sign of a worker: what it did itself, else its hiring."""
    found = await read_events(tx, EventFilter(actor=f"worker:{role.id}"), limit=1)
    if found.items:
        return found.items[0]
    hired = await read_events(tx, EventFilter(type="role.hired"), limit=200)
    return next((event for event in hired.items if event.data.get("role_id") == str(role.id)), None)


def insights(evidence: Evidence, naming: Naming) -> list[Sentence]:
    """All findings, gravest first. Pure."""
    found = [
        *_late(evidence, naming),
        *_runs_out(evidence, naming),
        *_jumps(evidence, naming),
        *_refusals(evidence, naming),
        *_alike(evidence, naming),
        *_idle(evidence, naming),
        *_unused(evidence, naming),
    ]
    return [sentence for sentence in found if sentence.sources]


def _say(
    code: str, kind: str, naming: Naming, events: Iterable[RecordedEvent], more: str, **values: object
) -> Sentence:
    sources = tuple(Source(event.event_id, event.occurred_at) for event in list(events)[:MOST_SOURCES])
    text = naming.words(f"see.{code}", **values)
    return Sentence(code, text, sources, more, kind=kind, act=naming.words(f"see.{code}.act"))


def _of_role(events: Sequence[RecordedEvent], role_id: UUID) -> list[RecordedEvent]:
    return [event for event in events if event.data.get("role_id") == str(role_id)]


def _late(evidence: Evidence, naming: Naming) -> Iterable[Sentence]:
    """Deadlines that pass soon, or sooner than such work has taken."""
    for ticket in evidence.tickets:
        event = evidence.opened.get(ticket.id)
        if event is None or ticket.due_at is None:
            continue
        took = [
            whole(one.data.get("seconds_from_started"))
            for one in evidence.closed
            if ticket.role_id and one.data.get("role_id") == str(ticket.role_id)
        ]
        usual = timedelta(seconds=median(took)) if took else timedelta(0)
        left = ticket.due_at - evidence.now
        if left > max(SOON, usual):
            continue
        code = "overdue" if left <= timedelta(0) else "due"
        values = {"title": ticket.title, "left": naming.formats.left(ticket.due_at)}
        yield _say(code, "forecast", naming, [event], f"/tickets/{ticket.id}", **values)


def _runs_out(evidence: Evidence, naming: Naming) -> Iterable[Sentence]:
    """Budgets that at the present pace end before their period does."""
    for role in evidence.roles:
        for state in evidence.budgets.get(role.id, ()):
            bounds = _period(state, naming)
            if bounds is None or not state.limit or not state.spent:
                continue
            since, until = bounds
            part = (evidence.now - since) / (until - since)
            if part < EARLY or state.spent / part < state.limit:
                continue
            events = [event for event in _of_role(evidence.models, role.id) if event.occurred_at >= since] or _of_role(
                evidence.decided, role.id
            )
            ends = since + (evidence.now - since) * (state.limit / state.spent)
            percent = 100 * state.spent // state.limit
            label = f"{naming.words(f'budget.{state.unit}')} {naming.words(f'period.{state.period}')}"
            when = naming.formats.ahead(max(ends, evidence.now))
            values = {"worker": role.name, "budget": label, "percent": percent, "when": when}
            yield _say("runs_out", "forecast", naming, events, f"/workers/{role.id}", **values)


def _period(state: BudgetState, naming: Naming) -> tuple[datetime, datetime] | None:
    if state.period == "day":
        since = midnight(naming.formats)
        return since, since + timedelta(days=1)
    if state.period == "month" and MONTH.fullmatch(state.period_key):
        month = month_of(naming.formats, state.period_key)
        return month.since, month.until
    return None


def _jumps(evidence: Evidence, naming: Naming) -> Iterable[Sentence]:
    """Model spend of today against the days before."""
    for role in evidence.roles:
        own = _of_role(evidence.models, role.id)
        today = [event for event in own if event.occurred_at >= evidence.today]
        spent = sum(whole(event.data.get("cost_usd_micros")) for event in today)
        before: dict[int, int] = defaultdict(int)
        for event in own:
            days = (evidence.today - event.occurred_at).days
            if event.occurred_at < evidence.today and days < WEEK:
                before[days] += whole(event.data.get("cost_usd_micros"))
        if len(before) < FEWEST_DAYS or spent < JUMP_FROM_USD_MICROS:
            continue
        usual = sum(before.values()) // len(before)
        if usual and spent >= JUMP * usual:
            values = {"worker": role.name, "today": naming.formats.usd(spent), "usual": naming.formats.usd(usual)}
            yield _say("jump", "anomaly", naming, today, f"/workers/{role.id}", **values)


def _refusals(evidence: Evidence, naming: Naming) -> Iterable[Sentence]:
    """The same tool refused again and again this week: a boundary to widen, or a task to drop."""
    for role in evidence.roles:
        by_tool: dict[str, list[RecordedEvent]] = defaultdict(list)
        for event in _of_role(evidence.refused, role.id):
            if event.occurred_at >= evidence.today - timedelta(days=WEEK):
                by_tool[str(event.data.get("tool"))].append(event)
        for tool, events in sorted(by_tool.items()):
            if len(events) >= REPEATED:
                values = {"worker": role.name, "tool": naming.tool(tool), "n": len(events)}
                yield _say("refusals", "anomaly", naming, events, f"/workers/{role.id}", **values)


def _alike(evidence: Evidence, naming: Naming) -> Iterable[Sentence]:
    """Questions that were always answered with yes."""
    for role in evidence.roles:
        by_tool: dict[str, list[RecordedEvent]] = defaultdict(list)
        for event in _of_role(evidence.decided, role.id):
            if event.data.get("tool") and event.data.get("kind") == "tool_call":
                by_tool[str(event.data["tool"])].append(event)
        for tool, events in sorted(by_tool.items()):
            yes = [event for event in events if event.data.get("decision") == "approve"]
            if len(yes) >= ALIKE and len(yes) == len(events):
                values = {"worker": role.name, "tool": naming.tool(tool), "n": len(yes)}
                yield _say("alike", "suggestion", naming, yes, f"/approvals/{yes[0].data['approval_id']}", **values)


def _idle(evidence: Evidence, naming: Naming) -> Iterable[Sentence]:
    for role in evidence.roles:
        event = evidence.last.get(role.id)
        if event is not None and evidence.now - event.occurred_at >= timedelta(days=IDLE_DAYS):
            days = (evidence.now - event.occurred_at).days
            yield _say("idle", "anomaly", naming, [event], f"/tickets/new?role={role.id}", worker=role.name, n=days)


def _unused(evidence: Evidence, naming: Naming) -> Iterable[Sentence]:
    """A month's budget of which next to nothing is used once the month is well on its way."""
    for role in evidence.roles:
        for state in evidence.budgets.get(role.id, ()):
            bounds = _period(state, naming)
            if (
                state.period != "month"
                or bounds is None
                or not state.limit
                or state.unit not in ("usd_micros", "money")
            ):
                continue
            events = [event for event in _of_role(evidence.models, role.id) if event.occurred_at >= bounds[0]]
            part = (evidence.now - bounds[0]) / (bounds[1] - bounds[0])
            if part > 0.5 and state.spent and state.spent / part < LITTLE * state.limit:
                label = f"{naming.words(f'budget.{state.unit}')} {naming.words(f'period.{state.period}')}"
                percent = 100 * state.spent // state.limit
                values = {"worker": role.name, "budget": label, "percent": percent}
                yield _say("unused", "suggestion", naming, events, f"/workers/{role.id}", **values)
