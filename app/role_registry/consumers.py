"""What the registry does when the work queue tells it that a question was answered, and what it sweeps."""

from collections.abc import Mapping
from uuid import UUID

import msgspec

from app.canon.approval import ApprovalReader
from app.canon.canonical_json import digest
from app.canon.contract import Terms
from app.canon.vocabulary import new_id
from app.governance_ledger import Event, append
from app.messages import ApprovalDecided, Message
from app.postgres import Database, Transaction
from app.role_registry import store
from app.role_registry.errors import PartyKnown
from app.role_registry.hiring import ask_budget_raise
from app.role_registry.model import NewParty, Party, RoleVersion
from app.role_registry.store import RoleRecord
from app.role_registry.terms import name_of
from app.work_queue import (
    CONTRACTS,
    Approval,
    Handler,
    consume,
    expire_due,
    get_approval,
    list_approvals,
    tenants_with_due_approvals,
    withdraw,
)

_SYSTEM = "system:role_registry"
_SIGNED = {"hire": "role.hired", "amend": "role.amended", "budget_raise": "budget.raised"}


async def on_approval_decided(tx: Transaction, message: ApprovalDecided, *, reader: ApprovalReader) -> None:
    """Carry out what was approved for a role or a party, or drop what was not. Idempotent; other kinds are left alone.

    Events: `role.hired`, `role.amended`, `budget.raised`, `party.added`, or `role.declined` when a hire was not
    signed and `role.amendment_dropped` when an amendment was not. A budget raise that another contract overtook is
    asked anew.
    """
    approval = await get_approval(tx, message.approval_id)
    if approval.kind == "party":
        await _add_party(tx, approval, reader)
    elif approval.kind in CONTRACTS and approval.role_id is not None:
        await _contract(tx, approval.id, approval.role_id, reader)


async def _contract(tx: Transaction, approval_id: UUID, role_id: UUID, reader: ApprovalReader) -> None:
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
    terms = msgspec.convert(used.payload["terms"], Terms)
    at = await store.now(tx)
    version = RoleVersion(
        role_id=role.id,
        version=role.version + 1,
        terms=terms,
        digest=terms.digest(),
        approval_id=used.id,
        signature=used.signature or "",
        signed_by=used.decided_by or "",
        signed_at=used.decided_at or at,
    )
    row_id = await store.insert_version(tx, version)
    pending = None if role.pending_approval_id == used.id else role.pending_approval_id
    status = "active" if role.status == "proposed" else role.status
    signed = await store.update_role(
        tx,
        role,
        status=status,
        version=version.version,
        name=terms.name,
        terms=terms,
        pending_approval_id=pending,
    )
    accounts = await store.put_budget(tx, role.id, terms.budget, at)
    event = Event(
        type=_SIGNED[used.kind],
        actor=version.signed_by,
        subjects=(
            f"role_registry.ai_roles/{role.id}",
            f"role_registry.ai_role_versions/{row_id}",
            *(f"role_registry.budget_accounts/{account}" for account in accounts),
            f"work_queue.approvals/{used.id}",
        ),
        ticket_id=used.ticket_id,
        run_id=used.run_id,
        data={
            "role_id": str(role.id),
            "name": terms.name,
            "version": version.version,
            "terms_digest": version.digest,
            "approval_id": str(used.id),
            "change": used.payload["change"],
        },
        approval=version.signature,
        occurred_at=at,
    )
    await append(tx, event)
    await _overtake(tx, signed, used)


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


async def _add_party(tx: Transaction, approval: Approval, reader: ApprovalReader) -> None:
    at = await store.now(tx)
    if approval.consumed_at is not None or approval.status != "approved" or not approval.in_effect(at):
        return
    used = await consume(tx, approval.id, payload_digest=digest(approval.payload), reader=reader)
    new = msgspec.convert(_changes(used)[0]["after"], NewParty)
    party = Party(id=new_id(), name=new.name, address=new.address, added_by=used.decided_by or "", added_at=at)
    subjects: tuple[str, ...] = (f"work_queue.approvals/{used.id}",)
    try:
        await store.insert_party(tx, party, used.signature or "")
        subjects = (f"role_registry.known_parties/{party.id}", *subjects)
    except PartyKnown:
        pass
    event = Event(
        type="party.added",
        actor=party.added_by,
        subjects=subjects,
        data={"name": party.name, "address": party.address, "approval_id": str(used.id)},
        approval=used.signature,
        occurred_at=at,
    )
    await append(tx, event)


def handlers(database: Database, reader: ApprovalReader) -> Mapping[str, Handler]:
    """Handlers by entrypoint, each with a transaction of its own. Run them before those of the rooms above, which look
    at the contracts that are made here."""

    async def approval_decided(message: Message) -> None:
        if isinstance(message, ApprovalDecided):
            async with database.transaction(message.tenant) as tx:
                await on_approval_decided(tx, message, reader=reader)

    return {"approval_decided": approval_decided}


async def sweep_approvals(database: Database) -> int:
    """Expire approvals whose time has come, in every tenant, each in a transaction of its own; how many expired.

    Those of a paused role or company freeze instead. Call it every few seconds from one or more workers.
    """
    expired = 0
    for tenant in await tenants_with_due_approvals(database):
        async with database.transaction(tenant) as tx:
            company = await store.fetch_company(tx)
            paused = [role.id for role in await store.fetch_roles(tx, "paused")]
            all_frozen = company is not None and company.all_paused
            expired += len(await expire_due(tx, frozen_roles=paused, all_frozen=all_frozen))
    return expired
