"""The brief: what a founder should know of a day, by rules, from the ledger. No sentence without its sources."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from app.canon.vocabulary import Money
from app.founder_console.formats import Formats
from app.founder_console.naming import money_of, revenue_of
from app.founder_console.readings import read_family
from app.founder_console.wording import Words
from app.governance_ledger import RecordedEvent
from app.postgres import Transaction

FAMILIES = ("ticket.", "approval.", "tool.refused", "tool.unknown", "tool.done", "revenue.recorded")
MOST_SENTENCES = 5
MOST_NAMES = 3


class Source(msgspec.Struct, frozen=True):
    """A ledger event that a sentence rests on."""

    event_id: UUID
    at: datetime


class Finding(msgspec.Struct, frozen=True):
    """One thing found: a catalogue key, its count and values, and the events it was counted from."""

    code: str
    n: int
    events: tuple[RecordedEvent, ...]
    names: tuple[str, ...] = ()
    amount: Money | None = None
    yes: int = 0
    nays: int = 0
    at: datetime | None = None


class Sentence(msgspec.Struct, frozen=True):
    """A finding in one language. `more` is the page that lists the rest of its sources, or where to act on it, which
    `act` names. `kind` is fact, forecast, anomaly or suggestion."""

    code: str
    text: str
    sources: tuple[Source, ...]
    more: str
    kind: str = "fact"
    act: str = ""


class Brief(msgspec.Struct, frozen=True):
    """`written_by` is `rules`, or the name of a model. `events_read` counts what was looked at; `dropped` are sentences
    of the model that its facts did not bear out."""

    sentences: tuple[Sentence, ...]
    events_read: int
    made_at: datetime
    written_by: str = "rules"
    dropped: int = 0


class Facts(msgspec.Struct, frozen=True):
    """What the rules look at: a day's events by type, and the ids of what still waits."""

    by_type: dict[str, tuple[RecordedEvent, ...]]
    waiting: frozenset[str]

    def of(self, *types: str) -> tuple[RecordedEvent, ...]:
        return tuple(event for name in types for event in self.by_type.get(name, ()))


async def write_brief(
    tx: Transaction,
    words: Words,
    formats: Formats,
    *,
    since: datetime,
    until: datetime,
    waiting: Sequence[UUID],
) -> Brief:
    """The brief of the time between `since` and `until`; `waiting` are the approvals that are pending now."""
    events = [event for family in FAMILIES for event in await read_family(tx, family, since=since, until=until)]
    sentences = [_say(finding, words, formats) for finding in findings(events, waiting)]
    return Brief(tuple(sentences[:MOST_SENTENCES]), len(events), formats.now)


def findings(events: Sequence[RecordedEvent], waiting: Sequence[UUID] = ()) -> list[Finding]:
    """All that the rules find, gravest first. Pure."""
    by_type: dict[str, tuple[RecordedEvent, ...]] = {}
    for event in events:
        by_type[event.type] = (*by_type.get(event.type, ()), event)
    facts = Facts(by_type, frozenset(map(str, waiting)))
    return [finding for rule in RULES for finding in rule(facts)]


def _waiting(facts: Facts) -> Iterator[Finding]:
    raised = tuple(event for event in facts.of("approval.raised") if event.data.get("approval_id") in facts.waiting)
    if raised:
        yield Finding("waiting", len(raised), raised, at=min(event.occurred_at for event in raised))


def _unknown(facts: Facts) -> Iterator[Finding]:
    if lost := facts.of("tool.unknown"):
        yield Finding("unknown", len(lost), lost)


def _failed(facts: Facts) -> Iterator[Finding]:
    if failed := facts.of("ticket.failed"):
        yield Finding("failed", len(failed), failed, _titles(failed))


def _late(facts: Facts) -> Iterator[Finding]:
    late = tuple(event for event in facts.of("ticket.done", "ticket.returned") if event.data.get("sla_met") is False)
    if late:
        yield Finding("late", len(late), late, _titles(late))


def _refused(facts: Facts) -> Iterator[Finding]:
    if refused := facts.of("tool.refused"):
        tools = Counter(str(event.data.get("tool", "")) for event in refused)
        yield Finding("refused", len(refused), refused, tuple(tool for tool, _ in tools.most_common(MOST_NAMES)))


def _expired(facts: Facts) -> Iterator[Finding]:
    if expired := facts.of("approval.expired"):
        yield Finding("expired", len(expired), expired)


def _revenue(facts: Facts) -> Iterator[Finding]:
    yield from _by_currency("revenue", facts.of("revenue.recorded"), revenue_of)


def _paid(facts: Facts) -> Iterator[Finding]:
    yield from _by_currency("paid", facts.of("tool.done"), money_of)


def _by_currency(
    code: str, events: Sequence[RecordedEvent], read: Callable[[RecordedEvent], Money | None]
) -> Iterator[Finding]:
    by_currency: dict[str, list[tuple[RecordedEvent, int]]] = {}
    for event in events:
        if (amount := read(event)) is not None:
            by_currency.setdefault(amount.currency, []).append((event, amount.minor))
    for currency, entries in sorted(by_currency.items()):
        total = sum(minor for _, minor in entries)
        said = "refunded" if code == "revenue" and total < 0 else code
        amount = Money(abs(total) if said == "refunded" else total, currency)
        yield Finding(said, len(entries), tuple(event for event, _ in entries), amount=amount)


def _done(facts: Facts) -> Iterator[Finding]:
    if done := facts.of("ticket.done"):
        yield Finding("done", len(done), done, _titles(done))


def _decided(facts: Facts) -> Iterator[Finding]:
    if decided := facts.of("approval.decided"):
        yes = sum(event.data.get("decision") == "approve" for event in decided)
        yield Finding("decided", len(decided), decided, yes=yes, nays=len(decided) - yes)


def _opened(facts: Facts) -> Iterator[Finding]:
    if opened := facts.of("ticket.opened"):
        yield Finding("opened", len(opened), opened, _titles(opened))


RULES: tuple[Callable[[Facts], Iterator[Finding]], ...] = (
    _waiting,
    _unknown,
    _failed,
    _late,
    _refused,
    _expired,
    _revenue,
    _paid,
    _done,
    _decided,
    _opened,
)

MORE = {
    "waiting": "/approvals",
    "decided": "/approvals/history",
    "revenue": "/money/evidence?figure=revenue",
    "refunded": "/money/evidence?figure=revenue",
    "paid": "/money/evidence?figure=paid",
}
KINDS = {
    "refused": "tool.refused",
    "unknown": "tool.unknown",
    "failed": "ticket.failed",
    "expired": "approval.expired",
    "done": "ticket.done",
    "late": "ticket.done",
    "opened": "ticket.opened",
}


def _titles(events: Sequence[RecordedEvent]) -> tuple[str, ...]:
    return tuple(str(event.data.get("title", "")) for event in events)


def _say(finding: Finding, words: Words, formats: Formats) -> Sentence:
    names = [words(f"tool.{name}") if words.has(f"tool.{name}") else name for name in finding.names]
    named = _list(names, words)
    text = words(
        f"say.{finding.code}",
        n=finding.n,
        titles=named,
        tools=named,
        amount=formats.money(finding.amount) if finding.amount else "",
        yes=finding.yes,
        nays=finding.nays,
        at=formats.moment(finding.at) if finding.at else "",
    )
    sources = tuple(Source(event.event_id, event.occurred_at) for event in finding.events)
    more = MORE.get(finding.code) or f"/ledger?kind={KINDS[finding.code]}"
    return Sentence(finding.code, text, sources, more)


def _list(names: Sequence[str], words: Words) -> str:
    shown = ", ".join(names[:MOST_NAMES])
    rest = len(names) - MOST_NAMES
    return f"{shown} {words('say.and_more', n=rest)}" if rest > 0 else shown
