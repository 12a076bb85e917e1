"""Copilot: the brief of each day, what to look at, and questions that the ledger answers.

A model is asked outside of any transaction. What it would do becomes a card that the founder decides.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromQuery
from litestar.response import Redirect

from app.canon.model import ModelFailed
from app.founder_console.copilot import lookings, writing
from app.founder_console.copilot.asking import MOST_CHARACTERS, Conversation, Reply
from app.founder_console.copilot.brief import Brief, Sentence, read_facts, say
from app.founder_console.copilot.insights import insights, look_at
from app.founder_console.copilot.questions import DAYS as SPANS
from app.founder_console.copilot.questions import QUESTIONS, Asked, answer, question_of
from app.founder_console.copilot.secretary import Secretary
from app.founder_console.counts import NEVER
from app.founder_console.formats import DAYS
from app.founder_console.naming import Naming, as_uuid
from app.founder_console.readings import midnight
from app.founder_console.visits import Caller, Visit, enter, go
from app.postgres import Transaction

Page = Response[bytes]
Form = Annotated[dict[str, Any], Body(media_type=RequestEncodingType.URL_ENCODED)]
BRIEF_DAYS = 4
TAGS = ["console"]


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """The brief of a day, what stands beside it, and what was new to this founder."""

    brief: Brief
    rules: Brief
    insights: tuple[Sentence, ...]
    news: Brief | None
    since: Any


async def brief_of(visit: Visit, *, days_ago: int = 0) -> Brief:
    """By rules, over a day of the company."""
    since = midnight(visit.formats, days_ago)
    until = midnight(visit.formats, days_ago - 1)
    waiting = [card.id for card in visit.cards] if days_ago == 0 else []
    return await _brief(visit, since, until, waiting)


async def _brief(visit: Visit, since: datetime, until: datetime, waiting: Sequence[UUID]) -> Brief:
    facts = await read_facts(visit.tx, visit.figures, since=since, until=until, waiting=waiting)
    return say(facts, visit.words, visit.formats)


async def look(visit: Visit, *, days_ago: int = 0) -> Seen:
    """Everything that is to be seen of a day; of today also what to do about it and what is new."""
    rules = await brief_of(visit, days_ago=days_ago)
    day = midnight(visit.formats, days_ago).date()
    written = await writing.kept(visit.tx, day, visit.founder.language, rules)
    found: list[Sentence] = []
    news, since = None, None
    if days_ago == 0:
        found = insights(await look_at(visit.tx, visit.figures, visit.roles, visit.naming), visit.naming)
        since = await lookings.note_visit(visit.tx, visit.founder.id)
        if visit.formats.now - since > timedelta(minutes=30):
            news = await _brief(visit, since, NEVER, [])
    return Seen(brief=written or rules, rules=rules, insights=tuple(found), news=news, since=since)


@get("/copilot", include_in_schema=False)
async def copilot(request: Caller, tx: NamedDependency[Transaction], day: FromQuery[str] = "") -> Page:
    """The brief of today and of the days before, what to look at, and what can be asked."""
    visit = await enter(request, tx)
    return await _copilot(visit, day)


async def _copilot(visit: Visit, day: str, problem: str = "") -> Page:
    days = [_day(visit, ago) for ago in reversed(range(BRIEF_DAYS))]
    ago = next((ago for ago in range(BRIEF_DAYS) if _day(visit, ago)["key"] == day), 0)
    seen = await look(visit, days_ago=ago)
    return visit.page(
        "copilot.html",
        tab="copilot",
        status=422 if problem else 200,
        title=visit.words("tab.copilot"),
        seen=seen,
        problem=problem,
        order=visit.cards[:5] if ago == 0 else (),
        days=days,
        day=_day(visit, ago)["key"],
        present=ago == 0,
        **_asking(visit),
    )


def _asking(visit: Visit) -> dict[str, Any]:
    """What the forms of the ask box need."""
    active = [role for role in visit.roles if role.status in ("active", "paused")]
    return {
        "questions": QUESTIONS,
        "spans": SPANS,
        "workers": [(str(role.id), role.name) for role in active],
        "thinks": visit.request.app.state.model is not None,
        "most": MOST_CHARACTERS,
    }


def _day(visit: Visit, ago: int) -> dict[str, str]:
    there: date = midnight(visit.formats, ago).date()
    label = visit.words("tab.today") if ago == 0 else f"{DAYS[visit.founder.language][there.weekday()]} {there.day}"
    return {"key": there.isoformat(), "label": label}


@get("/copilot/answer", include_in_schema=False)
async def answered(
    request: Caller,
    tx: NamedDependency[Transaction],
    q: FromQuery[str] = "waiting",
    worker: FromQuery[str] = "",
    days: FromQuery[int] = 7,
) -> Page:
    """A question that the ledger answers by itself."""
    visit = await enter(request, tx)
    question = question_of(q) or QUESTIONS[0]
    asked = Asked(name=question.name, role_id=as_uuid(worker), days=days)
    facts = await answer(tx, visit.figures, visit.naming, asked)
    return _answer(visit, asked, visit.words(f"ask.{question.name}"), Reply(sentences=facts), by_model=False)


def _answer(visit: Visit, asked: Asked, title: str, reply: Reply, *, by_model: bool) -> Page:
    return visit.page(
        "answer.html",
        tab="copilot",
        title=title,
        asked=asked,
        reply=reply,
        unanswered="" if reply.failure is None else visit.refused(reply.failure),
        by_model=by_model,
        ticket=reply.ticket,
        **_asking(visit),
    )


@post("/copilot/ask", status_code=200, include_in_schema=False)
async def ask(request: Caller, data: Form) -> Page | Redirect:
    """A free question, to the model. The page is rendered after it, in a transaction of its own."""
    text = str(data.get("text") or "").strip()[:MOST_CHARACTERS]
    if not text or request.app.state.model is None:
        return go("/copilot")
    database = request.app.state.database
    async with database.transaction(request.auth.tid) as tx:
        visit = await enter(request, tx)
        naming = visit.naming
    reply = await ask_model(request, naming, text)
    async with database.transaction(request.auth.tid) as tx:
        visit = await enter(request, tx)
        return _answer(visit, Asked(name="waiting"), text, reply, by_model=True)


async def ask_model(request: Caller, naming: Naming, text: str) -> Reply:
    """The answer to a free question, in no transaction; what the model would do is put up as a card."""
    state = request.app.state
    secretary = Secretary(state.database, state.model, request.auth)
    return await Conversation(state.database, secretary, naming, request.auth.tid).ask(text)


@post("/copilot/brief", status_code=303, include_in_schema=False)
async def rewrite(request: Caller) -> Page | Redirect:
    """The brief of today in the model's words, checked; what the rules said stays beside it."""
    state = request.app.state
    if state.model is None:
        return go("/copilot")
    async with state.database.transaction(request.auth.tid) as tx:
        visit = await enter(request, tx)
        rules = await brief_of(visit)
        found = insights(await look_at(tx, visit.figures, visit.roles, visit.naming), visit.naming)
        language, day = visit.founder.language, midnight(visit.formats).date()
    facts = [*rules.sentences, *found]
    try:
        checked = await writing.write(Secretary(state.database, state.model, request.auth), facts, language)
    except ModelFailed as error:
        async with state.database.transaction(request.auth.tid) as tx:
            visit = await enter(request, tx)
            return await _copilot(visit, "", visit.refused(error))
    async with state.database.transaction(request.auth.tid) as tx:
        name = state.settings.model_name
        await writing.keep(
            tx, checked, day=day, language=language, model=name, facts=len(facts), actor=request.auth.actor
        )
    return go("/copilot")


ROUTES = (copilot, answered, ask, rewrite)
