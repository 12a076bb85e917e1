"""The console's pages: read, render. Nothing here changes the company; that a card was seen is noted."""

from datetime import timedelta
from uuid import UUID

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from app.canon.vocabulary import Money
from app.founder_console.cards import story
from app.founder_console.cards.inbox import Card, card_of
from app.founder_console.cards.story import NOISE, row_of
from app.founder_console.channels.escalating import ladder_of
from app.founder_console.copilot.pages import look
from app.founder_console.deciding.backgrounds import history_of, with_precedents
from app.founder_console.first_steps import first_steps
from app.founder_console.money import scorecard
from app.founder_console.naming import Line, as_uuid
from app.founder_console.readings import midnight
from app.founder_console.visits import Caller, Visit, enter
from app.postgres import Transaction
from app.work_queue import (
    get_approval,
    list_approvals,
    list_tickets,
    mark_opened,
    mark_shown,
)

Page = Response[bytes]
LIST = 25
FEW = 5


@get("/", include_in_schema=False)
async def today(request: Caller, tx: NamedDependency[Transaction]) -> Page:
    """What needs the founder, what happened, how it stands."""
    visit = await enter(request, tx)
    working = [*(await list_tickets(tx, status="working", limit=5)).items]
    working += (await list_tickets(tx, status="open", limit=5)).items
    lines, _ = await story.recent(tx, visit.naming, limit=60)
    await mark_shown(tx, [card.id for card in visit.cards[:1]], visit.by)
    return visit.page(
        "today.html",
        tab="today",
        title=visit.words("tab.today"),
        state=await _state(visit, len(working)),
        urgent=(await with_precedents(visit, visit.cards[:1]))[0] if visit.cards else None,
        steps=await first_steps(visit),
        latest=await _latest(visit),
        workers=visit.roles,
        seen=await look(visit),
        tiles=await scorecard.tiles(visit.figures, visit.naming, in_work=len(working), currency=visit.company.currency),
        working=[row_of(ticket, visit.naming) for ticket in working[:5]],
        recent=[line for line in lines if not line.type.startswith(NOISE)][:5],
    )


async def _state(visit: Visit, working: int) -> str:
    words = visit.words
    parts = [words("state.waiting", n=len(visit.cards)) if visit.cards else words("state.calm")]
    if working:
        parts.append(words("state.working", n=working))
    failed = (await list_tickets(visit.tx, status="failed", limit=20)).items
    since = midnight(visit.formats)
    stuck = sum(ticket.closed_at is not None and ticket.closed_at >= since for ticket in failed)
    if stuck:
        parts.append(words("state.stuck", n=stuck))
    return " · ".join(parts)


async def _latest(visit: Visit) -> Card | None:
    for approval in (await list_approvals(visit.tx, limit=10)).items:
        if approval.status != "pending":
            return card_of(approval, visit.naming)
    return None


@get("/approvals", include_in_schema=False)
async def decisions(
    request: Caller, tx: NamedDependency[Transaction], decided: FromQuery[str] = "", only: FromQuery[str] = ""
) -> Page:
    """All that waits, as cards; where there are many, those of one kind on demand."""
    visit = await enter(request, tx)
    kinds = _kinds(visit)
    shown = kinds.get(only) or visit.cards
    await mark_shown(tx, [card.id for card in shown], visit.by)
    cards = [card_of(one, visit.naming) for one in (await list_approvals(tx, limit=20)).items]
    just = as_uuid(decided)
    return visit.page(
        "approvals.html",
        tab="decisions",
        title=visit.words("tab.decisions"),
        summary=_stakes(visit),
        cards=await with_precedents(visit, shown),
        kinds=[(kind, len(cards)) for kind, cards in kinds.items()] if len(visit.cards) > FEW else [],
        only=only if kinds.get(only) else "",
        undoable=[card for card in cards if card.undo_until],
        past=[card for card in cards if not card.open and not card.undo_until],
        history=False,
        next_cursor=None,
        decided=next((card for card in cards if card.id == just and not card.open), None),
    )


def _kinds(visit: Visit) -> dict[str, tuple[Card, ...]]:
    """What waits by what is pressing about it; kinds of which there is nothing are left out."""
    tonight = midnight(visit.formats) + timedelta(days=1)
    found = {
        "due": tuple(card for card in visit.cards if card.expires_at < tonight),
        "money": tuple(card for card in visit.cards if card.money),
        "key": tuple(card for card in visit.cards if card.tier == "R2"),
    }
    return {kind: cards for kind, cards in found.items() if cards}


def _stakes(visit: Visit) -> str:
    words = visit.words
    if not visit.cards:
        return words("state.calm")
    stakes: dict[str, int] = {}
    for card in visit.cards:
        if card.money:
            stakes[card.money.currency] = stakes.get(card.money.currency, 0) + card.money.minor
    parts = [words("state.waiting", n=len(visit.cards))]
    parts += [
        words("state.stake", amount=visit.formats.money_short(Money(minor, currency)))
        for currency, minor in sorted(stakes.items())
    ]
    tonight = midnight(visit.formats) + timedelta(days=1)
    due = sum(card.expires_at < tonight for card in visit.cards)
    if due:
        parts.append(words("state.due_today", n=due))
    return " · ".join(parts)


@get("/approvals/history", include_in_schema=False)
async def history(request: Caller, tx: NamedDependency[Transaction], after: FromQuery[str | None] = None) -> Page:
    """What was decided, withdrawn or has expired."""
    visit = await enter(request, tx)
    page = await list_approvals(tx, after=after, limit=LIST)
    return visit.page(
        "approvals.html",
        tab="decisions",
        title=visit.words("decisions.history"),
        summary=visit.words("decisions.history_sum"),
        cards=(),
        kinds=[],
        only="",
        undoable=(),
        past=[card for one in page.items if not (card := card_of(one, visit.naming)).open],
        history=True,
        next_cursor=page.next_cursor,
        decided=None,
    )


@get("/approvals/{approval_id:uuid}", include_in_schema=False)
async def decision(
    request: Caller,
    tx: NamedDependency[Transaction],
    approval_id: FromPath[UUID],
    decided: FromQuery[str] = "",
    edited: FromQuery[str] = "",
) -> Page:
    """One decision with all that stands behind it."""
    visit = await enter(request, tx)
    approval = await get_approval(tx, approval_id)
    await mark_opened(tx, [approval_id], visit.by)
    card = card_of(approval, visit.naming)
    lines: tuple[Line, ...] = ()
    if approval.ticket_id:
        lines = (await story.tell(tx, approval.ticket_id, visit.naming)).steps[-8:]
    return visit.page(
        "approval.html",
        tab="decisions",
        title=card.act,
        a=(await with_precedents(visit, [card]))[0],
        befell=await history_of(visit, approval),
        ladder=await ladder_of(tx, approval),
        others=visit.cards,
        trail=tuple(reversed(lines)),
        decided=card if decided and not card.open else None,
        edited=bool(edited),
    )


ROUTES = (
    today,
    decisions,
    history,
    decision,
)
