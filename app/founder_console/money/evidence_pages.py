"""Behind a figure: the events that it was counted from, as pages and as files."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromQuery
from litestar.response import Stream

from app.founder_console.money.entries import Worker, every_item, in_words, read_items, said
from app.founder_console.money.figures import FIGURES, Figure, Part, Sum, total
from app.founder_console.money.files import entry_lines, scorecard_csv
from app.founder_console.money.months import NOBODY, around, name_of, read_month, worker_lines
from app.founder_console.money.scorecard import Month, month_of
from app.founder_console.money.settings_pages import shown_rates
from app.founder_console.naming import as_uuid
from app.founder_console.visits import Caller, Visit, enter
from app.postgres import Transaction

Page = Response[bytes]
A_FEW = 20
A_PAGE = 100
CSV = "text/csv; charset=utf-8"


@get("/money/evidence", include_in_schema=False)
async def evidence(
    request: Caller,
    tx: NamedDependency[Transaction],
    month: FromQuery[str] = "",
    figure: FromQuery[str] = "",
    currency: FromQuery[str] = "",
    worker: FromQuery[str] = "",
    after: FromQuery[str] = "",
) -> Page:
    """Exactly the events that a figure was counted from, and their sum: the newest of each, or one figure in pages."""
    visit = await enter(request, tx)
    reading = await read_month(tx, visit.figures, visit.naming, visit.company.currency, month)
    whose = Worker(as_uuid(worker)) if worker else None
    sums = [one for one in reading.facts.sums if whose is None or one.role_id == whose.role_id]
    chosen = [own for one in FIGURES if figure in ("", one) for own in _by_currency(one, sums, currency)]
    alone = len(chosen) == 1 and bool(figure)
    narrowed = {"figure": figure, "currency": currency, "worker": worker}
    return visit.page(
        "money_evidence.html",
        tab="money",
        title=visit.words("money.evidence"),
        m=reading.month,
        months=[(one, _here(one.key, **narrowed)) for one in around(visit, reading.month)],
        who=name_of(whose.role_id, visit.naming) if whose else "",
        role_id=whose.role_id if whose else None,
        groups=[await _group(visit, reading.month, own, whose, after if alone else "", alone) for own in chosen],
        rates=shown_rates(reading.result.used),
    )


def _here(month: str, **given: str) -> str:
    return "/money/evidence?" + urlencode({"month": month, **{name: text for name, text in given.items() if text}})


def _by_currency(figure: Figure, sums: Sequence[Sum], currency: str) -> list[list[Sum]]:
    own = [one for one in sums if one.figure == figure]
    codes = sorted({one.currency for one in own})
    wanted = [code for code in codes if not currency or figure not in ("revenue", "paid") or code == currency]
    return [[one for one in own if one.currency == code] for code in wanted]


async def _group(
    visit: Visit, month: Month, sums: Sequence[Sum], whose: Worker | None, after: str, alone: bool
) -> dict[str, Any]:
    """A figure in one currency, with its exact sum over all of its events, shown or not."""
    figure, currency = sums[0].figure, sums[0].currency
    page = await read_items(
        visit.tx,
        figure,
        month.since,
        month.until,
        currency=currency,
        worker=whose,
        after=after or None,
        limit=A_PAGE if alone else A_FEW,
    )
    whole = Part(figure=figure, role_id=None, currency=currency, value=total(sums))
    worker = "" if whose is None else str(whose.role_id or NOBODY)
    more = {"after": page.next_cursor} if alone and page.next_cursor else {}
    return {
        "figure": figure,
        "sum": said(whole, visit.naming),
        "entries": in_words(page.items, visit.naming),
        "more": page.next_cursor and _here(month.key, figure=figure, currency=currency, worker=worker, **more),
        "alone": alone,
    }


@get("/money/entries.csv", include_in_schema=False)
async def entries_file(request: Caller, tx: NamedDependency[Transaction], month: FromQuery[str] = "") -> Stream:
    """Every event behind the month's figures, one a line, sent as it is read."""
    visit = await enter(request, tx)
    whole = month_of(visit.formats, month)
    items = every_item(request.app.state.database, tx.tenant, whole.since, whole.until)
    lines = entry_lines(items, visit.naming)
    return Stream(lines, media_type=CSV, headers=_as_file(f"entries-{whole.key}.csv"))


@get("/money/scorecard.csv", include_in_schema=False)
async def scorecard_file(
    request: Caller, tx: NamedDependency[Transaction], month: FromQuery[str] = ""
) -> Response[str]:
    """The month's figures, each with what it is: recorded, converted or an estimate."""
    visit = await enter(request, tx)
    reading = await read_month(tx, visit.figures, visit.naming, visit.company.currency, month)
    lines = [(line.name, line.result) for line in worker_lines(reading, visit.naming)]
    rows = scorecard_csv(visit.company.currency, [(visit.company.name, reading.result), *lines])
    return Response(rows, media_type=CSV, headers=_as_file(f"scorecard-{reading.month.key}.csv"))


def _as_file(name: str) -> dict[str, str]:
    return {
        "content-disposition": f'attachment; filename="{name}"',
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
    }


ROUTES = (evidence, entries_file, scorecard_file)
