"""The evaluation of a role, counted from ledger events alone: every figure names the event types it comes from."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from statistics import median
from uuid import UUID

from app.canon.digits import whole_number
from app.governance_ledger import EventFilter, RecordedEvent, read_events
from app.postgres import Transaction
from app.role_registry.model import Evaluation, Metric
from app.role_registry.roles import get_role

_CLOSED = ("ticket.done", "ticket.returned", "ticket.refused", "ticket.failed", "ticket.cancelled")
_HELD = ("tool_call", "start", "unknown_outcome")
_STEPS = ("model.", "tool.")
_MODEL = ("model.done", "model.failed")
_PAGE = 500


async def evaluation_of(tx: Transaction, role_id: UUID, *, since: datetime, until: datetime) -> Evaluation:
    """What the ledger says of the role between `since` (inclusive) and `until` (exclusive).

    Costs are USD micros, tool money is minor units of each currency, times are seconds. Raises `RoleUnknown`.
    """
    await get_role(tx, role_id)
    tickets = [event async for event in _events(tx, "ticket.", role_id, since, until) if event.type in _CLOSED]
    approvals = [event async for event in _events(tx, "approval.", role_id, since, until)]
    steps = [event for family in _STEPS async for event in _events(tx, family, role_id, since, until)]
    metrics = (*_work(tickets), *_asked(approvals), *_cost(steps))
    return Evaluation(role_id=role_id, since=since, until=until, metrics=metrics)


async def _events(
    tx: Transaction, family: str, role_id: UUID, since: datetime, until: datetime
) -> AsyncIterator[RecordedEvent]:
    cursor = None
    where = EventFilter(type=family, since=since, until=until, names=role_id)
    while True:
        page = await read_events(tx, where, after=cursor, limit=_PAGE, newest_first=False)
        for event in page.items:
            if event.data.get("role_id") == str(role_id):
                yield event
        if page.next_cursor is None:
            return
        cursor = page.next_cursor


def _work(tickets: Iterable[RecordedEvent]) -> Iterable[Metric]:
    """Tickets by how they ended; deadlines met, of those that had one."""
    closed = list(tickets)
    ended = Counter(event.type.removeprefix("ticket.") for event in closed)
    for name in ("done", "returned", "refused", "failed", "cancelled"):
        yield Metric(name=f"tickets_{name}", value=ended[name], unit="tickets", source=(f"ticket.{name}",))
    dated = [event.data["sla_met"] for event in closed if isinstance(event.data.get("sla_met"), bool)]
    met = sum(1 for one in dated if one)
    yield Metric(name="sla_met", value=met if dated else None, unit="tickets", source=_CLOSED, of=len(dated))


def _asked(events: Iterable[RecordedEvent]) -> Iterable[Metric]:
    """Acts that were held, how they ended, and how long the founder took."""
    asked = [event for event in events if event.data.get("kind") in _HELD]
    raised = {str(event.data["approval_id"]) for event in asked if event.type == "approval.raised"}
    last = {
        str(event.data["approval_id"]): event
        for event in asked
        if event.type in ("approval.decided", "approval.undone", "approval.expired", "approval.withdrawn")
    }
    ended = Counter(str(event.data["status"]) for event in last.values())
    yield Metric(name="held", value=len(raised), unit="approvals", source=("approval.raised",))
    for name, source in (
        ("approved", ("approval.decided", "approval.undone")),
        ("rejected", ("approval.decided",)),
        ("expired", ("approval.expired",)),
        ("withdrawn", ("approval.withdrawn",)),
    ):
        yield Metric(name=f"held_{name}", value=ended[name], unit="approvals", source=source)
    waits = [_whole(event.data.get("seconds_pending")) for event in last.values() if event.type == "approval.decided"]
    took = int(median(waits)) if waits else None
    yield Metric(name="decision_time", value=took, unit="seconds", source=("approval.decided",), of=len(waits))


def _cost(steps: Iterable[RecordedEvent]) -> Iterable[Metric]:
    """What the model calls and the tools cost."""
    usd_micros, tokens, calls = 0, 0, 0
    money: Counter[str] = Counter()
    for event in steps:
        if event.type in _MODEL:
            usd_micros += _whole(event.data.get("cost_usd_micros"))
            tokens += _whole(event.data.get("tokens"))
        calls += event.type == "tool.done"
        spent = event.data.get("money")
        if event.type == "tool.done" and isinstance(spent, dict):
            money[str(spent.get("currency"))] += _whole(spent.get("minor"))
    yield Metric(name="model_cost", value=usd_micros, unit="usd_micros", source=_MODEL)
    yield Metric(name="model_tokens", value=tokens, unit="tokens", source=_MODEL)
    yield Metric(name="tool_calls", value=calls, unit="calls", source=("tool.done",))
    for currency, minor in sorted(money.items()):
        yield Metric(name="tool_money", value=minor, unit=f"minor {currency}", source=("tool.done",))


def _whole(value: object) -> int:
    """An integer that was written as a number or, as money is, as text."""
    return (whole_number(str(value)) or 0) if isinstance(value, int | str) else 0
