"""The same event offered twice is one event: how a caller that heard no answer may ask again."""

from uuid import UUID

import asyncpg

from app.canon.errors import Conflict
from app.governance_ledger.appending import append
from app.governance_ledger.model import Event, Receipt, RecordedEvent
from app.governance_ledger.reading import read_event
from app.postgres import Transaction


async def append_once(tx: Transaction, event: Event, event_id: UUID) -> Receipt:
    """Append under an id of the caller's choice; a repetition gets the first receipt.

    Raises `Conflict` when that id stands for another event.
    """
    try:
        async with tx.savepoint():
            return await append(tx, event, event_id=event_id)
    except asyncpg.UniqueViolationError:
        return await _receipt_of(tx, event, event_id)


async def append_new(tx: Transaction, event: Event, event_id: UUID) -> bool:
    """Append under an id of the caller's choice; False when that id stands already, whatever it says."""
    try:
        async with tx.savepoint():
            await append(tx, event, event_id=event_id)
    except asyncpg.UniqueViolationError:
        return False
    return True


def same_or_conflict(receipt: Receipt, before: Event | RecordedEvent, event: Event) -> Receipt | Conflict:
    """The first event's receipt, when `event` says what `before` says."""
    if _said(before) != _said(event):
        return Conflict("this idempotency key was used for another event")
    return receipt


async def _receipt_of(tx: Transaction, event: Event, event_id: UUID) -> Receipt:
    before = await read_event(tx, event_id)
    outcome = same_or_conflict(Receipt(before.event_id, before.leaf, before.xid, before.recorded_at), before, event)
    if isinstance(outcome, Conflict):
        raise outcome
    return outcome


def _said(event: Event | RecordedEvent) -> tuple[object, ...]:
    return event.type, event.data, event.ticket_id, event.run_id
