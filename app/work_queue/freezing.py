"""Expiry, and how a pause stops it: pending approvals of who is paused freeze; they do not expire."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from app.governance_ledger import Event, append
from app.postgres import Database, Transaction
from app.work_queue import store
from app.work_queue.approvals import expire

_SYSTEM = "system:work_queue"


async def tenants_with_due_approvals(database: Database) -> tuple[UUID, ...]:
    """Tenants in which an approval's time has come. Enter each with a transaction of its own, then `expire_due`."""
    async with database.pool.acquire(timeout=5) as connection:
        rows = await connection.fetch("SELECT work_queue.tenants_with_due_approvals() AS tenant")
    return tuple(row["tenant"] for row in rows)


async def expire_due(
    tx: Transaction, *, frozen_roles: Sequence[UUID] = (), all_frozen: bool = False
) -> tuple[UUID, ...]:
    """Expire what is due, and freeze instead what was raised for a role that is paused; ids of the expired."""
    if all_frozen or frozen_roles:
        at = await store.now(tx)
        roles = None if all_frozen else tuple(frozen_roles)
        await _record(tx, "frozen", await store.freeze(tx, roles, at, overdue_only=True), _SYSTEM, at)
    closed = [await expire(tx, approval_id) for approval_id in await store.fetch_overdue(tx, await store.now(tx))]
    return tuple(approval.id for approval in closed if approval.status == "expired")


async def freeze(tx: Transaction, role_id: UUID | None, *, actor: str) -> tuple[UUID, ...]:
    """Stop the expiry of all pending approvals of the role (None: of the company). Event `approval.frozen`."""
    at = await store.now(tx)
    frozen = await store.freeze(tx, None if role_id is None else (role_id,), at, overdue_only=False)
    await _record(tx, "frozen", frozen, actor, at)
    return tuple(frozen)


async def thaw(
    tx: Transaction, role_id: UUID | None, *, actor: str, still_frozen: Sequence[UUID] = ()
) -> tuple[UUID, ...]:
    """Let the expiry go on, later by as long as it was frozen. With `role_id` None for all but the roles
    `still_frozen`. Event `approval.thawed`, with each new expiry."""
    at = await store.now(tx)
    thawed = await store.thaw(tx, role_id, still_frozen, at)
    expiries = {str(approval_id): expires_at.isoformat() for approval_id, expires_at in thawed}
    await _record(tx, "thawed", [approval_id for approval_id, _ in thawed], actor, at, expires_at=expiries)
    return tuple(approval_id for approval_id, _ in thawed)


async def _record(
    tx: Transaction, what: str, approval_ids: Sequence[UUID], actor: str, at: datetime, **data: object
) -> None:
    if not approval_ids:
        return
    event = Event(
        type=f"approval.{what}",
        actor=actor,
        subjects=tuple(f"work_queue.approvals/{approval_id}" for approval_id in approval_ids),
        data={"approval_ids": [str(approval_id) for approval_id in approval_ids], **data},
        occurred_at=at,
    )
    await append(tx, event)
