"""Roles as they stand: read, paused, resumed, retired, and the contract that a gate asks for."""

from uuid import UUID

import msgspec

from app.auth import require
from app.canon.contract import Contract, Terms
from app.canon.vocabulary import Principal, Rol
from app.governance_ledger import Event, append
from app.messages import RoleResumed
from app.postgres import Transaction
from app.role_registry import store
from app.role_registry.errors import NotInForce, RoleMoveRefused, RoleUnknown
from app.role_registry.model import PendingTerms, Role, RoleStatus, RoleVersion, may_become
from app.role_registry.store import RoleRecord
from app.work_queue import freeze, get_approval, list_approvals, publish, thaw, withdraw


async def get_role(tx: Transaction, role_id: UUID) -> Role:
    """Raises `RoleUnknown`."""
    role = await store.fetch_role(tx, role_id)
    if role is None:
        raise RoleUnknown(role_id)
    return role.with_pending(await _pending(tx, role))


async def list_roles(tx: Transaction, *, status: RoleStatus | None = None) -> tuple[Role, ...]:
    """All roles, or those of one status, in the order of hiring."""
    return tuple([role.with_pending(await _pending(tx, role)) for role in await store.fetch_roles(tx, status)])


async def _pending(tx: Transaction, role: RoleRecord) -> PendingTerms | None:
    if role.pending_approval_id is None:
        return None
    approval = await get_approval(tx, role.pending_approval_id)
    return PendingTerms(approval.id, msgspec.convert(approval.payload["terms"], Terms))


async def active_roles(tx: Transaction) -> tuple[Role, ...]:
    """Roles that could take a ticket now."""
    return await list_roles(tx, status="active")


async def versions_of(tx: Transaction, role_id: UUID) -> tuple[RoleVersion, ...]:
    """Every contract that was ever signed for the role, oldest first. Raises `RoleUnknown`."""
    await get_role(tx, role_id)
    return await store.fetch_versions(tx, role_id)


async def contract_in_force(tx: Transaction, role_id: UUID) -> Contract:
    """The signed contract that binds the role now; `paused` when the role or the whole company is paused.

    Read anew before each act, in its transaction. Raises `RoleUnknown`, and `NotInForce` for a role that is proposed
    or retired.
    """
    found = await store.fetch_contract(tx, role_id)
    if found is None:
        raise RoleUnknown(role_id)
    status, contract = found
    if contract is None or status == "retired":
        raise NotInForce(role_id, status)
    return contract


async def pause(tx: Transaction, role_id: UUID, by: Principal) -> Role:
    """Stop the role before its next step; its pending approvals freeze. Event `role.paused`. Raises `RoleUnknown`,
    `RoleMoveRefused`."""
    require(by, Rol.FOUNDER, Rol.DEPUTY)
    role = await _locked(tx, role_id)
    if role.status != "paused":
        await _move(tx, role, "paused", by, paused_at=await store.now(tx))
        await freeze(tx, role_id, actor=by.actor)
    return await get_role(tx, role_id)


async def resume(tx: Transaction, role_id: UUID, by: Principal) -> Role:
    """Let the role go on where it stood. Event `role.resumed`, message `RoleResumed`; the expiry of its approvals goes
    on unless the company is paused. Raises `RoleUnknown`, `RoleMoveRefused`."""
    require(by, Rol.FOUNDER, Rol.DEPUTY)
    role = await _locked(tx, role_id)
    if role.status == "proposed":
        raise RoleMoveRefused(role_id, role.status, "active without a signature")
    if role.status != "active":
        await _move(tx, role, "active", by, paused_at=None)
        company = await store.fetch_company(tx)
        if company is None or not company.all_paused:
            await thaw(tx, role_id, actor=by.actor)
        await publish(tx, RoleResumed(tx.tenant, role_id))
    return await get_role(tx, role_id)


async def retire(tx: Transaction, role_id: UUID, by: Principal) -> Role:
    """End the employment for good: nothing of it is asked or done any more. Event `role.retired`.

    Raises `Forbidden` (founder only), `RoleUnknown`.
    """
    require(by, Rol.FOUNDER)
    role = await _locked(tx, role_id)
    if role.status != "retired":
        await _move(tx, role, "retired", by, retired_at=await store.now(tx), pending_approval_id=None)
        await _withdraw_all(tx, role_id, by)
    return await get_role(tx, role_id)


async def _withdraw_all(tx: Transaction, role_id: UUID, by: Principal) -> None:
    while approvals := (await list_approvals(tx, status="pending", role_id=role_id)).items:
        for approval in approvals:
            await withdraw(tx, approval.id, "the role is retired", actor=by.actor)


async def _locked(tx: Transaction, role_id: UUID) -> RoleRecord:
    role = await store.fetch_role(tx, role_id, lock=True)
    if role is None:
        raise RoleUnknown(role_id)
    return role


async def _move(tx: Transaction, role: RoleRecord, to: RoleStatus, by: Principal, **changes: object) -> None:
    if not may_become(role.status, to):
        raise RoleMoveRefused(role.id, role.status, to)
    await store.update_role(tx, role, status=to, **changes)
    event = Event(
        type="role.resumed" if to == "active" else f"role.{to}",
        actor=by.actor,
        subjects=(f"role_registry.ai_roles/{role.id}",),
        data={"role_id": str(role.id), "name": role.name, "version": role.version, "was": role.status},
        occurred_at=await store.now(tx),
    )
    await append(tx, event)
