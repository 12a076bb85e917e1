"""What a founder would see by looking long enough: forecasts, anomalies, and what to do about them.

Rules alone, over counts of ledger events and present budgets. Each finding names the newest events that it was counted
from, and the screen where something can be done; what has no event is not said.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median
from uuid import UUID

import msgspec

from app.founder_console.copilot.brief import Sentence
from app.founder_console.counts import Count, Figures, Source, events_in, newest_of, source_of
from app.founder_console.money.scorecard import month_of
from app.founder_console.money.settings import MONTH
from app.founder_console.naming import Naming, as_uuid, whole
from app.founder_console.readings import midnight
from app.governance_ledger import EventFilter, read_events, read_these
from app.postgres import Transaction
from app.role_registry import BudgetState, Role, budgets_of
from app.work_queue import Ticket, list_due

DAYS = 30
WEEK = 7
JUMP = 3
JUMP_FROM_USD_MICROS = 50_000
FEWEST_DAYS = 3
REPEATED = 3
ALIKE = 3
IDLE_DAYS = 7
EARLY = 0.1
LITTLE = 0.2
MICROS = "usd_micros"
MONEY = (MICROS, "money")
SOON = timedelta(hours=2)
FINISHED = 100
SIGNS = ("approval.raised", "model.done", "role.hired", "ticket.done", "ticket.failed", "tool.done", "tool.refused")


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules look at. `models` are model calls since the beginning of each period, `days` those of the week
    before today by the day; `usual` is how long each role's tickets took; `opened` and `last` are the events that
    opened a ticket and that a role gave its last sign of life with; `asked` says which approval a decision was about.
    """

    now: datetime
    today: datetime
    days: tuple[Count, ...]
    models: Mapping[datetime, tuple[Count, ...]]
    refused: tuple[Count, ...]
    decided: tuple[Count, ...]
    usual: Mapping[UUID, timedelta]
    opened: Mapping[UUID, Source]
    last: Mapping[UUID, Source]
    asked: Mapping[UUID, str]
    tickets: tuple[Ticket, ...]
    budgets: Mapping[UUID, tuple[BudgetState, ...]]
    roles: tuple[Role, ...]


async def look_at(tx: Transaction, figures: Figures, roles: Sequence[Role], naming: Naming) -> Evidence:
    """All that the rules need, bounded."""
    formats = naming.formats
    month, active = midnight(formats, DAYS), tuple(role for role in roles if role.status == "active")
    today, this_month = midnight(formats), midnight(formats).replace(day=1)
    decided = await figures.count("approval.decided", since=month)
    tickets = await list_due(tx, formats.now + timedelta(days=DAYS))
    yes = [newest_of(same, 1)[0] for _, _, same in _agreed(decided, active)]
    answers = await read_these(tx, [source.event_id for source in yes])
    return Evidence(
        now=formats.now,
        today=today,
        days=await figures.count("model.done", since=midnight(formats, WEEK), until=today, step="day"),
        models={since: await figures.count("model.done", since=since) for since in (today, this_month)},
        refused=await figures.count("tool.refused", since=midnight(formats, WEEK)),
        decided=decided,
        usual=await _usual(tx) if tickets else {},
        opened=await _opened(tx, tickets),
        last=await figures.newest_of([role.id for role in active], *SIGNS),
        asked={name: str(event.data.get("approval_id")) for name, event in answers.items()},
        tickets=tickets,
        budgets={role.id: await budgets_of(tx, role.id) for role in active},
        roles=active,
    )


async def _usual(tx: Transaction) -> dict[UUID, timedelta]:
    """How long the last tickets took, from start to end: each role's median."""
    took: dict[UUID, list[int]] = {}
    for event in (await read_events(tx, EventFilter(type="ticket.done"), limit=FINISHED)).items:
        role_id = as_uuid(str(event.data.get("role_id")))
        if role_id is not None:
            took.setdefault(role_id, []).append(whole(event.data.get("seconds_from_started")))
    return {role_id: timedelta(seconds=median(seconds)) for role_id, seconds in took.items()}


async def _opened(tx: Transaction, tickets: Sequence[Ticket]) -> dict[UUID, Source]:
    where = EventFilter(type="ticket.opened", ticket_ids=tuple(ticket.id for ticket in tickets))
    events = (await read_events(tx, where, limit=len(tickets))).items if tickets else ()
    return {event.ticket_id: source_of(event) for event in events if event.ticket_id}


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
    code: str, kind: str, naming: Naming, sources: Sequence[Source], more: str, *, of: int = 0, **values: object
) -> Sentence:
    text, act = naming.words(f"see.{code}", **values), naming.words(f"see.{code}.act")
    return Sentence(code, text, tuple(sources), more, kind=kind, act=act, n=of or len(sources))


def _of_role(counts: Sequence[Count], role_id: UUID) -> list[Count]:
    return [one for one in counts if one.role_id == role_id]


def _by_tool(counts: Iterable[Count]) -> list[tuple[str, list[Count]]]:
    by_tool: dict[str, list[Count]] = {}
    for one in counts:
        by_tool.setdefault(one.name, []).append(one)
    return sorted(by_tool.items())


def _late(evidence: Evidence, naming: Naming) -> Iterable[Sentence]:
    """Deadlines that pass soon, or sooner than such work has taken."""
    for ticket in evidence.tickets:
        source = evidence.opened.get(ticket.id)
        if source is None or ticket.due_at is None:
            continue
        usual = evidence.usual.get(ticket.role_id, SOON) if ticket.role_id else SOON
        left = ticket.due_at - evidence.now
        if left > max(SOON, usual):
            continue
        code = "overdue" if left <= timedelta(0) else "due"
        left_said = naming.formats.left(ticket.due_at)
        yield _say(code, "forecast", naming, [source], f"/tickets/{ticket.id}", title=ticket.title, left=left_said)


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
            behind = _of_role(evidence.models.get(since, ()), role.id) or _of_role(evidence.decided, role.id)
            ends = since + (evidence.now - since) * (state.limit / state.spent)
            percent = 100 * state.spent // state.limit
            label = naming.budget(state.unit, state.period)
            when = naming.formats.ahead(max(ends, evidence.now))
            values = {"worker": role.name, "budget": label, "percent": percent, "when": when}
            sources, of = newest_of(behind), events_in(behind)
            yield _say("runs_out", "forecast", naming, sources, f"/workers/{role.id}", of=of, **values)


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
        today = _of_role(evidence.models.get(evidence.today, ()), role.id)
        spent = sum(one.amount for one in today if one.unit == MICROS)
        before = {one.at: one.amount for one in _of_role(evidence.days, role.id) if one.unit == MICROS}
        if len(before) < FEWEST_DAYS or spent < JUMP_FROM_USD_MICROS:
            continue
        usual = sum(before.values()) // len(before)
        if usual and spent >= JUMP * usual:
            values = {"worker": role.name, "today": naming.formats.usd(spent), "usual": naming.formats.usd(usual)}
            sources, of = newest_of(today), events_in(today)
            yield _say("jump", "anomaly", naming, sources, f"/workers/{role.id}", of=of, **values)


def _refusals(evidence: Evidence, naming: Naming) -> Iterable[Sentence]:
    """The same tool refused again and again this week: a boundary to widen, or a task to drop."""
    for role in evidence.roles:
        for tool, counts in _by_tool(_of_role(evidence.refused, role.id)):
            if (n := events_in(counts)) >= REPEATED:
                values = {"worker": role.name, "tool": naming.tool(tool), "n": n}
                yield _say("refusals", "anomaly", naming, newest_of(counts), f"/workers/{role.id}", of=n, **values)


def _agreed(decided: Sequence[Count], roles: Sequence[Role]) -> list[tuple[Role, str, list[Count]]]:
    """Whose questions about which tool were always answered with yes."""
    return [
        (role, tool, counts)
        for role in roles
        for tool, counts in _by_tool(one for one in _of_role(decided, role.id) if one.name)
        if events_in(counts) >= ALIKE and all(one.verdict == "approve" for one in counts)
    ]


def _alike(evidence: Evidence, naming: Naming) -> Iterable[Sentence]:
    """Questions that were always answered with yes."""
    for role, tool, counts in _agreed(evidence.decided, evidence.roles):
        sources, n = newest_of(counts), events_in(counts)
        values = {"worker": role.name, "tool": naming.tool(tool), "n": n}
        more = f"/approvals/{evidence.asked[sources[0].event_id]}"
        yield _say("alike", "suggestion", naming, sources, more, of=n, **values)


def _idle(evidence: Evidence, naming: Naming) -> Iterable[Sentence]:
    for role in evidence.roles:
        source = evidence.last.get(role.id)
        if source is not None and evidence.now - source.at >= timedelta(days=IDLE_DAYS):
            days = (evidence.now - source.at).days
            yield _say("idle", "anomaly", naming, [source], f"/tickets/new?role={role.id}", worker=role.name, n=days)


def _unused(evidence: Evidence, naming: Naming) -> Iterable[Sentence]:
    """A month's budget of which next to nothing is used once the month is well on its way."""
    for role in evidence.roles:
        for state in evidence.budgets.get(role.id, ()):
            bounds = _period(state, naming)
            if state.period != "month" or bounds is None or not state.limit or state.unit not in MONEY:
                continue
            behind = _of_role(evidence.models.get(bounds[0], ()), role.id)
            part = (evidence.now - bounds[0]) / (bounds[1] - bounds[0])
            if part > 0.5 and state.spent and state.spent / part < LITTLE * state.limit:
                label = naming.budget(state.unit, state.period)
                percent = 100 * state.spent // state.limit
                values = {"worker": role.name, "budget": label, "percent": percent}
                sources, of = newest_of(behind), events_in(behind)
                yield _say("unused", "suggestion", naming, sources, f"/workers/{role.id}", of=of, **values)
