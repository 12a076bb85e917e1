"""Payments told by their providers: who may tell, and what became of each thing told.

A payment is recorded once, however often it is told: its event's id follows from company, provider and the provider's
own name for it. The body of what counted is the event's evidence. A test source never records.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID, uuid5

import asyncpg
import msgspec

from app.auth import require
from app.canon.errors import Invalid, NotFound
from app.canon.vocabulary import Principal, Rol, new_id
from app.founder_console import store
from app.founder_console.errors import SourceUnknown
from app.founder_console.money.gateways import (
    MODES,
    PROVIDERS,
    Delivery,
    Mode,
    Payment,
    Provider,
    Refused,
    read_delivery,
)
from app.governance_ledger import Event, append, append_new, keep_evidence, read_event
from app.postgres import Transaction
from app.role_registry import VaultKeys
from app.work_queue import get_ticket

Outcome: TypeAlias = Literal["recorded", "repeated", "ignored", "test", "refused"]
PAYMENTS = UUID("0f3f5c1e-0d3c-5b57-9d0b-1f6a8f0b6a43")
ONLY_VERSION = 1
MOST_REFUSED = 50
MOST_SOURCES = 20
_TICKET = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

_SOURCES = """
SELECT s.id, s.provider, s.mode, s.created_by, s.created_at, max(d.received_at) AS heard_at
  FROM founder_console.payment_sources s
  LEFT JOIN founder_console.payment_deliveries d ON d.source_id = s.id
 WHERE s.removed_at IS NULL
 GROUP BY s.id ORDER BY s.created_at
"""

_DELIVERIES = """
SELECT d.id, d.source_id, s.provider, s.mode, d.received_at, d.kind, d.outcome, d.why, d.event_id
  FROM founder_console.payment_deliveries d JOIN founder_console.payment_sources s ON s.id = d.source_id
 ORDER BY d.received_at DESC, d.id DESC LIMIT $1
"""

_INSERT = """
INSERT INTO founder_console.payment_sources (id, tenant_id, provider, mode, kid, sealed_secret, created_by, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, clock.now())
"""

_REMOVE = """
UPDATE founder_console.payment_sources SET removed_at = clock.now()
 WHERE id = $1 AND removed_at IS NULL RETURNING provider, mode
"""

_SEALED = """
SELECT provider, mode, kid, sealed_secret FROM founder_console.payment_sources WHERE id = $1 AND removed_at IS NULL
"""

_LOG = """
INSERT INTO founder_console.payment_deliveries
  (id, tenant_id, source_id, received_at, kind, outcome, why, event_id)
VALUES ($1, $2, $3, clock.now(), $4, $5, $6, $7)
"""

# What anybody may send without a key must not grow without end.
_PRUNE = """
DELETE FROM founder_console.payment_deliveries WHERE id IN (
  SELECT id FROM founder_console.payment_deliveries
   WHERE source_id = $1 AND outcome = 'refused' ORDER BY received_at DESC, id DESC OFFSET $2)
"""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Who may tell us of payments. `heard_at` is the last delivery, whatever became of it."""

    id: UUID
    provider: Provider
    mode: Mode
    created_by: str
    created_at: datetime
    heard_at: datetime | None


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery and what became of it. `why` is a key below `payments.why.` where it did not count."""

    id: UUID
    source_id: UUID
    provider: Provider
    mode: Mode
    received_at: datetime
    kind: str
    outcome: Outcome
    why: str
    event_id: UUID | None


class Heard(msgspec.Struct, frozen=True):
    """What the provider is answered."""

    outcome: Outcome
    why: str = ""


async def list_sources(tx: Transaction) -> tuple[Source, ...]:
    return tuple(msgspec.convert(dict(row), Source) for row in await tx.connection.fetch(_SOURCES))


async def list_deliveries(tx: Transaction, limit: int = 30) -> tuple[Told, ...]:
    """The newest deliveries first."""
    return tuple(msgspec.convert(dict(row), Told) for row in await tx.connection.fetch(_DELIVERIES, limit))


def path_of(tenant: UUID, source_id: UUID) -> str:
    """Where the provider delivers to."""
    return f"/hooks/payments/{tenant}/{source_id}"


async def add_source(tx: Transaction, keys: VaultKeys, *, provider: str, mode: str, secret: str, by: Principal) -> UUID:
    """Let a provider tell of payments; its secret is sealed with the vault's key, and no tool of a worker reaches it.

    Founder only. Event `payments.source_added`. Raises `Invalid`, and `Misconfigured` without a key.
    """
    require(by, Rol.FOUNDER)
    if provider not in PROVIDERS or mode not in MODES:
        raise Invalid("choose stripe, xendit or midtrans, and live or test", code="payments.provider")
    if not 8 <= len(secret) <= 500 or not secret.isascii() or not secret.isprintable():
        said = "this is no secret of a provider: copy it from the provider's dashboard"
        raise Invalid(said, code="payments.secret")
    if len(await list_sources(tx)) >= MOST_SOURCES:
        raise Invalid(
            f"there are {MOST_SOURCES} sources already: remove one first", code="payments.most", most=MOST_SOURCES
        )
    source_id = new_id()
    kid, sealed = keys.seal(tx.tenant, source_id, ONLY_VERSION, secret)
    await tx.connection.execute(_INSERT, source_id, tx.tenant, provider, mode, kid, sealed, by.actor)
    await _record(tx, "added", source_id, provider, mode, by)
    return source_id


async def remove_source(tx: Transaction, source_id: UUID, by: Principal) -> None:
    """Nothing it tells counts from now on. Event `payments.source_removed`. Raises `SourceUnknown`."""
    require(by, Rol.FOUNDER)
    row = await tx.connection.fetchrow(_REMOVE, source_id)
    if row is None:
        raise SourceUnknown("there is no such source of payments")
    await _record(tx, "removed", source_id, row["provider"], row["mode"], by)


async def _record(tx: Transaction, what: str, source_id: UUID, provider: str, mode: str, by: Principal) -> None:
    data: dict[str, object] = {"source_id": str(source_id), "provider": provider, "mode": mode}
    subjects = (f"founder_console.payment_sources/{source_id}",)
    await append(tx, Event(type=f"payments.source_{what}", actor=by.actor, subjects=subjects, data=data))


async def hear(tx: Transaction, keys: VaultKeys, source_id: UUID, headers: Mapping[str, str], body: bytes) -> Heard:
    """Check, record and log one delivery, in the caller's transaction. Raises `SourceUnknown`."""
    row = await tx.connection.fetchrow(_SEALED, source_id)
    if row is None:
        raise SourceUnknown("there is no such source of payments")
    secret = keys.open(tx.tenant, source_id, ONLY_VERSION, row["kid"], row["sealed_secret"])
    try:
        delivery = read_delivery(row["provider"], secret, headers, body, await store.now(tx))
    except Refused as refused:
        await _log(tx, source_id, "", Heard("refused", refused.code), None)
        await tx.connection.execute(_PRUNE, source_id, MOST_REFUSED)
        return Heard("refused", refused.code)
    heard, event_id = await _take(tx, row, delivery, body)
    await _log(tx, source_id, delivery.kind, heard, event_id)
    return heard


async def _log(tx: Transaction, source_id: UUID, kind: str, heard: Heard, event_id: UUID | None) -> None:
    await tx.connection.execute(_LOG, new_id(), tx.tenant, source_id, kind, heard.outcome, heard.why, event_id)


async def _take(tx: Transaction, source: asyncpg.Record, delivery: Delivery, body: bytes) -> tuple[Heard, UUID | None]:
    if delivery.mode is not None and delivery.mode != source["mode"]:
        return Heard("ignored", "mode"), None
    if not delivery.payments:
        return Heard("ignored", "kind"), None
    if source["mode"] == "test":
        return Heard("test"), None
    heard, first = Heard("repeated"), None
    for payment in delivery.payments:
        if payment.undoes and not await _stands(tx, _event_id(tx, source["provider"], payment.undoes)):
            heard = heard if heard.outcome == "recorded" else Heard("ignored", "unpaid")
            continue
        event_id = _event_id(tx, source["provider"], payment.key)
        first = first or event_id
        if await _write(tx, source["provider"], payment, body, event_id):
            heard = Heard("recorded")
    return heard, first


def _event_id(tx: Transaction, provider: str, key: str) -> UUID:
    return uuid5(PAYMENTS, f"{tx.tenant} {provider} {key}")


async def _stands(tx: Transaction, event_id: UUID) -> bool:
    try:
        await read_event(tx, event_id)
    except NotFound:
        return False
    return True


async def _write(tx: Transaction, provider: str, payment: Payment, body: bytes, event_id: UUID) -> bool:
    now = await store.now(tx)
    role_id, ticket_id = await _earned_by(tx, payment.reference)
    evidence = await keep_evidence(tx, body, media_type="application/json", name=f"{provider}.json")
    event = Event(
        type="revenue.recorded",
        actor=f"service:{provider}",
        data={
            "amount_minor": str(payment.amount.minor),
            "currency": payment.amount.currency,
            "source": provider.capitalize(),
            "description": payment.description,
            "role_id": role_id and str(role_id),
            "ticket_id": ticket_id and str(ticket_id),
            "provider": provider,
            "reference": payment.key,
        },
        evidence=(evidence,),
        occurred_at=min(payment.at or now, now),
    )
    return await append_new(tx, event, event_id)


async def _earned_by(tx: Transaction, reference: str) -> tuple[UUID | None, UUID | None]:
    """The worker of the ticket whose id stands in the payment's reference, and that ticket."""
    found = _TICKET.search(reference.lower())
    if found is None:
        return None, None
    try:
        ticket = await get_ticket(tx, UUID(found[0]))
    except NotFound:
        return None, None
    return ticket.role_id, ticket.id
