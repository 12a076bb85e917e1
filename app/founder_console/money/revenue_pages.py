"""Recording revenue at the console: one entry by hand, or a file of them."""

from datetime import date
from typing import Annotated, Any

import msgspec
from litestar import Response, get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body
from litestar.response import Redirect

from app.canon.vocabulary import Money
from app.founder_console.amounts import amount_of
from app.founder_console.money.revenue_entries import Entry, Unreadable, day_of, read_file, record
from app.founder_console.visits import Caller, Visit, enter, go
from app.postgres import Transaction

Page = Response[bytes]
Files = Annotated[dict[str, Any], Body(media_type=RequestEncodingType.MULTI_PART)]


class Draft(msgspec.Struct, frozen=True):
    """An entry as typed, shown again when it cannot be recorded."""

    on: str = ""
    amount: str = ""
    source: str = ""
    description: str = ""


def _form(visit: Visit, draft: Draft, problems: tuple[str, ...] = ()) -> Page:
    return visit.page(
        "revenue_new.html",
        tab="money",
        status=422 if problems else 200,
        title=visit.words("revenue.new"),
        draft=draft,
        problems=problems,
        currency=visit.company.currency,
    )


@get("/money/new", include_in_schema=False)
async def compose(request: Caller, tx: NamedDependency[Transaction]) -> Page:
    """An empty entry of today."""
    visit = await enter(request, tx)
    return _form(visit, Draft(on=_today(visit).isoformat()))


@post("/money", status_code=303, include_in_schema=False)
async def save(request: Caller, tx: NamedDependency[Transaction], data: Files) -> Page | Redirect:
    """Record a file where one was chosen, else what was typed. What cannot be read is named and nothing is recorded."""
    visit = await enter(request, tx)
    draft = Draft(**{name: str(data.get(name) or "").strip() for name in Draft.__struct_fields__})
    file = data.get("file")
    try:
        if isinstance(file, UploadFile) and file.filename:
            entries = read_file(await file.read(), visit.company.currency, visit.words)
        else:
            entries = (_typed(visit, draft),)
    except Unreadable as refusal:
        return _form(visit, draft, refusal.problems[:5])
    recorded = await record(tx, entries, actor=visit.by.actor, zone=visit.formats.zone)
    return go(f"/money?month={max(entry.on for entry in entries):%Y-%m}&new={recorded.new}&known={recorded.known}")


def _typed(visit: Visit, draft: Draft) -> Entry:
    currency, words = visit.company.currency, visit.words
    minor, on = amount_of(draft.amount, currency), day_of(draft.on)
    problems = []
    if not minor:
        problems.append(words("revenue.problem.amount", value=draft.amount or "–"))
    if on is None:
        problems.append(words("revenue.problem.date", value=draft.on or "–"))
    if not draft.source:
        problems.append(words("revenue.problem.source"))
    if problems or minor is None or on is None:
        raise Unreadable(problems)
    return Entry(on, Money(minor, currency), draft.source[:120], draft.description[:500])


def _today(visit: Visit) -> date:
    return visit.formats.local(visit.formats.now).date()


ROUTES = (compose, save)
