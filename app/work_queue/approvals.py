"""Questions to the founder: raised, shown, withdrawn, expired, and used once when approved."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from app.canon.approval import ApprovalClaims, ApprovalReader, ProofRefused
from app.canon.canonical_json import canonical_bytes, digest
from app.canon.errors import Invalid
from app.canon.vocabulary import Principal, new_id
from app.governance_ledger import Event, Page, append, append_about, keep_evidence
from app.messages import ApprovalDecided, ApprovalRaised
from app.postgres import Transaction
from app.work_queue import store
from app.work_queue.agreeing import with_quorum
from app.work_queue.cursors import read_cursor, write_cursor
from app.work_queue.delivery import publish
from app.work_queue.errors import ApprovalUnknown, ApprovalUnusable
from app.work_queue.model import Approval, ApprovalKind, ApprovalStatus, NewApproval, Vote
from app.work_queue.personal import recipient_of_ticket

SYSTEM = "system:work_queue"
_ANEW = "asked anew with other contents"
_LIST = "approvals"


def subject(approval: Approval) -> str:
    return f"work_queue.approvals/{approval.id}"


def event_of(
    approval: Approval, what: str, *, actor: str, at: datetime, subjects: Sequence[str] = (), **data: object
) -> Event:
    """`approval.<what>` with all that evaluating needs later: act, money, and when it was raised, shown and opened."""
    money = approval.money and {"minor": str(approval.money.minor), "currency": approval.money.currency}
    said: dict[str, object] = {
        "approval_id": str(approval.id),
        "kind": approval.kind,
        "tier": str(approval.tier),
        "status": approval.status,
        "quorum": approval.quorum,
        "tool": approval.tool,
        "role_id": approval.role_id and str(approval.role_id),
        "role_version": approval.role_version,
        "act_digest": approval.act_digest,
        "payload_digest": approval.payload_digest,
        "money": money,
        "raised_by": approval.raised_by,
        "raised_at": approval.raised_at.isoformat(),
        "expires_at": approval.expires_at.isoformat(),
        "shown_at": approval.shown_at and approval.shown_at.isoformat(),
        "opened_at": approval.opened_at and approval.opened_at.isoformat(),
    }
    return Event(
        type=f"approval.{what}",
        actor=actor,
        subjects=(subject(approval), *subjects),
        ticket_id=approval.ticket_id,
        run_id=approval.run_id,
        step=approval.step,
        data=said | data,
        occurred_at=at,
    )


async def announce(tx: Transaction, approval: Approval, *, after_seconds: float = 0) -> None:
    """Tell who waits for this approval that it is no longer pending, once `after_seconds` are over."""
    message = ApprovalDecided(tx.tenant, approval.id, approval.run_id, approval.ticket_id)
    await publish(tx, message, after_seconds=after_seconds)


async def raise_approval(tx: Transaction, new: NewApproval) -> Approval:
    """Ask the founder. Event `approval.raised`, message `ApprovalRaised`, in the caller's transaction.

    Asking the same of the same step again returns the pending approval; asking something else for that step, or naming
    the question that it `replaces`, supersedes it. The company's quorum is added to what it wants. Raises `Invalid`
    when it would expire at once, `NotCanonical` for a payload without a byte form.
    """
    new = await with_quorum(tx, new)
    at = await store.now(tx)
    approval = _pending(new, at)
    if approval.expires_at <= at:
        raise Invalid("expires_at is not in the future")
    before = await _pending_of_step(tx, new)
    if before is not None and before.payload_digest == approval.payload_digest:
        return before
    if before is not None:
        approval = msgspec.structs.replace(approval, replaces=before.id)
        await withdraw(tx, before.id, _ANEW, actor=new.actor, superseded_by=approval.id)
    await store.insert_approval(tx, approval)
    await _record_raised(tx, approval, new)
    await publish(tx, ApprovalRaised(tx.tenant, approval.id))
    return approval


async def _record_raised(tx: Transaction, approval: Approval, new: NewApproval) -> None:
    """The payload is evidence, in the bytes whose digest is signed: an auditor sees what the founder saw."""
    payload = canonical_bytes(approval.payload)
    recipient = await recipient_of_ticket(tx, approval.ticket_id)
    shown = await keep_evidence(tx, payload, media_type="application/json", name="payload.json", subject=recipient)
    event = event_of(approval, "raised", actor=new.actor, at=approval.raised_at, undo_seconds=new.undo_seconds)
    if approval.replaces is not None:
        event = _linked(event, replaces=approval.replaces)
    await append(tx, msgspec.structs.replace(event, evidence=(shown,)))


def _linked(event: Event, **links: UUID) -> Event:
    return msgspec.structs.replace(event, data=event.data | {name: str(link) for name, link in links.items()})


async def _pending_of_step(tx: Transaction, new: NewApproval) -> Approval | None:
    if new.replaces is not None:
        return await get_approval(tx, new.replaces)
    if new.run_id is None:
        return None
    where = {"run_id": new.run_id, "step": new.step, "kind": new.kind}
    return next(iter(await store.fetch_approvals(tx, where, statuses=("pending",))), None)


def _pending(new: NewApproval, at: datetime) -> Approval:
    return Approval(
        id=new_id(),
        version=1,
        kind=new.kind,
        status="pending",
        tier=new.tier,
        quorum=new.quorum,
        ticket_id=new.ticket_id,
        run_id=new.run_id,
        step=new.step,
        role_id=new.role_id,
        role_version=new.role_version,
        tool=new.tool,
        act_digest=new.act_digest,
        payload_digest=digest(new.payload),
        payload=new.payload,
        money=new.money,
        undo_seconds=new.undo_seconds,
        raised_by=new.actor,
        raised_at=at,
        expires_at=new.expires_at,
        frozen_at=None,
        shown_at=None,
        opened_at=None,
        decided_at=None,
        effective_at=None,
        decided_by=None,
        reason="",
        signature=None,
        consumed_at=None,
        replaces=new.replaces,
        apart=new.apart,
    )


async def get_approval(tx: Transaction, approval_id: UUID) -> Approval:
    """Raises `ApprovalUnknown`."""
    approval = await store.fetch_approval(tx, approval_id)
    if approval is None:
        raise ApprovalUnknown(approval_id)
    return approval


async def get_approvals(tx: Transaction, ids: Sequence[UUID]) -> tuple[Approval, ...]:
    """Those of them that there are, in any order."""
    return tuple(await store.fetch_by_ids(tx, ids)) if ids else ()


async def list_approvals(
    tx: Transaction,
    *,
    status: ApprovalStatus | None = None,
    kind: ApprovalKind | None = None,
    ticket_id: UUID | None = None,
    run_id: UUID | None = None,
    role_id: UUID | None = None,
    after: str | None = None,
    limit: int = 50,
) -> Page[Approval]:
    """Newest first; a page of at most `limit`, from the cursor `after` on. Raises `CursorUnknown`."""
    approvals = await store.fetch_approvals(
        tx,
        {"kind": kind, "ticket_id": ticket_id, "run_id": run_id, "role_id": role_id},
        statuses=() if status is None else (status,),
        before=None if after is None else read_cursor(_LIST, after),
        limit=limit + 1,
    )
    return store.page(approvals, limit, lambda last: write_cursor(_LIST, last))


async def pending_of_ticket(tx: Transaction, ticket_id: UUID) -> tuple[Approval, ...]:
    """All that waits for a decision on the ticket, oldest first."""
    found = await store.fetch_approvals(tx, {"ticket_id": ticket_id}, statuses=("pending",))
    return tuple(reversed(found))


async def pending_alike(tx: Transaction, act_digest: str) -> tuple[Approval, ...]:
    """All pending approvals of this act, oldest first: they share one card."""
    found = await store.fetch_approvals(tx, {"act_digest": act_digest}, statuses=("pending",))
    return tuple(reversed(found))


async def rejected_before(tx: Transaction, ticket_id: UUID, act_digest: str) -> Approval | None:
    """The newest rejection of this act in this ticket: it is not asked again."""
    where = {"ticket_id": ticket_id, "act_digest": act_digest}
    return next(iter(await store.fetch_approvals(tx, where, statuses=("rejected",), limit=1)), None)


async def votes_of(tx: Transaction, approval_id: UUID) -> tuple[Vote, ...]:
    """Every signed decision on the approval, oldest first, those taken back too."""
    return await store.fetch_votes(tx, approval_id)


async def withdraw(
    tx: Transaction,
    approval_id: UUID,
    reason: str,
    *,
    actor: str = SYSTEM,
    superseded: bool = False,
    superseded_by: UUID | None = None,
) -> Approval:
    """Take the question back: nobody needs to decide it any more, or (`superseded`) another one stands in its place,
    which `superseded_by` names where it is known already.

    Does nothing to an approval that is rejected, expired, used or withdrawn. Event `approval.withdrawn` or
    `approval.superseded`; who waits is told at once. Raises `ApprovalUnknown`.
    """
    approval = await store.lock_approval(tx, approval_id)
    if approval is None:
        raise ApprovalUnknown(approval_id)
    to: ApprovalStatus = "superseded" if superseded or superseded_by is not None else "withdrawn"
    if approval.status not in ("pending", "approved") or approval.consumed_at is not None:
        return approval
    at = await store.now(tx)
    closed = await store.update_approval(
        tx, approval, status=to, reason=reason, frozen_at=None, superseded_by=superseded_by
    )
    event = event_of(closed, to, actor=actor, at=at, reason=reason)
    event = event if superseded_by is None else _linked(event, superseded_by=superseded_by)
    await append_about(tx, event, await recipient_of_ticket(tx, closed.ticket_id))
    await announce(tx, closed)
    return closed


async def expire(tx: Transaction, approval_id: UUID) -> Approval:
    """Close an approval that nobody decided in time: `expired`, which is not `rejected`. Event `approval.expired`.

    Does nothing unless it is pending, due and not frozen. Raises `ApprovalUnknown`.
    """
    approval = await store.lock_approval(tx, approval_id)
    if approval is None:
        raise ApprovalUnknown(approval_id)
    at = await store.now(tx)
    if not approval.overdue(at):
        return approval
    closed = await store.update_approval(tx, approval, status="expired")
    await append(tx, event_of(closed, "expired", actor=SYSTEM, at=at))
    await announce(tx, closed)
    return closed


async def mark_shown(tx: Transaction, approval_ids: Sequence[UUID], by: Principal) -> int:
    """Note when the cards first stood on the founder's screen (event `approval.shown`); how many were new."""
    return await _mark(tx, approval_ids, by, opened=False)


async def mark_opened(tx: Transaction, approval_ids: Sequence[UUID], by: Principal) -> int:
    """Note when the founder first opened the cards (event `approval.opened`); how many were new."""
    return await _mark(tx, approval_ids, by, opened=True)


async def _mark(tx: Transaction, approval_ids: Sequence[UUID], by: Principal, *, opened: bool) -> int:
    if not approval_ids:
        return 0
    at = await store.now(tx)
    marked = await store.mark(tx, approval_ids, at, opened=opened)
    if marked:
        event = Event(
            type="approval.opened" if opened else "approval.shown",
            actor=by.actor,
            subjects=tuple(f"work_queue.approvals/{approval_id}" for approval_id in marked),
            data={"approval_ids": [str(approval_id) for approval_id in marked]},
            occurred_at=at,
        )
        await append(tx, event)
    return len(marked)


async def consume(tx: Transaction, approval_id: UUID, *, payload_digest: str, reader: ApprovalReader) -> Approval:
    """Use an approval, once, for the act whose payload digest is given. Call it in the transaction of the act.

    It must be approved, in effect (undo window over), and signed over exactly this payload, by as many people as must
    agree; each signature is verified again. The caller's own event must name `work_queue.approvals/<id>`. Raises
    `ApprovalUnknown`, `ApprovalUnusable`.
    """
    approval = await store.lock_approval(tx, approval_id)
    if approval is None:
        raise ApprovalUnknown(approval_id)
    at = await store.now(tx)
    _check_usable(approval, at)
    _check_signature(tx, approval, approval.signature or "", payload_digest, reader)
    await _check_quorum(tx, approval, payload_digest, reader)
    return await store.update_approval(tx, approval, consumed_at=at)


def _check_usable(approval: Approval, at: datetime) -> None:
    if approval.status != "approved":
        raise ApprovalUnusable(f"the approval is {approval.status}")
    if approval.consumed_at is not None:
        raise ApprovalUnusable("the approval was used already")
    if not approval.in_effect(at):
        raise ApprovalUnusable("the founder can still undo the approval")


def _check_signature(
    tx: Transaction, approval: Approval, token: str, payload_digest: str, reader: ApprovalReader
) -> ApprovalClaims:
    """What was signed, when it is an approval of exactly this."""
    try:
        claims = reader.read(token)
    except ProofRefused as error:
        raise ApprovalUnusable(str(error)) from error
    signed = (claims.tid, claims.approval, claims.decision, claims.payload_digest)
    if signed != (str(tx.tenant), str(approval.id), "approve", payload_digest):
        raise ApprovalUnusable("what would be done is not what was approved")
    if digest(approval.payload) != payload_digest or claims.act_digest != approval.act_digest:
        raise ApprovalUnusable("the approval was changed after it was signed")
    return claims


async def _check_quorum(tx: Transaction, approval: Approval, payload_digest: str, reader: ApprovalReader) -> None:
    """The status alone says nothing: whoever may write it could take one signature of two for both."""
    if approval.quorum == 1:
        return
    votes = [vote for vote in await store.fetch_votes(tx, approval.id) if vote.undone_at is None]
    agreed = {_check_signature(tx, approval, vote.signature, payload_digest, reader).sub for vote in votes}
    if len(agreed) < approval.quorum:
        raise ApprovalUnusable(f"{len(agreed)} of the {approval.quorum} people who must agree have signed")
