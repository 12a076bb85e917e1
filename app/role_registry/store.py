"""All SQL of company, roles, versions and parties. Row-level security keeps every statement inside the tenant."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from app.canon.canonical_json import canonical_bytes
from app.canon.contract import BudgetLimit, Contract, Terms
from app.canon.vocabulary import new_id
from app.postgres import Transaction
from app.role_registry.errors import NameTaken, PartyKnown
from app.role_registry.model import Company, Party, PendingTerms, Role, RoleStatus, RoleVersion
from app.role_registry.tables import BudgetAccountRow, CompanyRow, PartyRow, RoleRow, RoleVersionRow

_ROLE = """
SELECT r.id, r.name, r.status, r.version, r.pending_approval_id, r.hired_by, r.created_at,
       r.paused_at, r.retired_at, v.terms
  FROM role_registry.ai_roles r
  LEFT JOIN role_registry.ai_role_versions v ON v.role_id = r.id AND v.version = r.version
"""

_CONTRACT = """
SELECT r.status, r.version, v.terms, v.signature,
       coalesce((SELECT c.all_paused FROM role_registry.companies c LIMIT 1), false) AS all_paused
  FROM role_registry.ai_roles r
  LEFT JOIN role_registry.ai_role_versions v ON v.role_id = r.id AND v.version = r.version
 WHERE r.id = $1
"""

_COMPANY = """
SELECT id, name, time_zone, currency, language, all_paused, created_at FROM role_registry.companies WHERE id = $1
"""

_NAME_TAKEN = """
SELECT EXISTS (
  SELECT FROM role_registry.ai_roles WHERE lower(name) = lower($1) AND id <> $2 AND status <> 'retired')
"""


class RoleRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A role as stored: what is pending is known by its approval's id alone."""

    id: UUID
    name: str
    status: RoleStatus
    version: int
    terms: Terms | None
    pending_approval_id: UUID | None
    hired_by: str
    created_at: datetime
    paused_at: datetime | None
    retired_at: datetime | None

    def with_pending(self, pending: PendingTerms | None) -> Role:
        values = msgspec.structs.asdict(self)
        del values["pending_approval_id"]
        return Role(pending=pending, **values)


@lru_cache(maxsize=512)
def read_terms(text: str) -> Terms:
    """Terms from their canonical JSON."""
    return msgspec.json.decode(text, type=Terms)


@lru_cache(maxsize=512)
def digest_of(text: str) -> str:
    """What a signature over these terms covers; a digest that stands beside them could be another's."""
    return hashlib.sha256(text.encode()).hexdigest()


async def now(tx: Transaction) -> datetime:
    """Business time, which tests can set (`clock.now()`)."""
    moment: datetime = await tx.connection.fetchval("SELECT clock.now()")
    return moment


async def insert_company(tx: Transaction, company: Company) -> bool:
    """False when the tenant has one."""
    try:
        async with tx.savepoint():
            await CompanyRow.insert(CompanyRow(tenant_id=tx.tenant, **msgspec.structs.asdict(company)))
    except asyncpg.UniqueViolationError:
        return False
    return True


async def fetch_company(tx: Transaction, *, lock: bool = False) -> Company | None:
    record = await tx.connection.fetchrow(_COMPANY + ("FOR NO KEY UPDATE" if lock else ""), tx.tenant)
    return None if record is None else Company(**record)


async def update_company(tx: Transaction, company: Company, **changes: Any) -> Company:
    await CompanyRow.update(**changes).where(CompanyRow.id == company.id)
    return msgspec.structs.replace(company, **changes)


async def insert_role(tx: Transaction, role: RoleRecord) -> None:
    """Raises `NameTaken`."""
    values = msgspec.structs.asdict(role)
    del values["terms"]
    try:
        async with tx.savepoint():
            await RoleRow.insert(RoleRow(tenant_id=tx.tenant, **values))
    except asyncpg.UniqueViolationError as error:
        raise NameTaken(role.name) from error


async def name_taken(tx: Transaction, name: str, but: UUID) -> bool:
    """Whether a role other than `but` that is not retired has this name."""
    return bool(await tx.connection.fetchval(_NAME_TAKEN, name, but))


async def fetch_role(tx: Transaction, role_id: UUID, *, lock: bool = False) -> RoleRecord | None:
    locking = " FOR NO KEY UPDATE OF r" if lock else ""
    record = await tx.connection.fetchrow(_ROLE + "WHERE r.id = $1" + locking, role_id)
    return None if record is None else _role(dict(record))


async def fetch_roles(tx: Transaction, status: RoleStatus | None) -> tuple[RoleRecord, ...]:
    """In the order of hiring."""
    records = await tx.connection.fetch(_ROLE + "WHERE $1::text IS NULL OR r.status = $1 ORDER BY r.id", status)
    return tuple(_role(dict(record)) for record in records)


async def update_role(tx: Transaction, role: RoleRecord, **changes: Any) -> RoleRecord:
    columns = {name: value for name, value in changes.items() if name != "terms"}
    await RoleRow.update(**columns).where(RoleRow.id == role.id)
    return msgspec.structs.replace(role, **changes)


async def insert_version(tx: Transaction, version: RoleVersion) -> UUID:
    """The id of the row, which the event names."""
    values = msgspec.structs.asdict(version)
    values["terms"] = canonical_bytes(msgspec.to_builtins(version.terms)).decode()
    row_id = new_id()
    await RoleVersionRow.insert(RoleVersionRow(id=row_id, tenant_id=tx.tenant, **values))
    return row_id


async def fetch_versions(tx: Transaction, role_id: UUID) -> tuple[RoleVersion, ...]:
    """Oldest first."""
    rows = await RoleVersionRow.select().where(RoleVersionRow.role_id == role_id).order_by(RoleVersionRow.version)
    return tuple(msgspec.convert({**row, "terms": read_terms(row["terms"])}, RoleVersion) for row in rows)


async def fetch_contract(tx: Transaction, role_id: UUID) -> tuple[RoleStatus, Contract | None] | None:
    """Status, and the contract when one was ever signed; None when there is no such role."""
    record = await tx.connection.fetchrow(_CONTRACT, role_id)
    if record is None:
        return None
    if record["terms"] is None:
        return record["status"], None
    contract = Contract(
        role_id=role_id,
        version=record["version"],
        terms=read_terms(record["terms"]),
        digest=digest_of(record["terms"]),
        signature=record["signature"],
        paused=record["status"] == "paused" or record["all_paused"],
    )
    return record["status"], contract


async def put_budget(tx: Transaction, role_id: UUID | None, budget: Sequence[BudgetLimit], at: datetime) -> list[UUID]:
    """Make the accounts of the role (None: the company's own) equal to `budget`; ids of those that changed."""
    owner = BudgetAccountRow.role_id.is_null() if role_id is None else BudgetAccountRow.role_id == role_id
    rows = await BudgetAccountRow.select().where(owner).order_by(BudgetAccountRow.id)
    standing = {(row["unit"], row["period"], row["currency"]): row for row in rows}
    wanted = {(limit.unit, limit.period, limit.currency or ""): limit.limit for limit in budget}
    changed: list[UUID] = []
    for key, row in standing.items():
        amount, active = wanted.get(key, row["amount"]), key in wanted
        if (amount, active) != (row["amount"], row["active"]):
            changes = {"amount": amount, "active": active, "changed_at": at}
            await BudgetAccountRow.update(**changes).where(BudgetAccountRow.id == row["id"])
            changed.append(row["id"])
    for (unit, period, currency), amount in wanted.items():
        if (unit, period, currency) not in standing:
            row_id = new_id()
            names: dict[str, Any] = {"unit": unit, "period": period, "currency": currency, "amount": amount}
            await BudgetAccountRow.insert(
                BudgetAccountRow(id=row_id, tenant_id=tx.tenant, role_id=role_id, changed_at=at, **names)
            )
            changed.append(row_id)
    return changed


async def insert_party(tx: Transaction, party: Party, signature: str) -> None:
    """Raises `PartyKnown`."""
    row = PartyRow(tenant_id=tx.tenant, signature=signature, **msgspec.structs.asdict(party))
    try:
        async with tx.savepoint():
            await PartyRow.insert(row)
    except asyncpg.UniqueViolationError as error:
        raise PartyKnown(f"{party.address} is known already") from error


async def fetch_parties(tx: Transaction) -> tuple[Party, ...]:
    rows = await PartyRow.select().where(PartyRow.removed_at.is_null()).order_by(PartyRow.id)
    return tuple(msgspec.convert(row, Party) for row in rows)


async def fetch_parties_with_signatures(tx: Transaction) -> tuple[tuple[Party, str], ...]:
    rows = await PartyRow.select().where(PartyRow.removed_at.is_null()).order_by(PartyRow.id)
    return tuple((msgspec.convert(row, Party), row["signature"]) for row in rows)


async def remove_party(tx: Transaction, party_id: UUID, at: datetime) -> Party | None:
    """The party that was removed now, if it was there."""
    parties = [party for party in await fetch_parties(tx) if party.id == party_id]
    await PartyRow.update({PartyRow.removed_at: at}).where((PartyRow.id == party_id) & PartyRow.removed_at.is_null())
    return parties[0] if parties else None


def _role(record: Mapping[str, Any]) -> RoleRecord:
    terms = record["terms"]
    return RoleRecord(**{**record, "terms": None if terms is None else read_terms(terms)})
