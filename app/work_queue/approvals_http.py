"""Decisions over HTTP: every approve and reject calls the one use case."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Request, Router, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from app.auth import require
from app.canon.approval import ApprovalSigner, Decision, Offer, Proof, ProofVerifier
from app.canon.vocabulary import Principal
from app.governance_ledger import Page
from app.postgres import Transaction
from app.problems import documented
from app.work_queue import approvals, deciding, undoing
from app.work_queue.batches_http import WRITES as BATCH_ROUTES
from app.work_queue.errors import NothingPending, SeveralPending
from app.work_queue.idempotency import KEYED
from app.work_queue.model import Approval, ApprovalKind, ApprovalStatus, Reason, Vote
from app.work_queue.tickets import get_ticket
from app.work_queue.wire import DECIDERS, READERS, Cursor, Limit, example

TAGS = ["approvals"]

Caller = Request[Principal, Principal, State]


class DecisionBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`version` is the one you saw. `proof` is needed to approve R2. `approval_id` names one of several on a ticket."""

    approval_id: UUID | None = None
    version: int | None = None
    reason: Reason = ""
    proof: Proof | None = None


class StatementBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    decision: Decision


_BODY = example(version=1, reason="")
_REFUSALS = documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
_NAMED = (
    "When several approvals wait on the ticket: 409 with their ids in `data.approval_ids`; name one as `approval_id`. "
)
_APPROVE = (
    "R1 needs no more than your token; R2 also your own key over the statement of `POST /approvals/{id}/statement`. "
    "Nothing is acted upon before `effective_at`, the end of the undo window. A contrary decision afterwards: 409 with "
    "what was decided. Equal pending acts of R1 are decided together."
)
_REJECT = "One tap, no key. `reason` is told to the worker, and the same act is not asked again in that ticket."


async def decide(
    request: Caller, tx: Transaction, approval_id: UUID, decision: Decision, body: DecisionBody
) -> Approval:
    """The one way from HTTP to a decision; raises what `deciding.prove` and `deciding.decide` raise."""
    signer: ApprovalSigner = request.app.state.approval_tokens
    verifier: ProofVerifier = request.app.state.proofs
    by, proof = request.auth, None
    if body.proof is not None:
        require(by, *DECIDERS)
        proof = await deciding.prove(tx, approval_id, decision, by=by, proof=body.proof, verifier=verifier)
    return await deciding.decide(
        tx, approval_id, decision, by=by, signer=signer, proof=proof, version=body.version, reason=body.reason
    )


async def decide_on_ticket(
    request: Caller, tx: Transaction, ticket_id: UUID, decision: Decision, body: DecisionBody
) -> Approval:
    """The same for the one approval that waits on the ticket, or the one that the body names.

    Raises `TicketUnknown`, `NothingPending`, `SeveralPending`, and what `decide` raises.
    """
    require(request.auth, *DECIDERS)
    await get_ticket(tx, ticket_id)
    pending = await approvals.pending_of_ticket(tx, ticket_id)
    if body.approval_id is not None:
        named = await approvals.get_approval(tx, body.approval_id)
        if named.ticket_id != ticket_id:
            raise NothingPending(ticket_id)
        return await decide(request, tx, named.id, decision, body)
    if not pending:
        raise NothingPending(ticket_id)
    if len(pending) > 1:
        raise SeveralPending(ticket_id, [approval.id for approval in pending])
    return await decide(request, tx, pending[0].id, decision, body)


@post(
    "/tickets/{ticket_id:uuid}/approve",
    status_code=HTTPStatus.OK,
    tags=["tickets"],
    summary="Approve what waits on a ticket",
    description=_NAMED + _APPROVE,
    responses=_REFUSALS,
)
async def approve_ticket(
    request: Caller,
    tx: NamedDependency[Transaction],
    ticket_id: FromPath[UUID],
    data: Annotated[DecisionBody | None, _BODY] = None,
) -> Approval:
    return await decide_on_ticket(request, tx, ticket_id, "approve", data or DecisionBody())


@post(
    "/tickets/{ticket_id:uuid}/reject",
    status_code=HTTPStatus.OK,
    tags=["tickets"],
    summary="Reject what waits on a ticket",
    description=_NAMED + _REJECT,
    responses=_REFUSALS,
)
async def reject_ticket(
    request: Caller,
    tx: NamedDependency[Transaction],
    ticket_id: FromPath[UUID],
    data: Annotated[DecisionBody | None, _BODY] = None,
) -> Approval:
    return await decide_on_ticket(request, tx, ticket_id, "reject", data or DecisionBody())


@get(
    "/approvals",
    tags=TAGS,
    summary="List approvals",
    description="Newest first. `payload` is all that is shown and signed.",
    responses=documented(HTTPStatus.FORBIDDEN),
)
async def list_approvals(
    request: Caller,
    tx: NamedDependency[Transaction],
    status: FromQuery[ApprovalStatus | None] = None,
    kind: FromQuery[ApprovalKind | None] = None,
    ticket_id: FromQuery[UUID | None] = None,
    run_id: FromQuery[UUID | None] = None,
    role_id: FromQuery[UUID | None] = None,
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[Approval]:
    require(request.auth, *READERS)
    return await approvals.list_approvals(
        tx, status=status, kind=kind, ticket_id=ticket_id, run_id=run_id, role_id=role_id, after=after, limit=limit
    )


@get(
    "/approvals/{approval_id:uuid}",
    tags=TAGS,
    summary="Read an approval",
    responses=documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND),
)
async def get_approval(request: Caller, tx: NamedDependency[Transaction], approval_id: FromPath[UUID]) -> Approval:
    require(request.auth, *READERS)
    return await approvals.get_approval(tx, approval_id)


@get(
    "/approvals/{approval_id:uuid}/decisions",
    tags=TAGS,
    summary="List the signed decisions on an approval",
    description="Oldest first, those that were undone too. `signature` is an `approval+jwt`; its keys are in "
    "`/.well-known/jwks.json`.",
    responses=documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND),
)
async def list_decisions(request: Caller, tx: NamedDependency[Transaction], approval_id: FromPath[UUID]) -> Page[Vote]:
    require(request.auth, *READERS)
    await approvals.get_approval(tx, approval_id)
    return Page(await approvals.votes_of(tx, approval_id))


@post(
    "/approvals/{approval_id:uuid}/statement",
    status_code=HTTPStatus.OK,
    tags=TAGS,
    summary="Get the statement that your key signs",
    description="Good for one decision within two minutes. Sign `challenge` (base64url of the statement's SHA-256) "
    "with your device key, or give `passkey` to the browser; send the result as `proof`.",
    responses=_REFUSALS,
)
async def get_statement(
    request: Caller,
    tx: NamedDependency[Transaction],
    approval_id: FromPath[UUID],
    data: Annotated[StatementBody, example(decision="approve")],
) -> Offer:
    verifier: ProofVerifier = request.app.state.proofs
    return await deciding.offer(tx, approval_id, data.decision, by=request.auth, verifier=verifier)


@post(
    "/approvals/{approval_id:uuid}/approve",
    status_code=HTTPStatus.OK,
    tags=TAGS,
    summary="Approve",
    description=_APPROVE,
    responses=_REFUSALS,
)
async def approve(
    request: Caller,
    tx: NamedDependency[Transaction],
    approval_id: FromPath[UUID],
    data: Annotated[DecisionBody | None, _BODY] = None,
) -> Approval:
    return await decide(request, tx, approval_id, "approve", data or DecisionBody())


@post(
    "/approvals/{approval_id:uuid}/reject",
    status_code=HTTPStatus.OK,
    tags=TAGS,
    summary="Reject",
    description=_REJECT,
    responses=_REFUSALS,
)
async def reject(
    request: Caller,
    tx: NamedDependency[Transaction],
    approval_id: FromPath[UUID],
    data: Annotated[DecisionBody | None, _BODY] = None,
) -> Approval:
    return await decide(request, tx, approval_id, "reject", data or DecisionBody())


@post(
    "/approvals/{approval_id:uuid}/undo",
    status_code=HTTPStatus.OK,
    tags=TAGS,
    summary="Take an approval back",
    description="Until `effective_at`; then it is pending again.",
    responses=_REFUSALS,
)
async def undo(request: Caller, tx: NamedDependency[Transaction], approval_id: FromPath[UUID]) -> Approval:
    return await undoing.undo(tx, approval_id, by=request.auth)


ROUTES = (
    list_approvals,
    get_approval,
    list_decisions,
    Router(
        "/",
        route_handlers=[approve_ticket, reject_ticket, get_statement, approve, reject, undo, *BATCH_ROUTES],
        parameters=KEYED,
    ),
)
