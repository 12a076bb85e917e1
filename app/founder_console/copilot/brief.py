"""The brief: what a founder should know of a day, by rules, from the ledger. No sentence without its sources."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from app.canon.vocabulary import Money
from app.founder_console.counts import NEVER, Count, Figures, Source, events_in, newest_of
from app.founder_console.formats import Formats
from app.founder_console.wording import Words
from app.governance_ledger import read_these
from app.postgres import Transaction

TYPES = (
    "approval.decided",
    "approval.expired",
    "revenue.recorded",
    "ticket.done",
    "ticket.failed",
    "ticket.opened",
    "ticket.returned",
    "tool.done",
    "tool.refused",
    "tool.unknown",
)
MOST_SENTENCES = 5
MOST_NAMES = 3


class Finding(msgspec.Struct, frozen=True):
    """One thing found: a catalogue key, how many events, the newest of them, and values; `rest` has no name here."""

    code: str
    n: int
    sources: tuple[Source, ...]
    names: tuple[str, ...] = ()
    rest: int = 0
    amount: Money | None = None
    yes: int = 0
    nays: int = 0
    at: datetime | None = None


class Sentence(msgspec.Struct, frozen=True):
    """A finding in one language. `sources` are the newest of the `n` events that it was counted from; `more` lists the
    rest, or is where to act on it, which `act` names. `kind` is fact, forecast, anomaly or suggestion."""

    code: str
    text: str
    sources: tuple[Source, ...]
    more: str
    kind: str = "fact"
    act: str = ""
    n: int = 0


class Brief(msgspec.Struct, frozen=True):
    """`written_by` is `rules`, or the name of a model. `events_read` counts what was looked at; `dropped` are sentences
    of the model that its facts did not bear out."""

    sentences: tuple[Sentence, ...]
    events_read: int
    made_at: datetime
    written_by: str = "rules"
    dropped: int = 0


class Facts(msgspec.Struct, frozen=True):
    """What the rules look at: a day's counts, those of the questions that still wait, and the titles of tickets."""

    counts: tuple[Count, ...]
    waiting: tuple[Count, ...] = ()
    titles: Mapping[UUID, str] = {}

    def of(self, *types: str) -> tuple[Count, ...]:
        return tuple(one for one in self.counts if one.type in types)

    def find(self, code: str, counts: Iterable[Count], *, titled: bool = False) -> Iterator[Finding]:
        counts = tuple(counts)
        if n := events_in(counts):
            sources = newest_of(counts)
            names = [self.titles.get(source.event_id, "") for source in sources[:MOST_NAMES]] if titled else []
            yield Finding(code, n, sources, tuple(names), rest=n - len(names) if titled else 0)


async def read_facts(
    tx: Transaction, figures: Figures, *, since: datetime, until: datetime = NEVER, waiting: Sequence[UUID]
) -> Facts:
    """What happened in that time, counted, whoever reads it in whichever language."""
    counts = await figures.count(*TYPES, since=since, until=until)
    raised: tuple[Count, ...] = ()
    if waiting:
        raised = await figures.count("approval.raised", since=since, until=until, names=[*map(str, waiting)])
    named = Facts(counts)
    titled = [source for rule in TITLED for one in rule(named) for source in one.sources[:MOST_NAMES]]
    events = await read_these(tx, [source.event_id for source in titled])
    return Facts(counts, raised, {name: str(event.data.get("title", "")) for name, event in events.items()})


def say(facts: Facts, words: Words, formats: Formats) -> Brief:
    """The gravest of what the rules find, in words."""
    sentences = [_say(finding, words, formats) for finding in findings(facts)]
    return Brief(tuple(sentences[:MOST_SENTENCES]), events_in((*facts.counts, *facts.waiting)), formats.now)


def findings(facts: Facts) -> list[Finding]:
    """All that the rules find, gravest first. Pure."""
    return [finding for rule in RULES for finding in rule(facts)]


def _waiting(facts: Facts) -> Iterator[Finding]:
    for found in facts.find("waiting", facts.waiting):
        first = min(source.at for one in facts.waiting for source in one.sources)
        yield msgspec.structs.replace(found, at=first)


def _unknown(facts: Facts) -> Iterator[Finding]:
    return facts.find("unknown", facts.of("tool.unknown"))


def _failed(facts: Facts) -> Iterator[Finding]:
    return facts.find("failed", facts.of("ticket.failed"), titled=True)


def _late(facts: Facts) -> Iterator[Finding]:
    late = [one for one in facts.of("ticket.done", "ticket.returned") if one.verdict == "late"]
    return facts.find("late", late, titled=True)


def _refused(facts: Facts) -> Iterator[Finding]:
    refused = facts.of("tool.refused")
    for found in facts.find("refused", refused):
        by_tool: Counter[str] = Counter()
        for one in refused:
            by_tool[one.name] += one.n
        names = tuple(tool for tool, _ in by_tool.most_common(MOST_NAMES))
        yield msgspec.structs.replace(found, names=names)


def _expired(facts: Facts) -> Iterator[Finding]:
    return facts.find("expired", facts.of("approval.expired"))


def _revenue(facts: Facts) -> Iterator[Finding]:
    for found in _by_currency("revenue", facts, "revenue.recorded"):
        assert found.amount is not None
        if found.amount.minor < 0:
            gone = Money(-found.amount.minor, found.amount.currency)
            yield msgspec.structs.replace(found, code="refunded", amount=gone)
        else:
            yield found


def _paid(facts: Facts) -> Iterator[Finding]:
    return _by_currency("paid", facts, "tool.done")


def _by_currency(code: str, facts: Facts, kind: str) -> Iterator[Finding]:
    counts = [one for one in facts.of(kind) if one.unit]
    for currency in sorted({one.unit for one in counts}):
        own = [one for one in counts if one.unit == currency]
        for found in facts.find(code, own):
            yield msgspec.structs.replace(found, amount=Money(sum(one.amount for one in own), currency))


def _done(facts: Facts) -> Iterator[Finding]:
    return facts.find("done", facts.of("ticket.done"), titled=True)


def _decided(facts: Facts) -> Iterator[Finding]:
    decided = facts.of("approval.decided")
    yes = events_in(one for one in decided if one.verdict == "approve")
    for found in facts.find("decided", decided):
        yield msgspec.structs.replace(found, yes=yes, nays=found.n - yes)


def _opened(facts: Facts) -> Iterator[Finding]:
    return facts.find("opened", facts.of("ticket.opened"), titled=True)


RULES = (
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
TITLED = (_failed, _late, _done, _opened)

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


def _say(finding: Finding, words: Words, formats: Formats) -> Sentence:
    names = [words(f"tool.{name}") if words.has(f"tool.{name}") else name for name in finding.names]
    named = ", ".join(names) + (f" {words('say.and_more', n=finding.rest)}" if finding.rest else "")
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
    more = MORE.get(finding.code) or f"/ledger?kind={KINDS[finding.code]}"
    return Sentence(finding.code, text, finding.sources, more, n=finding.n)
