"""Figures of the company: what came in, what went out, what the workers cost. Only what the ledger records."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from statistics import fmean
from uuid import UUID

import msgspec

from app.canon.vocabulary import Money
from app.founder_console.formats import MONTHS, Formats
from app.founder_console.naming import Naming, money_of, revenue_of, whole
from app.founder_console.readings import midnight, read_family
from app.governance_ledger import RecordedEvent
from app.postgres import Transaction

POINTS = 12
WEEK = 7
MOST_ENTRIES = 60
MOST_MONTHS = 3
MOST_EVENTS = 50_000


class Tile(msgspec.Struct, frozen=True, kw_only=True):
    """One figure on Today."""

    name: str
    label: str
    value: str
    note: str
    href: str
    tone: str = ""
    spark: str = ""


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """One currency in one month. Nothing estimated stands in it."""

    currency: str
    revenue: Money
    paid_out: Money
    margin: Money
    spark: str


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One amount with its event."""

    event_id: UUID
    at: datetime
    amount: Money
    text: str
    source: str
    incoming: bool


class Month(msgspec.Struct, frozen=True):
    key: str
    label: str
    since: datetime
    until: datetime


class Accounts(msgspec.Struct, frozen=True, kw_only=True):
    """The Money page of one month. `costs` are USD micros by worker."""

    books: tuple[Book, ...]
    costs: tuple[tuple[str, int], ...]
    entries: tuple[Entry, ...]
    truncated: bool
    partial: bool


def spark(values: Sequence[int]) -> str:
    """An SVG path over a box of 110 by 32; empty when there is nothing to see."""
    if len(values) < 2 or not any(values):
        return ""
    low, high = min(values, default=0), max(values, default=0)
    span = max(high - low, 1)
    step = 110 / (len(values) - 1)
    points = [f"{index * step:.1f} {29 - 26 * (value - low) / span:.1f}" for index, value in enumerate(values)]
    return "M" + "L".join(points)


def by_day(entries: Iterable[tuple[datetime, int]], first: datetime, days: int) -> list[int]:
    """Sums for each of `days` days from `first` on."""
    sums = [0] * days
    for at, amount in entries:
        index = (at - first).days
        if 0 <= index < days:
            sums[index] += amount
    return sums


async def tiles(tx: Transaction, naming: Naming, *, in_work: int, currency: str) -> tuple[Tile, ...]:
    """The four figures of Today."""
    formats = naming.formats
    since = midnight(formats, POINTS - 1)
    week = midnight(formats, WEEK - 1)
    revenue = await read_family(tx, "revenue.recorded", since=since)
    models = await read_family(tx, "model.done", since=midnight(formats))
    done = [event for event in await read_family(tx, "ticket.done", since=week) if event.occurred_at >= week]
    decided = await read_family(tx, "approval.decided", since=week)
    return (
        _revenue_tile(naming, revenue, since, week, currency),
        _cost_tile(naming, models),
        Tile(
            name="done",
            label=naming.words("tile.done"),
            value=formats.number(len(done)),
            note=naming.words("tile.done_note", n=in_work),
            href="/tickets?show=done",
        ),
        _wait_tile(naming, decided),
    )


def _revenue_tile(
    naming: Naming, events: Sequence[RecordedEvent], since: datetime, week: datetime, currency: str
) -> Tile:
    amounts = [(event.occurred_at, amount) for event in events if (amount := revenue_of(event)) is not None]
    recent = [amount for at, amount in amounts if at >= week]
    others = len({amount.currency for amount in recent} - {currency})
    total = Money(sum(amount.minor for amount in recent if amount.currency == currency), currency)
    words = naming.words
    note = words("tile.revenue_note", n=len(recent)) if recent else words("tile.none")
    if others:
        note = words("tile.more_currencies", n=others)
    own = [(at, amount.minor) for at, amount in amounts if amount.currency == currency]
    return Tile(
        name="revenue",
        label=words("tile.revenue"),
        value=naming.formats.money_short(total),
        note=note,
        href="/money",
        spark=spark(by_day(own, since, POINTS)),
    )


def _cost_tile(naming: Naming, events: Sequence[RecordedEvent]) -> Tile:
    cost = sum(whole(event.data.get("cost_usd_micros")) for event in events)
    note = naming.words("tile.ai_note", n=len(events))
    return Tile(name="ai", label=naming.words("tile.ai"), value=naming.formats.usd(cost), note=note, href="/money")


def _wait_tile(naming: Naming, events: Sequence[RecordedEvent]) -> Tile:
    waits = [whole(event.data.get("seconds_pending")) for event in events]
    value = naming.formats.span(timedelta(seconds=fmean(waits))) if waits else "–"
    note = naming.words("tile.wait_note", n=len(waits))
    return Tile(name="wait", label=naming.words("tile.waiting"), value=value, note=note, href="/approvals/history")


def months(formats: Formats) -> tuple[Month, ...]:
    """The present month and the ones before it, oldest first, in the company's zone."""
    found = []
    first = midnight(formats).replace(day=1)
    until = formats.now + timedelta(seconds=1)
    for _ in range(MOST_MONTHS):
        label = MONTHS[formats.language][first.month - 1]
        found.append(Month(f"{first.year}-{first.month:02}", label, first, until))
        until, first = first, (first - timedelta(days=1)).replace(day=1, hour=0, minute=0)
    return tuple(reversed(found))


async def accounts(tx: Transaction, naming: Naming, month: Month) -> Accounts:
    """Revenue, payments and costs of a month, each entry with its event."""
    revenue, done, models = [
        await read_family(tx, family, since=month.since, until=month.until, most=MOST_EVENTS)
        for family in ("revenue.recorded", "tool.done", "model.done")
    ]
    entries = sorted((*_incoming(revenue), *_outgoing(done, naming)), key=lambda entry: entry.at, reverse=True)
    currencies = sorted({entry.amount.currency for entry in entries})
    return Accounts(
        books=tuple(_book(currency, entries, month) for currency in currencies),
        costs=_costs((*models, *done), naming),
        entries=tuple(entries[:MOST_ENTRIES]),
        truncated=len(entries) > MOST_ENTRIES,
        partial=max(len(revenue), len(done), len(models)) >= MOST_EVENTS,
    )


def _incoming(events: Sequence[RecordedEvent]) -> Iterable[Entry]:
    for event in events:
        if (amount := revenue_of(event)) is not None:
            said, source = str(event.data.get("description") or ""), str(event.data.get("source") or "")
            yield Entry(
                event_id=event.event_id,
                at=event.occurred_at,
                amount=amount,
                text=said or source,
                source=source if said else "",
                incoming=True,
            )


def _outgoing(events: Sequence[RecordedEvent], naming: Naming) -> Iterable[Entry]:
    for event in events:
        if (amount := money_of(event)) is not None and amount.minor:
            yield Entry(
                event_id=event.event_id,
                at=event.occurred_at,
                amount=Money(-amount.minor, amount.currency),
                text=naming.line(event).text,
                source=naming.worker(event.data.get("role_id")),
                incoming=False,
            )


def _book(currency: str, entries: Sequence[Entry], month: Month) -> Book:
    own = [entry for entry in entries if entry.amount.currency == currency]
    incoming = [entry for entry in own if entry.incoming]
    revenue = sum(entry.amount.minor for entry in incoming)
    paid = sum(entry.amount.minor for entry in own if not entry.incoming)
    days = (month.until - month.since).days + 1
    series = by_day(((entry.at, entry.amount.minor) for entry in incoming), month.since, days)
    return Book(
        currency=currency,
        revenue=Money(revenue, currency),
        paid_out=Money(paid, currency),
        margin=Money(revenue + paid, currency),
        spark=spark(series),
    )


def _costs(events: Sequence[RecordedEvent], naming: Naming) -> tuple[tuple[str, int], ...]:
    sums: dict[str, int] = {}
    for event in events:
        cost = whole(event.data.get("cost_usd_micros"))
        if cost:
            name = naming.worker(event.data.get("role_id")) or naming.words("router")
            sums[name] = sums.get(name, 0) + cost
    return tuple(sorted(sums.items(), key=lambda pair: -pair[1]))
