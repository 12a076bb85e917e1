"""What a founder does at the console: plain form posts, each one use case. Our script takes a piece, others a page."""

from contextlib import suppress
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath
from litestar.response import Redirect

from app.canon.approval import Decision, PasskeyProof, ProofVerifier, VerifiedProof
from app.canon.canonical_json import canonical_bytes
from app.canon.errors import Conflict, Fault, Forbidden, Invalid, TooMany
from app.founder_console.cards.inbox import card_of
from app.founder_console.naming import as_uuid
from app.founder_console.visits import Caller, Visit, enter, go, seen_version
from app.postgres import Transaction
from app.role_registry import pause
from app.work_queue import (
    Approval,
    ApprovalClosed,
    ProofMismatch,
    ProofRequired,
    decide,
    get_approval,
    keep_pace,
    offer,
    prove,
    undo,
)

Page = Response[bytes]
Form = Annotated[dict[str, Any], Body(media_type=RequestEncodingType.URL_ENCODED)]


class Signing(msgspec.Struct, frozen=True):
    """What the page signs: the statement, the payload behind its digest, and the browser's options."""

    statement: dict[str, object]
    payload: str
    options: dict[str, object] | None


@post("/approvals/{approval_id:uuid}/statement", status_code=200, include_in_schema=False)
async def statement(request: Caller, tx: NamedDependency[Transaction], approval_id: FromPath[UUID]) -> Signing:
    """A statement for the passkey, with everything that the page needs to check it by itself."""
    visit = await enter(request, tx)
    verifier: ProofVerifier = request.app.state.proofs
    offered = await offer(tx, approval_id, "approve", by=visit.by, verifier=verifier)
    if offered.passkey is None:
        raise Conflict("there is no passkey here that may sign this", code="proof.no_key")
    payload = canonical_bytes((await get_approval(tx, approval_id)).payload).decode()
    return Signing(msgspec.to_builtins(offered.statement), payload, offered.passkey)


@post("/approvals/{approval_id:uuid}/decide", status_code=200, include_in_schema=False)
async def decide_card(
    request: Caller, tx: NamedDependency[Transaction], approval_id: FromPath[UUID], data: Form
) -> Page | Redirect:
    """Approve or reject. A card that changed, is decided or has expired says so in its place."""
    visit = await enter(request, tx)
    decision: Decision = "approve" if data.get("decision") == "approve" else "reject"
    try:
        async with tx.savepoint():
            decided = await _decide(visit, approval_id, decision, data)
    except (Conflict, Forbidden, Invalid, TooMany) as refusal:
        return await _refused(visit, approval_id, refusal)
    if decision == "reject" and (role_id := as_uuid(str(data.get("pause") or ""))):
        with suppress(Conflict):
            async with tx.savepoint():
                await pause(tx, role_id, visit.by)
    return await _done(visit, decided)


async def _decide(visit: Visit, approval_id: UUID, decision: Decision, data: dict[str, Any]) -> Approval:
    proof = await _proof(visit, approval_id, decision, str(data.get("proof") or ""))
    await keep_pace(visit.tx, visit.by)
    return await decide(
        visit.tx,
        approval_id,
        decision,
        by=visit.by,
        signer=visit.request.app.state.approval_tokens,
        proof=proof,
        version=seen_version(data),
        reason=str(data.get("words") or data.get("reason") or "")[:500] if decision == "reject" else "",
    )


async def _proof(visit: Visit, approval_id: UUID, decision: Decision, text: str) -> VerifiedProof | None:
    if not text:
        return None
    try:
        proof = msgspec.json.decode(text, type=PasskeyProof)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ProofMismatch("the signature cannot be read") from error
    verifier: ProofVerifier = visit.request.app.state.proofs
    return await prove(visit.tx, approval_id, decision, by=visit.by, proof=proof, verifier=verifier)


async def _done(visit: Visit, decided: Approval) -> Page | Redirect:
    if not visit.wants_fragment:
        return go(f"/approvals?decided={decided.id}")
    return visit.page("fragments/toast_only.html", approval=card_of(decided, visit.naming))


async def _refused(visit: Visit, approval_id: UUID, refusal: Fault) -> Page:
    words, href = visit.words, f"/approvals/{approval_id}"
    if isinstance(refusal, ProofRequired):
        return visit.notice(words("notice.key"), words("notice.key_text"), href=href, status=403)
    if isinstance(refusal, ProofMismatch):
        return visit.notice(words("notice.key_wrong"), visit.refused(refusal), href=href, status=403)
    if isinstance(refusal, TooMany):
        return visit.notice(words("notice.pace"), visit.refused(refusal), href=href, status=429)
    if isinstance(refusal, ApprovalClosed):
        closed = await get_approval(visit.tx, approval_id)
        if closed.superseded_by is not None:
            return await _superseded(visit, closed.superseded_by)
        card = card_of(closed, visit.naming)
        return visit.notice(words("notice.closed"), _outcome(visit, card), href=href, status=409)
    if isinstance(refusal, Conflict):
        return visit.notice(words("notice.changed"), words("notice.changed_text"), href=href, status=409)
    return visit.notice(words("notice.refused"), visit.refused(refusal), href=href, status=403)


async def _superseded(visit: Visit, successor: UUID) -> Page:
    """What stands in the card's place, and the way to it."""
    after = card_of(await get_approval(visit.tx, successor), visit.naming)
    changed = "; ".join(f"{one.field} {one.before} → {one.after}" for one in after.change) or after.act
    text = visit.words("notice.superseded_text", what=changed)
    return visit.notice(visit.words("notice.superseded"), text, href=f"/approvals/{successor}", status=409)


def _outcome(visit: Visit, card: Any) -> str:
    at = card.expires_at if card.status == "expired" else card.decided_at
    text = visit.words(f"outcome.{card.status}", at=visit.formats.moment(at) if at else "")
    return f"{text} · {card.decided_by}" if card.decided_by else text


@post("/approvals/{approval_id:uuid}/undo", status_code=200, include_in_schema=False)
async def undo_card(request: Caller, tx: NamedDependency[Transaction], approval_id: FromPath[UUID]) -> Page | Redirect:
    """Take an approval back while the server still keeps it."""
    visit = await enter(request, tx)
    try:
        async with tx.savepoint():
            undone = await undo(tx, approval_id, by=visit.by)
    except ApprovalClosed:
        words = visit.words
        return visit.notice(
            words("notice.late"), words("notice.late_text"), href=f"/approvals/{approval_id}", status=409
        )
    if not visit.wants_fragment:
        return go(f"/approvals/{undone.id}")
    return visit.page("fragments/undone.html", approval=card_of(undone, visit.naming))


ROUTES = (
    statement,
    decide_card,
    undo_card,
)
