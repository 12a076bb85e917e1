"""Questions that the ledger and the registry answer by themselves: a name, a worker, a time. Read-only.

Each answer is a list of facts, a fact is a sentence with the events that it was counted from. The model of the Copilot
reads through these same questions and through nothing else.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

import msgspec

from app.canon.vocabulary import Money
from app.founder_console.cards.inbox import act_of, pending
from app.founder_console.copilot.brief import Sentence
from app.founder_console.counts import Count, Figures, Source, events_in, newest_of, source_of
from app.founder_console.naming import Naming
from app.founder_console.readings import midnight
from app.governance_ledger import EventFilter, RecordedEvent, read_events, read_these
from app.postgres import Transaction
from app.role_registry import budgets_of
from app.work_queue import Ticket, TicketStatus, list_tickets

Name: TypeAlias = Literal[
    "waiting", "spent", "earned", "paid", "refused", "failed", "done", "decided", "doing", "budget", "due"
]
DAYS = (1, 7, 30)
MOST_FACTS = 12


class Question(msgspec.Struct, frozen=True):
    """What can be asked. `of_worker` and `over_days` say which parameters it takes."""

    name: Name
    of_worker: bool
    over_days: bool


QUESTIONS: tuple[Question, ...] = (
    Question("waiting", True, False),
    Question("doing", True, False),
    Question("due", True, False),
    Question("done", True, True),
    Question("failed", True, True),
    Question("refused", True, True),
    Question("decided", True, True),
    Question("earned", True, True),
    Question("paid", True, True),
    Question("spent", True, True),
    Question("budget", True, False),
)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A question with its parameters. `days` counts today: 1 is today alone."""

    name: Name
    role_id: UUID | None = None
    days: int = 7


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """What every question needs."""

    tx: Transaction
    figures: Figures
    naming: Naming
    asked: Asked

    @property
    def since(self) -> datetime:
        return midnight(self.naming.formats, self.asked.days - 1)

    def mine(self, events: Iterable[RecordedEvent]) -> list[RecordedEvent]:
        wanted = self.asked.role_id
        return [event for event in events if wanted is None or event.data.get("role_id") == str(wanted)]

    async def count(self, kind: str) -> list[Count]:
        """What there was of that kind, in the time and of the worker that were asked for."""
        wanted = self.asked.role_id
        counts = await self.figures.count(kind, since=self.since)
        return [one for one in counts if wanted is None or one.role_id == wanted]

    def told(self, code: str, counts: Sequence[Count], more: str, **values: object) -> Sentence:
        """A fact about all that was counted."""
        return self._say(code, newest_of(counts), more, events_in(counts), values)

    def fact(self, code: str, events: Sequence[RecordedEvent], more: str, **values: object) -> Sentence:
        """A fact about these events."""
        return self._say(code, tuple(map(source_of, events)), more, len(events), values)

    def _say(
        self, code: str, sources: tuple[Source, ...], more: str, of: int, values: Mapping[str, object]
    ) -> Sentence:
        words = self.naming.words
        text = words(f"fact.{code}", who=self.who, time=words(f"days.{self.asked.days}"), **values)
        return Sentence(code, text, sources, more, n=of)

    @property
    def who(self) -> str:
        return self.naming.worker(self.asked.role_id) or self.naming.words("days.everybody")


def question_of(name: str) -> Question | None:
    return next((one for one in QUESTIONS if one.name == name), None)


async def answer(tx: Transaction, figures: Figures, naming: Naming, asked: Asked) -> tuple[Sentence, ...]:
    """The facts, most telling first; empty when the ledger has none."""
    days = asked.days if asked.days in DAYS else 7
    desk = Desk(tx=tx, figures=figures, naming=naming, asked=msgspec.structs.replace(asked, days=days))
    found = await ANSWERS[asked.name](desk)
    return tuple(fact for fact in found if fact.sources)[:MOST_FACTS]


async def _raised(desk: Desk) -> list[Sentence]:
    waiting = {str(one.id): one for one in await pending(desk.tx)}
    events = (await read_events(desk.tx, EventFilter(type="approval.raised"), limit=500)).items
    found = []
    for event in desk.mine(events):
        one = waiting.get(str(event.data.get("approval_id")))
        if one is not None:
            left = desk.naming.formats.left(one.expires_at)
            act = act_of(one, desk.naming.words.language).rstrip(".?")
            found.append(desk.fact("waiting", [event], f"/approvals/{one.id}", act=act, left=left))
    return found


async def _titles(desk: Desk, kind: str, code: str, each: str) -> list[Sentence]:
    counts = await desk.count(kind)
    if not counts:
        return []
    newest = newest_of(counts, MOST_FACTS - 1)
    events = await read_these(desk.tx, [source.event_id for source in newest])
    titles = [
        desk.fact(each, [event], f"/tickets/{event.ticket_id}", title=event.data.get("title", ""))
        for source in newest
        if (event := events.get(source.event_id))
    ]
    return [desk.told(code, counts, f"/ledger?kind={kind}", n=events_in(counts)), *titles]


async def _done(desk: Desk) -> list[Sentence]:
    return await _titles(desk, "ticket.done", "done", "finished")


async def _failed(desk: Desk) -> list[Sentence]:
    return await _titles(desk, "ticket.failed", "failed", "broken")


async def _refused(desk: Desk) -> list[Sentence]:
    counts = await desk.count("tool.refused")
    by_tool = {tool: [one for one in counts if one.name == tool] for tool in dict.fromkeys(one.name for one in counts)}
    most_first = sorted(by_tool.items(), key=lambda entry: -events_in(entry[1]))
    return [
        desk.told("refused", own, "/ledger?kind=tool.refused", n=events_in(own), tool=desk.naming.tool(tool))
        for tool, own in most_first
    ]


async def _decided(desk: Desk) -> list[Sentence]:
    counts = await desk.count("approval.decided")
    yes = [one for one in counts if one.verdict == "approve"]
    no = [one for one in counts if one.verdict != "approve"]
    return [
        desk.told("approved", yes, "/approvals/history", n=events_in(yes)),
        desk.told("rejected", no, "/approvals/history", n=events_in(no)),
    ]


async def _earned(desk: Desk) -> list[Sentence]:
    return _sums(desk, await desk.count("revenue.recorded"), "earned", "revenue")


async def _paid(desk: Desk) -> list[Sentence]:
    return _sums(desk, await desk.count("tool.done"), "paid", "paid")


def _sums(desk: Desk, counts: Sequence[Count], code: str, figure: str) -> list[Sentence]:
    by_currency = {unit: [one for one in counts if one.unit == unit] for unit in {one.unit for one in counts} - {""}}
    return [
        desk.told(
            code,
            own,
            f"/money/evidence?figure={figure}&currency={currency}",
            amount=desk.naming.formats.money(Money(sum(one.amount for one in own), currency)),
            n=events_in(own),
        )
        for currency, own in sorted(by_currency.items())
    ]


async def _spent(desk: Desk) -> list[Sentence]:
    counts = await desk.count("model.done")
    sums = {unit: sum(one.amount for one in counts if one.unit == unit) for unit in ("usd_micros", "tokens")}
    values = {
        "amount": desk.naming.formats.usd(sums["usd_micros"]),
        "n": events_in(counts),
        "tokens": desk.naming.formats.number(sums["tokens"]),
    }
    return [desk.told("spent", counts, "/money/evidence?figure=models", **values)]


async def _doing(desk: Desk) -> list[Sentence]:
    return [
        await _ticket(desk, "doing", ticket, status=desk.naming.words(f"ticket.status.{ticket.status}"))
        for ticket in await _tickets(desk, "working", "held")
    ]


async def _due(desk: Desk) -> list[Sentence]:
    tickets = await _tickets(desk, "open", "working", "held")
    dated = sorted(
        (ticket for ticket in tickets if ticket.due_at), key=lambda ticket: ticket.due_at or desk.naming.formats.now
    )
    return [
        await _ticket(desk, "due", ticket, left=desk.naming.formats.left(ticket.due_at))
        for ticket in dated[:MOST_FACTS]
        if ticket.due_at
    ]


async def _tickets(desk: Desk, *statuses: TicketStatus) -> list[Ticket]:
    found: list[Ticket] = []
    for status in statuses:
        found += (await list_tickets(desk.tx, status=status, role_id=desk.asked.role_id, limit=MOST_FACTS)).items
    return found


async def _ticket(desk: Desk, code: str, ticket: Ticket, **values: object) -> Sentence:
    events = (await read_events(desk.tx, EventFilter(type="ticket.", ticket_id=ticket.id), limit=1)).items
    worker = desk.naming.worker(ticket.role_id) or desk.naming.words("money.nobody")
    return desk.fact(code, events, f"/tickets/{ticket.id}", title=ticket.title, worker=worker, **values)


async def _budget(desk: Desk) -> list[Sentence]:
    found = []
    for role in desk.naming.roles.values():
        if role.status != "active" or desk.asked.role_id not in (None, role.id):
            continue
        signed = (await read_events(desk.tx, EventFilter(type="role."), limit=500)).items
        events = [event for event in signed if event.data.get("role_id") == str(role.id)][:1]
        for state in await budgets_of(desk.tx, role.id):
            if state.period == "ticket" or not state.limit:
                continue
            label = desk.naming.budget(state.unit, state.period)
            values = {"worker": role.name, "budget": label, "percent": 100 * state.spent // state.limit}
            found.append(desk.fact("budget", events, f"/workers/{role.id}", **values))
    return found


ANSWERS: Mapping[Name, Callable[[Desk], Awaitable[list[Sentence]]]] = {
    "waiting": _raised,
    "doing": _doing,
    "due": _due,
    "done": _done,
    "failed": _failed,
    "refused": _refused,
    "decided": _decided,
    "earned": _earned,
    "paid": _paid,
    "spent": _spent,
    "budget": _budget,
}
