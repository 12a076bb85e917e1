"""What a founder does at the console: plain form posts, each one use case. Our script takes a piece, others a page."""

from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath, FromQuery
from litestar.response import Redirect

from app.canon.approval import Decision, PasskeyProof, ProofVerifier, VerifiedProof
from app.canon.canonical_json import canonical_bytes
from app.canon.errors import Conflict, Fault, Forbidden, Invalid
from app.founder_console.inbox import card_of
from app.founder_console.visits import Caller, Visit, as_uuid, enter, go
from app.postgres import Transaction
from app.role_registry import get_role, pause, pause_all, resume, resume_all
from app.work_queue import (
    Approval,
    ApprovalClosed,
    NewTicket,
    ProofMismatch,
    ProofRequired,
    TicketPatch,
    attach_input,
    decide,
    get_approval,
    offer,
    open_ticket,
    patch_ticket,
    prove,
    undo,
)

Page = Response[bytes]
Form = Annotated[dict[str, Any], Body(media_type=RequestEncodingType.URL_ENCODED)]
Files = Annotated[dict[str, Any], Body(media_type=RequestEncodingType.MULTI_PART)]


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
        raise Conflict(visit.words("notice.key_text"))
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
    except (Conflict, Forbidden, Invalid) as refusal:
        return await _refused(visit, approval_id, refusal)
    if decision == "reject" and (role_id := as_uuid(str(data.get("pause") or ""))):
        with suppress(Conflict):
            async with tx.savepoint():
                await pause(tx, role_id, visit.by)
    return await _done(visit, decided)


async def _decide(visit: Visit, approval_id: UUID, decision: Decision, data: dict[str, Any]) -> Approval:
    proof = await _proof(visit, approval_id, decision, str(data.get("proof") or ""))
    version = str(data.get("version") or "")
    return await decide(
        visit.tx,
        approval_id,
        decision,
        by=visit.by,
        signer=visit.request.app.state.approval_tokens,
        proof=proof,
        version=int(version) if version.isdigit() else None,
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
        return visit.notice(words("notice.key_wrong"), words("notice.key_wrong_text"), href=href, status=403)
    if isinstance(refusal, ApprovalClosed):
        card = card_of(await get_approval(visit.tx, approval_id), visit.naming)
        return visit.notice(words("notice.closed"), _outcome(visit, card), href=href, status=409)
    if isinstance(refusal, Conflict):
        return visit.notice(words("notice.changed"), words("notice.changed_text"), href=href, status=409)
    return visit.notice(words("notice.refused"), str(refusal), href=href, status=403)


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


@post("/workers/{role_id:uuid}/pause", status_code=303, include_in_schema=False)
async def pause_worker(request: Caller, tx: NamedDependency[Transaction], role_id: FromPath[UUID]) -> Redirect:
    await pause(tx, role_id, (await enter(request, tx)).by)
    return go(f"/workers/{role_id}")


@post("/workers/{role_id:uuid}/resume", status_code=303, include_in_schema=False)
async def resume_worker(request: Caller, tx: NamedDependency[Transaction], role_id: FromPath[UUID]) -> Redirect:
    await resume(tx, role_id, (await enter(request, tx)).by)
    return go(f"/workers/{role_id}")


@post("/workers/pause-all", status_code=303, include_in_schema=False)
async def pause_everybody(request: Caller, tx: NamedDependency[Transaction]) -> Redirect:
    await pause_all(tx, (await enter(request, tx)).by)
    return go("/workers")


@post("/workers/resume-all", status_code=303, include_in_schema=False)
async def resume_everybody(request: Caller, tx: NamedDependency[Transaction]) -> Redirect:
    await resume_all(tx, (await enter(request, tx)).by)
    return go("/workers")


class Draft(msgspec.Struct, frozen=True):
    """A ticket as typed, shown again when it cannot be opened."""

    title: str = ""
    instructions: str = ""
    role_id: str = ""
    priority: int = 3
    due_at: str = ""


async def composer(visit: Visit, draft: Draft, problem: str = "", status: int = 200) -> Page:
    """The form for a new ticket."""
    active = [role for role in visit.roles if role.status in ("active", "paused")]
    workers = [{"id": role.id, "name": role.name, "job": visit.naming.job(role.id)} for role in active]
    return visit.page(
        "ticket_new.html",
        tab="workers",
        status=status,
        title=visit.words("ticket.new"),
        draft=draft,
        problem=problem,
        workers=workers,
    )


@get("/tickets/new", include_in_schema=False)
async def compose(request: Caller, tx: NamedDependency[Transaction], role: FromQuery[str] = "") -> Page:
    """An empty form, for a role where one was named."""
    return await composer(await enter(request, tx), Draft(role_id=role))


@post("/tickets", status_code=303, include_in_schema=False)
async def new_ticket(request: Caller, tx: NamedDependency[Transaction], data: Files) -> Page | Redirect:
    """Open a ticket with its files; work starts once they are attached."""
    visit = await enter(request, tx)
    draft = _draft(data)
    try:
        new = await _new(visit, draft, asks=bool(data.get("approval_required")))
        async with tx.savepoint():
            opened = await open_ticket(tx, new, actor=visit.by.actor, founder_wrote=True)
            await _attach(visit, opened.id, data)
    except (Conflict, Invalid) as refusal:
        return await composer(visit, draft, str(refusal), status=422)
    return go(f"/tickets/{opened.id}")


def _draft(data: dict[str, Any]) -> Draft:
    priority = str(data.get("priority") or "3")
    return Draft(
        title=str(data.get("title") or "").strip(),
        instructions=str(data.get("instructions") or "").strip(),
        role_id=str(data.get("role_id") or ""),
        priority=int(priority) if priority in ("1", "2", "3", "4") else 3,
        due_at=str(data.get("due_at") or ""),
    )


async def _new(visit: Visit, draft: Draft, *, asks: bool) -> NewTicket:
    words = visit.words
    if not 0 < len(draft.title) <= 200:
        raise Invalid(words("ticket.problem.title"))
    if not 0 < len(draft.instructions) <= 20_000:
        raise Invalid(words("ticket.problem.instructions"))
    role_id = as_uuid(draft.role_id)
    if role_id is not None:
        await get_role(visit.tx, role_id)
    return NewTicket(
        draft.title,
        draft.instructions,
        role_id=role_id,
        priority=draft.priority,
        approval_required=asks,
        due_at=_due(visit, draft.due_at),
    )


def _due(visit: Visit, text: str) -> datetime | None:
    """A local time of the company's zone, as the browser's own field gives it."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=visit.formats.zone)
    except ValueError:
        raise Invalid(visit.words("ticket.problem.due")) from None


async def _attach(visit: Visit, ticket_id: UUID, data: dict[str, Any]) -> None:
    given = data.get("files")
    files = given if isinstance(given, list) else [given]
    for file in files:
        if not isinstance(file, UploadFile) or not file.filename:
            continue
        await attach_input(
            visit.tx,
            ticket_id,
            name=file.filename,
            media_type=file.content_type or "application/octet-stream",
            content=await file.read(),
            trusted=bool(data.get("trusted")),
            actor=visit.by.actor,
        )


@post("/tickets/{ticket_id:uuid}/cancel", status_code=303, include_in_schema=False)
async def cancel_ticket(
    request: Caller, tx: NamedDependency[Transaction], ticket_id: FromPath[UUID], data: Form
) -> Redirect:
    visit = await enter(request, tx)
    version = str(data.get("version") or "0")
    patch = TicketPatch(version=int(version) if version.isdigit() else 0, cancel=True)
    await patch_ticket(tx, ticket_id, patch, actor=visit.by.actor)
    return go(f"/tickets/{ticket_id}")


ROUTES = (
    statement,
    decide_card,
    undo_card,
    pause_worker,
    resume_worker,
    pause_everybody,
    resume_everybody,
    compose,
    new_ticket,
    cancel_ticket,
)
