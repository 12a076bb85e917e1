"""Hiring from the phone: choose a job, look at the boundary in sentences, ask for the signature."""

from typing import Annotated, Any

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath, FromQuery
from litestar.response import Redirect

from app.canon.errors import Conflict, Invalid, NotFound
from app.canon.presets import PRESETS
from app.canon.sentences import budget_sentence
from app.founder_console.visits import Caller, Visit, enter, go
from app.founder_console.workers.openings import (
    OPENINGS,
    Application,
    Opening,
    blank,
    may_pay,
    opening_of,
    preset_of,
    terms_of,
)
from app.founder_console.workers.overview import Rule, rules_of
from app.postgres import Transaction
from app.role_registry import hire

Page = Response[bytes]
Form = Annotated[dict[str, Any], Body(media_type=RequestEncodingType.URL_ENCODED)]


@get("/workers/new", include_in_schema=False)
async def openings(request: Caller, tx: NamedDependency[Transaction]) -> Page:
    """The jobs to choose from."""
    visit = await enter(request, tx)
    return visit.page(
        "hire.html", tab="workers", title=visit.words("hire.title"), openings=[one.key for one in OPENINGS]
    )


@get("/workers/new/{key:str}", include_in_schema=False)
async def apply(
    request: Caller, tx: NamedDependency[Transaction], key: FromPath[str], boundary: FromQuery[str] = ""
) -> Page:
    """The form of one job, and its boundary as sentences."""
    visit, opening = await enter(request, tx), _opening(key)
    taken = [role.name for role in visit.roles]
    form = blank(opening, visit.words, taken, visit.company.currency, preset=boundary)
    return _form(visit, opening, form)


@post("/workers/new/{key:str}", status_code=303, include_in_schema=False)
async def ask(request: Caller, tx: NamedDependency[Transaction], key: FromPath[str], data: Form) -> Page | Redirect:
    """Propose the role; the founder signs it on the card that this leads to."""
    visit, opening = await enter(request, tx), _opening(key)
    form = _read(data, opening)
    try:
        terms = terms_of(form, visit.company.currency, visit.words)
        async with tx.savepoint():
            state = request.app.state
            role = await hire(tx, terms, by=visit.by, undo_seconds=state.settings.undo_seconds, tools=state.tools)
    except (Conflict, Invalid) as refusal:
        return _form(visit, opening, form, problem=visit.refused(refusal), status=422)
    return go(f"/approvals/{role.pending.approval_id}" if role.pending else f"/workers/{role.id}")


def _opening(key: str) -> Opening:
    opening = opening_of(key)
    if opening is None:
        raise NotFound(f"there is no job {key}", code="job.unknown")
    return opening


def _read(data: dict[str, Any], opening: Opening) -> Application:
    def text(name: str) -> str:
        return str(data.get(name) or "").strip()

    return Application(
        name=text("name"),
        title=text("title"),
        job_description=text("job_description"),
        preset=preset_of(text("boundary"), opening.preset),
        model_usd=text("model_usd"),
        each=text("each"),
        month=text("month"),
    )


def _form(visit: Visit, opening: Opening, form: Application, *, problem: str = "", status: int = 200) -> Page:
    return visit.page(
        "hire_form.html",
        tab="workers",
        status=status,
        title=visit.words("hire.title"),
        opening=opening.key,
        form=form,
        problem=problem,
        presets=list(PRESETS),
        pays=may_pay(form.preset),
        currency=visit.company.currency,
        rules=_shown(visit, form),
    )


def _shown(visit: Visit, form: Application) -> tuple[Rule, ...]:
    """The boundary of the form; with an amount that is none, that of the form as it was first shown."""
    try:
        terms = terms_of(form, visit.company.currency, visit.words)
    except Invalid:
        amounts = msgspec.structs.replace(form, model_usd="2", each="0", month="0")
        terms = terms_of(amounts, visit.company.currency, visit.words)
    language = visit.founder.language
    limits = tuple(Rule("ask", budget_sentence(limit, language)) for limit in terms.budget if limit.unit == "money")
    *rules, otherwise = rules_of(terms, visit.naming)
    return (*rules, *limits, otherwise)


ROUTES = (openings, apply, ask)
