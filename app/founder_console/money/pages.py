"""Money: the scorecard of a month, and the evidence behind each figure."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromQuery

from app.canon.vocabulary import Money
from app.founder_console.counts import Figures, newest_of
from app.founder_console.money.figures import (
    FIGURES,
    KINDS,
    Facts,
    Figure,
    Item,
    Part,
    Result,
    Sum,
    as_money,
    item_of,
    read_facts,
    read_items,
    result_of,
    total,
)
from app.founder_console.money.files import entries_csv, scorecard_csv
from app.founder_console.money.scorecard import Month, by_day, month_of, months_back
from app.founder_console.money.settings import MoneySettings, money_settings
from app.founder_console.money.settings_pages import shown_rates
from app.founder_console.naming import Naming, as_uuid
from app.founder_console.screens.charts import Chart, Point, bars
from app.founder_console.tallies import NEWEST
from app.founder_console.visits import Caller, Visit, enter
from app.governance_ledger import read_these
from app.postgres import Transaction

Page = Response[bytes]
MOST_ENTRIES = NEWEST
MOST_EVIDENCE = 500
YEAR = 12
NOBODY = "none"


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """One currency in one month, as recorded. Nothing converted or estimated stands in it."""

    currency: str
    revenue: Money
    paid_out: Money
    margin: Money
    chart: Chart | None


class WorkerLine(msgspec.Struct, frozen=True, kw_only=True):
    """A worker's part of the month, in the company's currency."""

    key: str
    name: str
    result: Result


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One event's part of a figure, in words."""

    item: Item
    text: str
    source: str
    money: Money | None
    value: str


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a page of money is made of."""

    month: Month
    facts: Facts
    settings: MoneySettings
    result: Result


async def read_month(tx: Transaction, figures: Figures, naming: Naming, currency: str, key: str) -> Reading:
    """The facts of a month and what the founder set for it."""
    month = month_of(naming.formats, key)
    facts = await read_facts(figures, month.since, month.until)
    settings = await money_settings(tx, currency)
    day = (month.until - timedelta(days=1)).date()
    return Reading(month=month, facts=facts, settings=settings, result=result_of(facts.sums, settings, day))


def name_of(role_id: UUID | None, naming: Naming) -> str:
    return naming.worker(role_id) or naming.words("money.nobody")


def worker_lines(reading: Reading, naming: Naming) -> tuple[WorkerLine, ...]:
    """Everybody who brought or cost something, the best first."""
    day = (reading.month.until - timedelta(days=1)).date()
    found = [
        WorkerLine(
            key=str(role_id) if role_id else NOBODY,
            name=name_of(role_id, naming),
            result=result_of(reading.facts.worker(role_id), reading.settings, day),
        )
        for role_id in reading.facts.workers
    ]
    return tuple(sorted(found, key=lambda line: (-(line.result.margin or 0), line.name)))


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
    entries = _entries(await _last_of(visit, reading.month), visit.naming)
    return visit.page(
        "money.html",
        tab="money",
        title=visit.words("tab.money"),
        m=reading.month,
        months=_around(visit, reading.month),
        recorded=None if new is None else visit.words("revenue.recorded", new=new, known=known),
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


def _around(visit: Visit, month: Month) -> list[dict[str, str]]:
    """The month, the two before it, and the one after, unless that is still to come."""
    found = [*months_back(visit.formats, month, 3)]
    if month.until <= visit.formats.now:
        after = month.until
        found = [*found[1:], month_of(visit.formats, f"{after.year}-{after.month:02}")]
    return [{"key": one.key, "label": one.label} for one in found]


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


async def _all_of(tx: Transaction, month: Month) -> list[Item]:
    items = [one for figure in FIGURES for one in await read_items(tx, figure, month.since, month.until)]
    return sorted(items, key=lambda one: one.event.occurred_at, reverse=True)


def _entries(items: Sequence[Item], naming: Naming) -> list[Entry]:
    return [_entry(one, naming) for one in items]


def _entry(item: Item, naming: Naming) -> Entry:
    line, money = naming.line(item.event), as_money(item)
    source = name_of(item.role_id, naming)
    if item.figure == "revenue":
        described = str(item.event.data.get("description") or "")
        source = " · ".join(part for part in (described, naming.worker(item.role_id)) if part)
    if item.figure == "paid" and money is not None:
        money = Money(-money.minor, money.currency)
    text = str(item.event.data.get("source") or "") if item.figure == "revenue" else line.text
    return Entry(item=item, text=text, source=source, money=money, value=_value(item, naming))


def _value(item: Part, naming: Naming) -> str:
    if item.figure == "models":
        return naming.formats.usd(item.value)
    if item.figure == "time":
        return naming.formats.seconds(item.value)
    return naming.formats.money(Money(item.value, item.currency))


@get("/money/evidence", include_in_schema=False)
async def evidence(
    request: Caller,
    tx: NamedDependency[Transaction],
    month: FromQuery[str] = "",
    figure: FromQuery[str] = "",
    currency: FromQuery[str] = "",
    worker: FromQuery[str] = "",
) -> Page:
    """Exactly the events that a figure was counted from, and their sum."""
    visit = await enter(request, tx)
    reading = await read_month(tx, visit.figures, visit.naming, visit.company.currency, month)
    role_id = as_uuid(worker)
    sums = [one for one in reading.facts.sums if not worker or one.role_id == role_id]
    who = (role_id,) if worker else None
    chosen = [
        await _group(visit, reading.month, own, who)
        for one in FIGURES
        if figure in ("", one)
        for own in _by_currency(one, sums, currency)
    ]
    return visit.page(
        "money_evidence.html",
        tab="money",
        title=visit.words("money.evidence"),
        m=reading.month,
        who=name_of(role_id, visit.naming) if worker else "",
        role_id=role_id,
        groups=chosen,
        rates=shown_rates(reading.result.used),
    )


def _by_currency(figure: Figure, sums: Sequence[Sum], currency: str) -> list[list[Sum]]:
    own = [one for one in sums if one.figure == figure]
    codes = sorted({one.currency for one in own})
    wanted = [code for code in codes if not currency or figure not in ("revenue", "paid") or code == currency]
    return [[one for one in own if one.currency == code] for code in wanted]


async def _group(visit: Visit, month: Month, sums: Sequence[Sum], who: tuple[UUID | None] | None) -> dict[str, Any]:
    """A figure in one currency, with its exact sum over all of its events, shown or not."""
    figure, currency = sums[0].figure, sums[0].currency
    span = (month.since, month.until)
    items = await read_items(visit.tx, figure, *span, most=MOST_EVIDENCE, currency=currency, worker=who)
    whole = Part(figure=figure, role_id=None, currency=currency, value=total(sums))
    return {
        "figure": figure,
        "sum": _value(whole, visit.naming),
        "n": sum(one.n for one in sums),
        "entries": _entries(items, visit.naming),
    }


@get("/money/entries.csv", include_in_schema=False)
async def entries_file(request: Caller, tx: NamedDependency[Transaction], month: FromQuery[str] = "") -> Response[str]:
    """Every event behind the month's figures, one a line."""
    visit = await enter(request, tx)
    whole = month_of(visit.formats, month)
    return _file(entries_csv(await _all_of(tx, whole), visit.naming), f"entries-{whole.key}.csv")


@get("/money/scorecard.csv", include_in_schema=False)
async def scorecard_file(
    request: Caller, tx: NamedDependency[Transaction], month: FromQuery[str] = ""
) -> Response[str]:
    """The month's figures, each with what it is: recorded, converted or an estimate."""
    visit = await enter(request, tx)
    reading = await read_month(tx, visit.figures, visit.naming, visit.company.currency, month)
    lines = [(line.name, line.result) for line in worker_lines(reading, visit.naming)]
    rows = scorecard_csv(visit.company.currency, [(visit.company.name, reading.result), *lines])
    return _file(rows, f"scorecard-{reading.month.key}.csv")


def _file(text: str, name: str) -> Response[str]:
    headers = {
        "content-disposition": f'attachment; filename="{name}"',
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
    }
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


ROUTES = (money, evidence, entries_file, scorecard_file)
