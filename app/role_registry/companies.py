"""The company itself: founded, changed, paused as a whole."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from app.auth import require
from app.canon.contract import BudgetLimit
from app.canon.errors import Invalid
from app.canon.vocabulary import Principal, Rol
from app.governance_ledger import Event, append
from app.messages import RoleResumed
from app.postgres import Transaction
from app.role_registry import store
from app.role_registry.errors import CompanyExists, CompanyUnknown
from app.role_registry.model import Company, CompanyPatch, Language
from app.work_queue import expire_due, freeze, publish, thaw

ROUTING_BUDGET = (
    BudgetLimit("usd_micros", "day", 1_000_000),
    BudgetLimit("tokens", "day", 500_000),
    BudgetLimit("calls", "day", 5_000),
)
"""What the company itself may spend on finding the role for a ticket that names none."""


async def create_company(
    tx: Transaction,
    *,
    name: str,
    time_zone: str = "Asia/Jakarta",
    currency: str = "IDR",
    language: Language = "id",
    actor: str,
    routing_budget: Sequence[BudgetLimit] = ROUTING_BUDGET,
) -> Company:
    """Found the tenant's company, with a budget for routing. Event `company.created`.

    Raises `CompanyExists`, `Invalid` for an unknown time zone or currency.
    """
    patch = CompanyPatch(name=name, time_zone=time_zone, currency=currency, language=language)
    _check(patch)
    at = await store.now(tx)
    made = Company(
        id=tx.tenant,
        name=name,
        time_zone=time_zone,
        currency=currency,
        language=language,
        all_paused=False,
        created_at=at,
    )
    if not await store.insert_company(tx, made):
        raise CompanyExists("this tenant has its company already")
    accounts = await store.put_budget(tx, None, routing_budget, at)
    subjects = (_subject(made), *(f"role_registry.budget_accounts/{account}" for account in accounts))
    said = msgspec.to_builtins(patch) | {"routing_budget": [msgspec.to_builtins(limit) for limit in routing_budget]}
    await append(tx, Event(type="company.created", actor=actor, subjects=subjects, data=said, occurred_at=at))
    return made


async def company(tx: Transaction) -> Company:
    """The tenant's company. Raises `CompanyUnknown`."""
    found = await store.fetch_company(tx)
    if found is None:
        raise CompanyUnknown("this tenant has no company yet: found one with `flr serve` or `flr demo`")
    return found


async def change_company(tx: Transaction, patch: CompanyPatch, by: Principal) -> Company:
    """Change name, time zone, currency or language. Founder only. Event `company.changed`. Raises `Invalid`."""
    require(by, Rol.FOUNDER)
    _check(patch)
    before = await _locked(tx)
    asked = {name: getattr(patch, name) for name in CompanyPatch.__struct_fields__}
    changes = {name: value for name, value in asked.items() if value is not None and value != getattr(before, name)}
    if not changes:
        return before
    after = await store.update_company(tx, before, **changes)
    was = {name: getattr(before, name) for name in changes}
    await _record(tx, after, "changed", by, before=was, after=changes)
    return after


async def pause_all(tx: Transaction, by: Principal) -> Company:
    """Stop every role before its next step; pending approvals freeze. Event `company.paused`."""
    require(by, Rol.FOUNDER, Rol.DEPUTY)
    found = await _locked(tx)
    if found.all_paused:
        return found
    paused = await store.update_company(tx, found, all_paused=True)
    await _record(tx, paused, "paused", by)
    await freeze(tx, None, actor=by.actor)
    return paused


async def resume_all(tx: Transaction, by: Principal) -> Company:
    """Let all roles go on that are not paused themselves. Event `company.resumed`, a `RoleResumed` for each."""
    require(by, Rol.FOUNDER, Rol.DEPUTY)
    found = await _locked(tx)
    if not found.all_paused:
        return found
    resumed = await store.update_company(tx, found, all_paused=False)
    await _record(tx, resumed, "resumed", by)
    still = [role.id for role in await store.fetch_roles(tx, "paused")]
    await thaw(tx, None, actor=by.actor, still_frozen=still)
    for role in await store.fetch_roles(tx, "active"):
        await publish(tx, RoleResumed(tx.tenant, role.id))
    return resumed


async def expire_overdue(tx: Transaction) -> int:
    """Expire the tenant's approvals whose time has come; those of who is paused freeze instead. How many expired."""
    found = await store.fetch_company(tx)
    paused = [role.id for role in await store.fetch_roles(tx, "paused")]
    return len(await expire_due(tx, frozen_roles=paused, all_frozen=found is not None and found.all_paused))


async def _locked(tx: Transaction) -> Company:
    found = await store.fetch_company(tx, lock=True)
    if found is None:
        raise CompanyUnknown("this tenant has no company yet")
    return found


async def _record(tx: Transaction, found: Company, what: str, by: Principal, **data: object) -> None:
    at = await store.now(tx)
    event = Event(type=f"company.{what}", actor=by.actor, subjects=(_subject(found),), data=data, occurred_at=at)
    await append(tx, event)


def _subject(found: Company) -> str:
    return f"role_registry.companies/{found.id}"


def _check(patch: CompanyPatch) -> None:
    if patch.time_zone is not None:
        try:
            ZoneInfo(patch.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            said = f"{patch.time_zone!r} is not an IANA time zone such as Asia/Jakarta"
            raise Invalid(said, code="company.zone", zone=patch.time_zone) from error
    try:
        msgspec.convert(msgspec.to_builtins(patch), CompanyPatch)
    except msgspec.ValidationError as error:
        raise Invalid(str(error), code="company.terms") from error
