"""What stands behind a decision: what became of others like it, and what befell this one so far. By code alone."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from app.canon.argument_names import argument_name
from app.founder_console.cards.inbox import Card
from app.founder_console.visits import Visit
from app.role_registry import Difference, Precedents, earlier, precedents_of
from app.work_queue import Approval, votes_of

MOST_CARDS = 20


class Moment(msgspec.Struct, frozen=True):
    """One thing that befell a question. `href` leads to another question."""

    at: datetime
    text: str
    href: str = ""


async def with_precedents(visit: Visit, cards: Sequence[Card]) -> tuple[Card, ...]:
    """The cards, the first of them with what became of others like them; one read for each worker and tool."""
    waiting = {approval.id: approval for approval in visit.waiting}
    read: dict[tuple[UUID | None, str | None], list[Approval]] = {}
    told = []
    for card in cards[:MOST_CARDS]:
        approval = waiting.get(card.id)
        place = (card.role_id, card.tool)
        if approval is not None and approval.kind == "tool_call" and place not in read:
            read[place] = await earlier(visit.tx, *place)
        seen = card if approval is None else _told(visit, card, approval, read.get(place, []))
        told.append(await _with_votes(visit, seen) if seen.quorum > 1 else seen)
    return (*told, *cards[MOST_CARDS:])


async def _with_votes(visit: Visit, card: Card) -> Card:
    """`1 of 2 agreed, waits for another.`"""
    agreed = sum(vote.undone_at is None and vote.decision == "approve" for vote in await votes_of(visit.tx, card.id))
    return msgspec.structs.replace(card, votes=visit.words("quorum.agreed", n=agreed, of=card.quorum))


def _told(visit: Visit, card: Card, approval: Approval, before: list[Approval]) -> Card:
    tool = visit.naming.tools.get(approval.tool or "")
    if tool is None or approval.kind != "tool_call":
        return card
    found = precedents_of(approval, before, tool)
    return msgspec.structs.replace(card, precedents=_line(visit, found), alert_precedents=bool(found.different))


def _line(visit: Visit, found: Precedents) -> str:
    """`14 like this approved · different: amount ×3, new recipient`."""
    words = visit.words
    if not found.approved + found.rejected:
        return words("prec.none")
    parts = [words("prec.approved", n=found.approved)]
    parts += [words("prec.rejected", n=found.rejected)] if found.rejected else []
    different = dict.fromkeys(_difference(visit, one) for one in found.different)
    parts += [words("prec.different", what=", ".join(different))] if different else []
    return " · ".join(parts)


def _difference(visit: Visit, one: Difference) -> str:
    label = argument_name(one.path, visit.words.language).removeprefix("the ")
    if one.kind == "amount":
        return visit.words("prec.amount", times=one.times)
    return visit.words("prec.new", what=label)


async def history_of(visit: Visit, approval: Approval) -> tuple[Moment, ...]:
    """From raised to used, oldest first."""
    words, found = visit.words, [Moment(approval.raised_at, visit.words("hist.raised"))]
    if approval.replaces is not None:
        found[0] = Moment(approval.raised_at, words("hist.replaces"), f"/approvals/{approval.replaces}")
    instants: Any = (("shown", approval.shown_at), ("opened", approval.opened_at))
    found += [Moment(at, words(f"hist.{name}")) for name, at in instants if at is not None]
    for vote in await votes_of(visit.tx, approval.id):
        who = visit.naming.person(vote.decided_by)
        how = words(f"method.{vote.method}") if words.has(f"method.{vote.method}") else vote.method
        found.append(Moment(vote.decided_at, words(f"hist.{vote.decision}", who=who, how=how)))
        if vote.undone_at is not None:
            found.append(Moment(vote.undone_at, words("hist.undone")))
    if approval.consumed_at is not None:
        found.append(Moment(approval.consumed_at, words("hist.used")))
    if approval.superseded_by is not None:
        found.append(Moment(visit.formats.now, words("hist.superseded"), f"/approvals/{approval.superseded_by}"))
    return tuple(sorted(found, key=lambda one: one.at))
