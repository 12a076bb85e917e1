"""The console over HTTP: JSON under /api/v1/console for any client, pages for people at the root."""

from datetime import date, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from app.canon.errors import Invalid
from app.canon.vocabulary import Money, Rol, on_calendar
from app.founder_console import files, first_steps, pages
from app.founder_console.cards import story
from app.founder_console.channels import hook_http
from app.founder_console.copilot import http as copilot_http
from app.founder_console.copilot import pages as copilot_pages
from app.founder_console.copilot.brief import Brief, read_facts, say
from app.founder_console.deciding import actions, backtest_pages, batch_pages, editing_pages, rule_pages
from app.founder_console.identity import doors, key_pages, people_pages, quorum_pages, tokens_http
from app.founder_console.model import Language
from app.founder_console.money import evidence_pages, payment_pages, revenue_pages
from app.founder_console.money import http as money_http
from app.founder_console.money import pages as money_pages
from app.founder_console.money import settings_pages as money_settings_pages
from app.founder_console.options import channel_pages, company_pages, preferences, push_http, secret_pages, server_pages
from app.founder_console.readers import read_for
from app.founder_console.readings import midnight
from app.founder_console.records import pages as records
from app.founder_console.surroundings import configure
from app.founder_console.visits import Caller
from app.founder_console.workers import amending_pages, composing, hiring_pages
from app.founder_console.workers import pages as worker_pages
from app.governance_ledger import Page
from app.postgres import Transaction
from app.problems import documented
from app.role_registry import company
from app.work_queue import Approval, list_tickets, mark_shown
from app.work_queue.approvals_http import DecisionBody, decide_on_ticket
from app.work_queue.idempotency import KEYED

__all__ = ["API_ROUTES", "PAGE_ROUTES", "configure"]

TAGS = ["console"]
DECIDERS = (Rol.FOUNDER, Rol.DEPUTY)
_REFUSALS = documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)

Texts = dict[Language, str]


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """How the company stands. `at_stake` sums what pending approvals would move, one amount a currency.

    `failed_today` counts from midnight in the company's zone.
    """

    company: str
    pending: int
    at_stake: tuple[Money, ...]
    next_deadline_at: datetime | None
    workers: int
    working: int
    failed_today: int
    all_paused: bool
    scripted_model: bool


class BriefSentence(msgspec.Struct, frozen=True):
    """One finding in both languages, and the newest of the `n` events that it rests on, ten at most."""

    code: str
    text: Texts
    sources: tuple[UUID, ...]
    n: int


class CopilotBrief(msgspec.Struct, frozen=True, kw_only=True):
    """`written_by` is `rules`; nothing stands here without a source."""

    day: date
    made_at: datetime
    written_by: str
    events_read: int
    sentences: tuple[BriefSentence, ...]


class RecentLine(msgspec.Struct, frozen=True, kw_only=True):
    event_id: UUID
    type: str
    occurred_at: datetime
    text: Texts


@get(
    "/summary",
    tags=TAGS,
    summary="How the company stands",
    responses=documented(HTTPStatus.FORBIDDEN),
)
async def summary(request: Caller, tx: NamedDependency[Transaction]) -> Summary:
    reading = await read_for(request, tx)
    its_company, waiting = await company(tx), reading.waiting
    stakes: dict[str, int] = {}
    for approval in waiting:
        if approval.money:
            stakes[approval.money.currency] = stakes.get(approval.money.currency, 0) + approval.money.minor
    since = midnight(reading.formats)
    failed = (await list_tickets(tx, status="failed", limit=200)).items
    roles = next(iter(reading.namings.values())).roles.values()
    return Summary(
        company=its_company.name,
        pending=len(waiting),
        at_stake=tuple(Money(minor, currency) for currency, minor in sorted(stakes.items())),
        next_deadline_at=waiting[0].expires_at if waiting else None,
        workers=sum(role.status in ("active", "paused") for role in roles),
        working=len((await list_tickets(tx, status="working", limit=200)).items),
        failed_today=sum(ticket.closed_at is not None and ticket.closed_at >= since for ticket in failed),
        all_paused=its_company.all_paused,
        scripted_model=request.app.state.scripted,
    )


@get(
    "/pending-approval",
    tags=TAGS,
    summary="What waits for the founder",
    description="All of it, in the order in which it should be decided: deadline first, then money.",
    responses=documented(HTTPStatus.FORBIDDEN),
)
async def pending_approval(request: Caller, tx: NamedDependency[Transaction]) -> Page[Approval]:
    reading = await read_for(request, tx)
    if request.auth.rol in DECIDERS:
        await mark_shown(tx, [approval.id for approval in reading.waiting], request.auth)
    return Page(reading.waiting)


@post(
    "/approve/{ticket_id:uuid}",
    status_code=HTTPStatus.OK,
    tags=TAGS,
    summary="Approve what waits on a ticket",
    description="The same as `POST /tickets/{id}/approve`.",
    responses=_REFUSALS,
)
async def approve(
    request: Caller,
    tx: NamedDependency[Transaction],
    ticket_id: FromPath[UUID],
    data: JSONBody[DecisionBody | None] = None,
) -> Approval:
    return await decide_on_ticket(request, tx, ticket_id, "approve", data or DecisionBody())


@post(
    "/reject/{ticket_id:uuid}",
    status_code=HTTPStatus.OK,
    tags=TAGS,
    summary="Reject what waits on a ticket",
    description="The same as `POST /tickets/{id}/reject`.",
    responses=_REFUSALS,
)
async def reject(
    request: Caller,
    tx: NamedDependency[Transaction],
    ticket_id: FromPath[UUID],
    data: JSONBody[DecisionBody | None] = None,
) -> Approval:
    return await decide_on_ticket(request, tx, ticket_id, "reject", data or DecisionBody())


@get(
    "/copilot-brief",
    tags=TAGS,
    summary="What a founder should know of a day",
    description="Written by rules from ledger facts; every sentence names its sources. Without `day`: today, in the "
    "company's zone.",
    responses=documented(HTTPStatus.FORBIDDEN),
)
async def copilot_brief(
    request: Caller, tx: NamedDependency[Transaction], day: FromQuery[date | None] = None
) -> CopilotBrief:
    reading = await read_for(request, tx)
    since = midnight(reading.formats)
    if day is not None:
        since = since.replace(year=day.year, month=day.month, day=day.day)
        if not on_calendar(since):
            raise Invalid("day lies before the year 1900 or after 8999")
    waiting = [approval.id for approval in reading.waiting] if since == midnight(reading.formats) else []
    until = since + timedelta(days=1)
    facts = await read_facts(tx, reading.figures, since=since, until=until, waiting=waiting)
    briefs: dict[Language, Brief] = {
        language: say(facts, naming.words, naming.formats) for language, naming in reading.namings.items()
    }
    pairs = zip(briefs["id"].sentences, briefs["en"].sentences, strict=True)
    return CopilotBrief(
        day=since.date(),
        made_at=briefs["en"].made_at,
        written_by=briefs["en"].written_by,
        events_read=briefs["en"].events_read,
        sentences=tuple(
            BriefSentence(
                one.code, {"id": one.text, "en": other.text}, tuple(source.event_id for source in one.sources), one.n
            )
            for one, other in pairs
        ),
    )


@get(
    "/ledger/recent",
    tags=TAGS,
    summary="The newest events as sentences",
    responses=documented(HTTPStatus.FORBIDDEN),
)
async def ledger_recent(
    request: Caller,
    tx: NamedDependency[Transaction],
    after: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = 20,
) -> Page[RecentLine]:
    reading = await read_for(request, tx)
    told = {
        language: await story.recent(tx, naming, after=after, limit=limit)
        for language, naming in reading.namings.items()
    }
    lines, cursor = told["en"]
    items = tuple(
        RecentLine(event_id=en.event_id, type=en.type, occurred_at=en.at, text={"id": idn.text, "en": en.text})
        for en, idn in zip(lines, told["id"][0], strict=True)
    )
    return Page(items, cursor)


API_ROUTES: tuple[Any, ...] = (
    Router(
        "/console",
        route_handlers=[
            summary,
            pending_approval,
            copilot_brief,
            ledger_recent,
            *copilot_http.API,
            *money_http.API,
            *push_http.ROUTES,
            Router("/", route_handlers=[approve, reject], parameters=KEYED),
        ],
    ),
    Router("/", route_handlers=[*tokens_http.ROUTES], parameters=KEYED),
)
PAGE_ROUTES: tuple[Any, ...] = (
    *pages.ROUTES,
    *copilot_pages.ROUTES,
    *records.ROUTES,
    *money_pages.ROUTES,
    *evidence_pages.ROUTES,
    *money_settings_pages.ROUTES,
    *revenue_pages.ROUTES,
    *payment_pages.ROUTES,
    *actions.ROUTES,
    *worker_pages.ROUTES,
    *amending_pages.ROUTES,
    *composing.ROUTES,
    *hiring_pages.ROUTES,
    *editing_pages.ROUTES,
    *batch_pages.ROUTES,
    *rule_pages.ROUTES,
    *backtest_pages.ROUTES,
    *preferences.ROUTES,
    *company_pages.ROUTES,
    *key_pages.ROUTES,
    *channel_pages.ROUTES,
    *hook_http.ROUTES,
    *people_pages.ROUTES,
    *quorum_pages.ROUTES,
    *server_pages.ROUTES,
    *secret_pages.ROUTES,
    *first_steps.ROUTES,
    *doors.ROUTES,
    *files.ROUTES,
)
