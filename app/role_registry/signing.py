"""What becomes of a contract once the founder has decided: signed and in force, or dropped."""

from datetime import datetime
from uuid import UUID

import msgspec

from app.canon.approval import ApprovalReader
from app.canon.canonical_json import digest
from app.canon.contract import Terms
from app.governance_ledger import Event, append
from app.postgres import Transaction
from app.role_registry import store
from app.role_registry.hiring import ask_budget_raise
from app.role_registry.model import RoleVersion
from app.role_registry.store import RoleRecord
from app.role_registry.terms import name_of
from app.work_queue import CONTRACTS, Approval, consume, get_approval, list_approvals, withdraw

_SYSTEM = "system:role_registry"
_SIGNED = {"hire": "role.hired", "amend": "role.amended", "budget_raise": "budget.raised"}


async def settle_contract(tx: Transaction, approval_id: UUID, role_id: UUID, reader: ApprovalReader) -> None:
    """Bring the signed terms into force once their approval is in effect, or drop them when it was not given.

    Idempotent. Events as `consumers.on_approval_decided` says.
    """
    role = await store.fetch_role(tx, role_id, lock=True)
    approval = await get_approval(tx, approval_id)
    if role is None or approval.consumed_at is not None or role.status == "retired":
        return
    if approval.status == "approved":
        if approval.in_effect(await store.now(tx)):
            await _sign(tx, role, approval, reader)
    elif approval.status != "pending":
        await _drop(tx, role, approval)


async def _sign(tx: Transaction, role: RoleRecord, approval: Approval, reader: ApprovalReader) -> None:
    if approval.role_version != role.version + 1:
        await withdraw(tx, approval.id, "another contract came into force meanwhile", superseded=True)
        return
    used = await consume(tx, approval.id, payload_digest=digest(approval.payload), reader=reader)
    at = await store.now(tx)
    version = _version_of(role, used, at)
    row_id = await store.insert_version(tx, version)
    signed = await _put_in_force(tx, role, version)
    accounts = await store.put_budget(tx, role.id, version.terms.budget, at)
    subjects = (
        f"role_registry.ai_roles/{role.id}",
        f"role_registry.ai_role_versions/{row_id}",
        *(f"role_registry.budget_accounts/{account}" for account in accounts),
        f"work_queue.approvals/{used.id}",
    )
    await append(tx, _signed_event(version, used, subjects, at))
    await _overtake(tx, signed, used)


def _version_of(role: RoleRecord, used: Approval, at: datetime) -> RoleVersion:
    terms = msgspec.convert(used.payload["terms"], Terms)
    return RoleVersion(
        role_id=role.id,
        version=role.version + 1,
        terms=terms,
        digest=terms.digest(),
        approval_id=used.id,
        signature=used.signature or "",
        signed_by=used.decided_by or "",
        signed_at=used.decided_at or at,
    )


async def _put_in_force(tx: Transaction, role: RoleRecord, version: RoleVersion) -> RoleRecord:
    return await store.update_role(
        tx,
        role,
        status="active" if role.status == "proposed" else role.status,
        version=version.version,
        name=version.terms.name,
        terms=version.terms,
        pending_approval_id=None if role.pending_approval_id == version.approval_id else role.pending_approval_id,
    )


def _signed_event(version: RoleVersion, used: Approval, subjects: tuple[str, ...], at: datetime) -> Event:
    return Event(
        type=_SIGNED[used.kind],
        actor=version.signed_by,
        subjects=subjects,
        ticket_id=used.ticket_id,
        run_id=used.run_id,
        data={
            "role_id": str(version.role_id),
            "name": version.terms.name,
            "version": version.version,
            "terms_digest": version.digest,
            "approval_id": str(used.id),
            "change": used.payload["change"],
        },
        approval=version.signature,
        occurred_at=at,
    )


async def _overtake(tx: Transaction, role: RoleRecord, signed: Approval) -> None:
    """Other pending contracts of the role build on a version that is gone; a raise is asked anew on the new one."""
    waiting = [
        approval
        for approval in (await list_approvals(tx, status="pending", role_id=role.id, limit=200)).items
        if approval.kind in CONTRACTS
    ]
    for approval in waiting:
        await withdraw(tx, approval.id, f"version {role.version} of the contract is in force now", superseded=True)
        if approval.kind == "budget_raise":
            await _ask_again(tx, role, approval)
    if role.pending_approval_id in [approval.id for approval in waiting]:
        await _forget_pending(tx, role, signed)


async def _ask_again(tx: Transaction, role: RoleRecord, before: Approval) -> None:
    terms = msgspec.convert(before.payload["terms"], Terms)
    standing = role.terms.budget if role.terms else ()
    changed = [change["field"] for change in _changes(before)]
    for line in terms.budget:
        if line not in standing and f"budget.{name_of(line)}" in changed:
            await ask_budget_raise(
                tx,
                role.id,
                line,
                str(before.payload["reason"]),
                actor=before.raised_by,
                undo_seconds=before.undo_seconds,
                ticket_id=before.ticket_id,
                run_id=before.run_id,
                step=before.step,
            )


def _changes(approval: Approval) -> list[dict[str, object]]:
    return msgspec.convert(approval.payload["change"], list[dict[str, object]])


async def _drop(tx: Transaction, role: RoleRecord, approval: Approval) -> None:
    if role.pending_approval_id != approval.id:
        return
    if role.status != "proposed":
        await _forget_pending(tx, role, approval)
        return
    at = await store.now(tx)
    await store.update_role(tx, role, status="retired", retired_at=at, pending_approval_id=None)
    await _record(tx, role, "role.declined", approval)


async def _forget_pending(tx: Transaction, role: RoleRecord, approval: Approval) -> None:
    await store.update_role(tx, role, pending_approval_id=None)
    await _record(tx, role, "role.amendment_dropped", approval)


async def _record(tx: Transaction, role: RoleRecord, what: str, approval: Approval) -> None:
    event = Event(
        type=what,
        actor=approval.decided_by or _SYSTEM,
        subjects=(f"role_registry.ai_roles/{role.id}",),
        data={
            "role_id": str(role.id),
            "name": role.name,
            "approval_id": str(approval.id),
            "status": approval.status,
            "reason": approval.reason,
        },
        occurred_at=await store.now(tx),
    )
    await append(tx, event)
