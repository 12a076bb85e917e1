"""Money: the scorecard of a month."""

from collections.abc import Sequence
from datetime import timedelta

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromQuery

from app.canon.vocabulary import Money
from app.founder_console.counts import newest_of
from app.founder_console.money.entries import in_words
from app.founder_console.money.figures import KINDS, Figure, Item, Sum, item_of, total
from app.founder_console.money.months import Reading, around, read_month, worker_lines
from app.founder_console.money.scorecard import Month, by_day, months_back
from app.founder_console.screens.charts import Chart, Point, bars
from app.founder_console.tallies import NEWEST
from app.founder_console.visits import Caller, Visit, enter
from app.founder_console.wording import Words
from app.governance_ledger import read_these
from app.postgres import Transaction

Page = Response[bytes]
MOST_ENTRIES = NEWEST
YEAR = 12


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """One currency in one month, as recorded. Nothing converted or estimated stands in it."""

    currency: str
    revenue: Money
    paid_out: Money
    margin: Money
    chart: Chart | None


@get("/money", include_in_schema=False)
async def money(
    request: Caller,
    tx: NamedDependency[Transaction],
    month: FromQuery[str] = "",
    new: FromQuery[int | None] = None,
    known: FromQuery[int] = 0,
) -> Page:
    """The scorecard of a month."""
    visit = await enter(request, tx)
    reading = await read_month(tx, visit.figures, visit.naming, visit.company.currency, month)
    moved = [one for one in reading.facts.sums if one.figure in ("revenue", "paid")]
    entries = in_words(await _last_of(visit, reading.month), visit.naming)
    return visit.page(
        "money.html",
        tab="money",
        title=visit.words("tab.money"),
        m=reading.month,
        months=around(visit, reading.month),
        recorded=None if new is None else _recorded(visit.words, new, known),
        books=[_book(currency, reading, visit) for currency in reading.facts.currencies],
        r=reading.result,
        currency=visit.company.currency,
        target=reading.settings.targets.get(reading.month.key),
        progress=_progress(reading),
        workers=worker_lines(reading, visit.naming),
        year=await _year(visit, reading),
        entries=entries,
        truncated=sum(one.n for one in moved) > len(entries),
        unmeasured=reading.facts.unmeasured,
    )


def _recorded(words: Words, new: int, known: int) -> str:
    """What became of a file's lines: those that stood in the ledger before are said where there are some."""
    said = words("revenue.recorded", n=new)
    return f"{said} {words('revenue.known', n=known)}" if known else said


def _progress(reading: Reading) -> int | None:
    """How much of the target has come in, in the company's own currency as recorded, in percent."""
    target = reading.settings.targets.get(reading.month.key)
    if target is None:
        return None
    return max(100 * total(reading.facts.of("revenue", target.currency)) // target.minor, 0)


def _book(currency: str, reading: Reading, visit: Visit) -> Book:
    incoming, paid = reading.facts.of("revenue", currency), total(reading.facts.of("paid", currency))
    revenue = total(incoming)
    return Book(
        currency=currency,
        revenue=Money(revenue, currency),
        paid_out=Money(-paid, currency),
        margin=Money(revenue - paid, currency),
        chart=_days(incoming, reading.month, currency, visit),
    )


def _days(incoming: Sequence[Sum], month: Month, currency: str, visit: Visit) -> Chart | None:
    formats = visit.formats
    until = min(month.until, formats.now)
    count = max((until - month.since).days + 1, 1)
    sums = by_day(((one.at, one.value) for one in incoming), month.since, count)
    days = [month.since + timedelta(days=index) for index in range(count)]
    points = [
        Point(formats.date(at), value, formats.money(Money(value, currency)))
        for at, value in zip(days, sums, strict=True)
    ]
    title = visit.words("money.chart.days", month=month.label, currency=currency)
    best = max(points, key=lambda point: point.value)
    says = visit.words("money.chart.best", when=best.label, amount=best.said)
    return bars(f"days-{currency}", title, says, points)


async def _year(visit: Visit, reading: Reading) -> Chart | None:
    """Twelve months of recorded revenue in the company's currency."""
    currency, formats = visit.company.currency, visit.formats
    months = months_back(formats, reading.month, YEAR)
    since, until = months[0].since, months[-1].until
    counts = await visit.figures.count("revenue.recorded", since=since, until=until, step="month")
    sums = {month.key: 0 for month in months}
    for one in counts:
        if one.unit == currency and one.at is not None:
            sums[f"{one.at.year}-{one.at.month:02}"] += one.amount
    points = [
        Point(
            month.label, sums[month.key], formats.money(Money(sums[month.key], currency)), f"/money?month={month.key}"
        )
        for month in months
    ]
    best = max(points, key=lambda point: point.value)
    target = reading.settings.targets.get(reading.month.key)
    title = visit.words("money.chart.year", currency=currency)
    says = visit.words("money.chart.best", when=best.label, amount=best.said)
    return bars("year", title, says, points, target.minor if target else None)


async def _last_of(visit: Visit, month: Month) -> list[Item]:
    """The newest entries of the month, as many as every count keeps."""
    kinds: tuple[Figure, ...] = ("revenue", "paid")
    counts = await visit.figures.count(*(KINDS[one] for one in kinds), since=month.since, until=month.until)
    newest = newest_of([one for one in counts if one.unit], MOST_ENTRIES)
    events = await read_these(visit.tx, [source.event_id for source in newest])
    told = [events[source.event_id] for source in newest]
    return [item for event in told for kind in kinds if event.type == KINDS[kind] and (item := item_of(kind, event))]


ROUTES = (money,)
