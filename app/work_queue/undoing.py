"""Taking an approval back while its undo window is open."""

from datetime import datetime
from uuid import UUID

from app.auth import require
from app.canon.vocabulary import Principal, Rol
from app.governance_ledger import append
from app.postgres import Transaction
from app.work_queue import store
from app.work_queue.approvals import event_of
from app.work_queue.bounds import check_say
from app.work_queue.deciding import outcome_of
from app.work_queue.errors import ApprovalClosed, ApprovalUnknown
from app.work_queue.model import Approval


async def undo(tx: Transaction, approval_id: UUID, *, by: Principal) -> Approval:
    """Take an approval back before its undo window ends; with it those that were decided along by the same tap.

    It is pending again and its votes are void. Event `approval.undone`. Raises `ApprovalUnknown`, `Forbidden`,
    `BeyondMandate` for who decides here no more, `ApprovalClosed` when the window is over or nothing was approved.
    """
    require(by, Rol.FOUNDER, Rol.DEPUTY)
    await check_say(tx, by)
    locked = await store.lock_approvals(tx, approval_id, alike="approved")
    asked = next((approval for approval in locked if approval.id == approval_id), None)
    if asked is None:
        raise ApprovalUnknown(approval_id)
    at = await store.now(tx)
    if asked.status != "approved" or asked.in_effect(at) or asked.consumed_at is not None:
        raise ApprovalClosed(
            "too late: only an approval whose undo window is open can be undone",
            code="approval.undo_late",
            **outcome_of(asked, asked.status),
        )
    undone = await _reopen(tx, asked, by, at)
    for other in locked:
        if other.id != asked.id and (other.decided_at, other.decided_by) == (asked.decided_at, asked.decided_by):
            await _reopen(tx, other, by, at)
    return undone


async def _reopen(tx: Transaction, approval: Approval, by: Principal, at: datetime) -> Approval:
    votes = [vote for vote in await store.fetch_votes(tx, approval.id) if vote.undone_at is None]
    await store.undo_votes(tx, votes, at)
    pending = await store.update_approval(
        tx,
        approval,
        status="pending",
        decided_at=None,
        effective_at=None,
        decided_by=None,
        reason="",
        signature=None,
    )
    subjects = tuple(f"work_queue.approval_decisions/{vote.id}" for vote in votes)
    await append(tx, event_of(pending, "undone", actor=by.actor, at=at, subjects=subjects))
    return pending
