"""Contracts on their way to a signature: hiring, amending, raising a budget."""

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

import msgspec

from app.auth import require
from app.canon.canonical_json import digest
from app.canon.contract import BudgetLimit, Terms
from app.canon.tool import ToolSpec
from app.canon.vocabulary import Principal, Rol, Tier, new_id
from app.governance_ledger import Event, append
from app.postgres import Transaction
from app.role_registry import store
from app.role_registry.errors import NameTaken, NotInForce, RoleStale, RoleUnknown
from app.role_registry.model import Role
from app.role_registry.roles import get_role
from app.role_registry.servers import with_server_tools
from app.role_registry.store import RoleRecord
from app.role_registry.terms import changes, check_terms, payload_of, with_limit
from app.work_queue import (
    Approval,
    ApprovalKind,
    NewApproval,
    QuorumTooLarge,
    deciders,
    pending_alike,
    raise_approval,
    withdraw,
)

OPEN_SECONDS = 7 * 86_400


async def hire(
    tx: Transaction,
    terms: Terms,
    *,
    by: Principal,
    undo_seconds: int,
    tools: Mapping[str, ToolSpec] | None = None,
) -> Role:
    """Propose a role and ask the founder to sign it: it is `proposed` until an approval of kind `hire` (R2) is in
    effect. With `tools` the boundary is checked against them. Event `role.proposed`.

    Raises `Forbidden` (founder only), `InvalidTerms`, `NameTaken`, `QuorumTooLarge`.
    """
    require(by, Rol.FOUNDER)
    check_terms(terms, None if tools is None else await with_server_tools(tx, tools))
    await _check_enough(tx, terms)
    role = RoleRecord(
        id=new_id(),
        name=terms.name,
        status="proposed",
        version=0,
        terms=None,
        pending_approval_id=None,
        hired_by=by.actor,
        created_at=await store.now(tx),
        paused_at=None,
        retired_at=None,
    )
    await store.insert_role(tx, role)
    approval = await _ask(tx, "hire", role, terms, actor=by.actor, undo_seconds=undo_seconds)
    await store.update_role(tx, role, pending_approval_id=approval.id)
    await _record(tx, role, "proposed", by.actor, approval, name=terms.name, terms_digest=terms.digest())
    return await get_role(tx, role.id)


async def amend(
    tx: Transaction,
    role_id: UUID,
    *,
    seen_version: int,
    terms: Terms,
    by: Principal,
    undo_seconds: int,
    tools: Mapping[str, ToolSpec] | None = None,
) -> Role:
    """Ask the founder to sign new terms (kind `amend`, R2); those in force stay so until then.

    An amendment that waits already is superseded. Terms equal to those in force ask nothing. Event
    `role.amendment_proposed`. Raises `Forbidden` (founder only), `RoleUnknown`, `RoleStale`, `NotInForce`,
    `InvalidTerms`, `NameTaken`, `QuorumTooLarge`.
    """
    require(by, Rol.FOUNDER)
    role, standing = await locked_in_force(tx, role_id)
    if seen_version != role.version:
        raise RoleStale(role_id, seen_version, role.version)
    check_terms(terms, None if tools is None else await with_server_tools(tx, tools))
    if terms == standing:
        return await get_role(tx, role_id)
    await _check_enough(tx, terms)
    if await store.name_taken(tx, terms.name, role_id):
        raise NameTaken(terms.name)
    if role.pending_approval_id is not None:
        await withdraw(tx, role.pending_approval_id, "amended anew", actor=by.actor, superseded=True)
    approval = await _ask(tx, "amend", role, terms, actor=by.actor, undo_seconds=undo_seconds)
    await store.update_role(tx, role, pending_approval_id=approval.id)
    said = [change["field"] for change in changes(standing, terms)]
    await _record(tx, role, "amendment_proposed", by.actor, approval, changed=said, terms_digest=terms.digest())
    return await get_role(tx, role_id)


async def ask_budget_raise(
    tx: Transaction,
    role_id: UUID,
    line: BudgetLimit,
    reason: str,
    *,
    actor: str,
    undo_seconds: int,
    ticket_id: UUID | None = None,
    run_id: UUID | None = None,
    step: int | None = None,
) -> Approval:
    """Ask the founder for another limit of one budget line (kind `budget_raise`, R2): a new version of the contract
    in which only that line differs. Asking the same again returns the pending approval. Event `budget.raise_asked`.

    Raises `RoleUnknown`, `NotInForce`, `InvalidTerms`.
    """
    role, standing = await locked_in_force(tx, role_id)
    terms = with_limit(standing, line)
    check_terms(terms, None)
    pending = await pending_alike(tx, act_digest_of(tx, "budget_raise", role_id, terms))
    if pending:
        return pending[0]
    approval = await _ask(
        tx,
        "budget_raise",
        role,
        terms,
        actor=actor,
        undo_seconds=undo_seconds,
        reason=reason,
        ticket_id=ticket_id,
        run_id=run_id,
        step=step,
    )
    await append(
        tx,
        Event(
            type="budget.raise_asked",
            actor=actor,
            subjects=(f"work_queue.approvals/{approval.id}",),
            ticket_id=ticket_id,
            run_id=run_id,
            step=step,
            data={"role_id": str(role_id), "line": msgspec.to_builtins(line), "reason": reason},
        ),
    )
    return approval


async def _check_enough(tx: Transaction, terms: Terms) -> None:
    """Raises `QuorumTooLarge` where fewer people can decide than the role would want."""
    wanted = {tier: terms.must_agree(tier) for tier in Tier}
    if max(wanted.values()) == 1:
        return
    able = await deciders(tx)
    for tier, count in wanted.items():
        if count > able.of(tier):
            raise QuorumTooLarge(count, able.of(tier))


async def locked_in_force(tx: Transaction, role_id: UUID) -> tuple[RoleRecord, Terms]:
    """The role, locked, and the terms in force. Raises `RoleUnknown`, `NotInForce`."""
    role = await store.fetch_role(tx, role_id, lock=True)
    if role is None:
        raise RoleUnknown(role_id)
    if role.status not in ("active", "paused") or role.terms is None:
        raise NotInForce(role_id, role.status)
    return role, role.terms


def act_digest_of(tx: Transaction, kind: ApprovalKind, role_id: UUID, terms: Terms) -> str:
    return digest([kind, str(tx.tenant), str(role_id), terms.digest()])


async def _ask(
    tx: Transaction,
    kind: ApprovalKind,
    role: RoleRecord,
    terms: Terms,
    *,
    actor: str,
    undo_seconds: int,
    reason: str = "",
    ticket_id: UUID | None = None,
    run_id: UUID | None = None,
    step: int | None = None,
) -> Approval:
    expires_at = await store.now(tx) + timedelta(seconds=OPEN_SECONDS)
    version = role.version + 1
    new = NewApproval(
        kind=kind,
        tier=Tier.R2,
        act_digest=act_digest_of(tx, kind, role.id, terms),
        payload=payload_of(kind, role.id, version, role.terms, terms, reason=reason, expires_at=expires_at),
        expires_at=expires_at,
        undo_seconds=undo_seconds,
        actor=actor,
        quorum=others(role.terms, actor),
        apart=role.terms is not None and role.terms.must_agree(Tier.R2) > 1,
        ticket_id=ticket_id,
        run_id=run_id,
        step=step,
        role_id=role.id,
        role_version=version,
    )
    return await raise_approval(tx, new)


def others(standing: Terms | None, actor: str) -> int:
    """How many must agree to what changes a role. A person who asks is one of those that the contract in force wants,
    and has no vote."""
    wanted = 1 if standing is None else standing.must_agree(Tier.R2)
    return max(1, wanted - 1) if actor.startswith(("founder:", "deputy:")) else wanted


async def _record(tx: Transaction, role: RoleRecord, what: str, actor: str, approval: Approval, **data: object) -> None:
    event = Event(
        type=f"role.{what}",
        actor=actor,
        subjects=(f"role_registry.ai_roles/{role.id}", f"work_queue.approvals/{approval.id}"),
        data={"role_id": str(role.id), "approval_id": str(approval.id), "version": role.version + 1, **data},
        occurred_at=approval.raised_at,
    )
    await append(tx, event)
