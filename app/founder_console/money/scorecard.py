"""The four figures of Today, and the months of the company. Only what the ledger records."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from app.canon.vocabulary import Money
from app.founder_console.counts import Count, Figures, events_in
from app.founder_console.formats import MONTHS, Formats
from app.founder_console.money.settings import MONTH
from app.founder_console.naming import Naming
from app.founder_console.readings import midnight

POINTS = 12
WEEK = 7


class Tile(msgspec.Struct, frozen=True, kw_only=True):
    """One figure on Today."""

    name: str
    label: str
    value: str
    note: str
    href: str
    tone: str = ""
    spark: str = ""


class Month(msgspec.Struct, frozen=True):
    key: str
    label: str
    since: datetime
    until: datetime


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


async def tiles(figures: Figures, naming: Naming, *, in_work: int, currency: str) -> tuple[Tile, ...]:
    """The four figures of Today."""
    formats = naming.formats
    since, week = midnight(formats, POINTS - 1), midnight(formats, WEEK - 1)
    found = await figures.count("revenue.recorded", "ticket.done", "approval.decided", since=since, step="day")
    by_type = {name: [one for one in found if one.type == name] for name in {one.type for one in found}}
    recent = {name: [one for one in counts if one.at and one.at >= week] for name, counts in by_type.items()}
    models = await figures.count("model.done", since=midnight(formats))
    done = events_in(recent.get("ticket.done", ()))
    return (
        _revenue_tile(naming, by_type.get("revenue.recorded", ()), since, week, currency),
        _cost_tile(naming, models),
        Tile(
            name="done",
            label=naming.words("tile.done"),
            value=formats.number(done),
            note=naming.words("tile.done_note", n=in_work),
            href="/tickets?show=done",
        ),
        _wait_tile(naming, recent.get("approval.decided", ())),
    )


def _revenue_tile(naming: Naming, counts: Sequence[Count], since: datetime, week: datetime, currency: str) -> Tile:
    recent = [one for one in counts if one.at and one.at >= week and one.unit]
    others = len({one.unit for one in recent} - {currency})
    total = Money(sum(one.amount for one in recent if one.unit == currency), currency)
    words = naming.words
    note = words("tile.revenue_note", n=events_in(recent)) if recent else words("tile.none")
    if others:
        note = words("tile.more_currencies", n=others)
    own = [(one.at, one.amount) for one in counts if one.unit == currency and one.at]
    return Tile(
        name="revenue",
        label=words("tile.revenue"),
        value=naming.formats.money_short(total),
        note=note,
        href="/money",
        spark=spark(by_day(own, since, POINTS)),
    )


def _cost_tile(naming: Naming, counts: Sequence[Count]) -> Tile:
    cost = sum(one.amount for one in counts if one.unit == "usd_micros")
    note = naming.words("tile.ai_note", n=events_in(counts))
    return Tile(name="ai", label=naming.words("tile.ai"), value=naming.formats.usd(cost), note=note, href="/money")


def _wait_tile(naming: Naming, counts: Sequence[Count]) -> Tile:
    waits = [one for one in counts if one.unit == "seconds_pending"]
    n = events_in(waits)
    value = naming.formats.span(timedelta(seconds=sum(one.amount for one in waits) / n)) if n else "–"
    note = naming.words("tile.wait_note", n=n)
    return Tile(name="wait", label=naming.words("tile.waiting"), value=value, note=note, href="/approvals/history")


def month_of(formats: Formats, key: str = "") -> Month:
    """The month of `2026-11` in the company's zone; the present one for anything else."""
    first = midnight(formats).replace(day=1)
    if MONTH.fullmatch(key):
        first = first.replace(year=int(key[:4]), month=int(key[5:]))
    until = next_month(first)
    label = f"{MONTHS[formats.language][first.month - 1]} {first.year}"
    return Month(f"{first.year}-{first.month:02}", label, first, until)


def months_back(formats: Formats, last: Month, count: int) -> tuple[Month, ...]:
    """`count` months up to `last`, oldest first."""
    found = [last]
    while len(found) < count:
        before = found[-1].since - timedelta(days=1)
        found.append(month_of(formats, f"{before.year}-{before.month:02}"))
    return tuple(reversed(found))


def next_month(first: datetime) -> datetime:
    """The first of the month after."""
    return first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
