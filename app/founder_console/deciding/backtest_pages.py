"""A contract's changed boundary held against the worker's last 30 days: what would have gone otherwise, before it is
signed."""

from collections import Counter
from datetime import datetime
from uuid import UUID

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from app.canon.acts import act_sentence
from app.canon.contract import Terms
from app.canon.gate import call_money
from app.execution_graph import Backtest, BacktestAsked, backtest
from app.execution_graph import Change as Otherwise
from app.founder_console.cards.inbox import Card, card_of
from app.founder_console.visits import Caller, Visit, enter, go
from app.governance_ledger import keeper_of
from app.postgres import Transaction
from app.work_queue import Approval, get_approval

Page = Response[bytes]

MOST_CALLS = 400
MOST_CHANGES = 25


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One past call that would have gone otherwise. `alert` where the founder said no and nobody would ask any more."""

    act: str
    at: datetime
    then: str
    now: str
    reason: str
    alert: bool
    href: str


class Move(msgspec.Struct, frozen=True):
    """How many calls would have gone from one verdict to another."""

    then: str
    now: str
    n: int


@get("/approvals/{approval_id:uuid}/backtest", include_in_schema=False)
async def look_back(request: Caller, tx: NamedDependency[Transaction], approval_id: FromPath[UUID]) -> Page | Redirect:
    """What the card's boundary would have changed in the last 30 days. Reads only."""
    visit, approval = await enter(request, tx), await get_approval(tx, approval_id)
    card = card_of(approval, visit.naming)
    if not card.weighable or approval.role_id is None:
        return go(f"/approvals/{approval_id}")
    return _told(visit, card, await _weighed(visit, approval, approval.role_id))


async def _weighed(visit: Visit, approval: Approval, role_id: UUID) -> Backtest:
    state = visit.request.app.state
    terms = msgspec.convert(approval.payload["terms"], Terms)
    return await backtest(
        visit.tx,
        role_id,
        BacktestAsked(boundary=terms.boundary, limit=MOST_CALLS),
        tools=state.tools,
        store=state.store,
        keeper=keeper_of(state.settings.keys),
        most=MOST_CALLS,
    )


def _told(visit: Visit, card: Card, found: Backtest) -> Page:
    rows = tuple(_row(visit, one) for one in found.changes)
    return visit.page(
        "approval_backtest.html",
        tab="decisions",
        title=visit.words("lookback.title"),
        a=card,
        found=found,
        most=MOST_CALLS,
        gone=found.pruned_runs + found.erased_runs,
        moves=_moves(rows),
        alerts=sum(row.alert for row in rows),
        rows=sorted(rows, key=lambda row: not row.alert)[:MOST_CHANGES],
        inexact=found.approximated[visit.words.language],
    )


def _row(visit: Visit, one: Otherwise) -> Row:
    words, language = visit.words, visit.words.language
    tool = visit.naming.tools[one.tool]
    then = words(f"lookback.{one.before.verdict}")
    if one.before.decided is not None and words.has(f"lookback.{one.before.decided}"):
        then = words(f"lookback.{one.before.decided}")
    return Row(
        act=act_sentence(tool, one.arguments, call_money(tool, one.arguments), language),
        at=one.at,
        then=then,
        now=words(f"lookback.key.{one.after.tier}" if one.after.tier else f"lookback.{one.after.verdict}"),
        reason=one.reason[language],
        alert=one.before.decided == "rejected" and one.after.verdict == "allow",
        href=f"/ledger/{one.event_id}" if one.event_id else f"/runs/{one.run_id}",
    )


def _moves(rows: tuple[Row, ...]) -> tuple[Move, ...]:
    """The most frequent first."""
    return tuple(Move(then, now, n) for (then, now), n in Counter((row.then, row.now) for row in rows).most_common())


ROUTES = (look_back,)
