"""Many decisions at once on the phone: choose, look at the list with its total, sign once, see what became of each."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromQuery
from litestar.response import Redirect

from app.canon.approval import Decision, PasskeyListProof
from app.canon.canonical_json import canonical_bytes
from app.canon.digits import whole_number
from app.canon.errors import Conflict, Fault
from app.canon.vocabulary import Money
from app.founder_console.cards.inbox import Card, card_of
from app.founder_console.naming import as_uuid
from app.founder_console.visits import Caller, Visit, enter, go
from app.postgres import Transaction
from app.work_queue import (
    ApprovalClosed,
    ProofMismatch,
    ProofRequired,
    Wanted,
    decide_list,
    get_approval,
    offer_list,
)

Page = Response[bytes]
Form = Annotated[dict[str, Any], Body(media_type=RequestEncodingType.URL_ENCODED)]
MOST = 20


class Outcome(msgspec.Struct, frozen=True):
    """What became of one decision of the list."""

    card: Card
    said: str
    good: bool


class ListSigning(msgspec.Struct, frozen=True):
    """What the page signs: the statement over the list, each payload behind its digest, and the browser's options."""

    statement: dict[str, object]
    payloads: dict[str, str]
    options: dict[str, object] | None


@get("/approvals/select", include_in_schema=False)
async def select(request: Caller, tx: NamedDependency[Transaction]) -> Page | Redirect:
    """What waits, to choose from."""
    visit = await enter(request, tx)
    if not visit.cards:
        return go("/approvals")
    cards = [card for card in visit.cards if not card.frozen][:MOST]
    return visit.page("approvals_select.html", tab="decisions", title=visit.words("batch.choose"), cards=cards)


@get("/approvals/batch", include_in_schema=False)
async def review(
    request: Caller,
    tx: NamedDependency[Transaction],
    item: FromQuery[list[str] | None] = None,
    decision: FromQuery[str] = "approve",
) -> Page | Redirect:
    """The list as it would be decided, each with its own switch, and what is at stake in all."""
    visit = await enter(request, tx)
    chosen = {text.partition(":")[0] for text in item or ()}
    cards = [card for card in visit.cards if str(card.id) in chosen and not card.frozen][:MOST]
    if not cards:
        return go("/approvals/select")
    return _review(visit, cards, _decision(decision))


def _decision(text: object) -> Decision:
    return "reject" if text == "reject" else "approve"


def _review(visit: Visit, cards: list[Card], decision: Decision, *, problem: str = "", status: int = 200) -> Page:
    return visit.page(
        "approvals_batch.html",
        tab="decisions",
        status=status,
        title=visit.words(f"batch.{decision}_title"),
        cards=cards,
        decision=decision,
        total=_total(visit, cards),
        keyed=decision == "approve" and any(card.tier == "R2" for card in cards),
        problem=problem,
    )


def _total(visit: Visit, cards: list[Card]) -> str:
    sums: dict[str, int] = {}
    for money in (card.money for card in cards if card.money):
        sums[money.currency] = sums.get(money.currency, 0) + money.minor
    return " · ".join(visit.formats.money(Money(minor, currency)) for currency, minor in sorted(sums.items()))


@post("/approvals/batch/statement", status_code=200, include_in_schema=False)
async def statement(request: Caller, tx: NamedDependency[Transaction], data: Form) -> ListSigning:
    """One statement over the list for the passkey, with everything that the page needs to check it by itself."""
    visit = await enter(request, tx)
    wanted = _wanted(data)
    offered = await offer_list(tx, wanted, by=visit.by, verifier=request.app.state.proofs)
    if offered.passkey is None:
        raise Conflict("there is no passkey here that may sign this", code="proof.no_key")
    payloads = {
        str(one.approval_id): canonical_bytes((await get_approval(tx, one.approval_id)).payload).decode()
        for one in wanted
    }
    return ListSigning(msgspec.to_builtins(offered.statement), payloads, offered.passkey)


def _wanted(data: dict[str, Any]) -> list[Wanted]:
    given = data.get("item") or []
    items = given if isinstance(given, list) else [given]
    decision, found = _decision(data.get("decision")), []
    for text in items:
        approval_id, _, version = str(text).partition(":")
        named = as_uuid(approval_id)
        if named is not None:
            reason = str(data.get("reason") or "")[:500]
            found.append(Wanted(named, decision, whole_number(version), reason))
    return found[:MOST]


@post("/approvals/batch", status_code=200, include_in_schema=False)
async def decide_batch(request: Caller, tx: NamedDependency[Transaction], data: Form) -> Page | Redirect:
    """Decide each of the list; one that changed meanwhile does not keep the others."""
    visit = await enter(request, tx)
    wanted = _wanted(data)
    if not wanted:
        return go("/approvals/select")
    try:
        proof = _proof(str(data.get("proof") or ""))
        async with tx.savepoint():
            results = await decide_list(
                tx,
                wanted,
                by=visit.by,
                signer=request.app.state.approval_tokens,
                verifier=request.app.state.proofs,
                proof=proof,
            )
    except ProofMismatch as refusal:
        chosen = {one.approval_id for one in wanted}
        cards = [card for card in visit.cards if card.id in chosen]
        return _review(visit, cards, _decision(data.get("decision")), problem=visit.refused(refusal), status=403)
    outcomes = [await _outcome(visit, result.approval_id, result.refused) for result in results]
    return visit.page(
        "approvals_batch_done.html",
        tab="decisions",
        title=visit.words("batch.done_title"),
        outcomes=outcomes,
        done=sum(one.good for one in outcomes),
    )


def _proof(text: str) -> PasskeyListProof | None:
    if not text:
        return None
    try:
        return msgspec.json.decode(text, type=PasskeyListProof)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ProofMismatch("the signature cannot be read") from error


async def _outcome(visit: Visit, approval_id: UUID, refused: Fault | None) -> Outcome:
    card = card_of(await get_approval(visit.tx, approval_id), visit.naming)
    words = visit.words
    if refused is None:
        return Outcome(card, words(f"batch.{card.status}" if card.status != "pending" else "toast.counted"), True)
    if isinstance(refused, ProofRequired):
        return Outcome(card, words("notice.key"), False)
    if isinstance(refused, ApprovalClosed):
        return Outcome(card, words("notice.closed"), False)
    return Outcome(card, words("notice.changed") if isinstance(refused, Conflict) else visit.refused(refused), False)


ROUTES = (select, review, statement, decide_batch)
