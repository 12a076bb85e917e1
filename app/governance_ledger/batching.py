"""Many events in one transaction, each accepted or refused by itself."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import TypeAlias
from uuid import UUID

import asyncpg

from app.canon.errors import Fault, Invalid
from app.canon.vocabulary import new_id
from app.governance_ledger import store
from app.governance_ledger.document import Row, row_of
from app.governance_ledger.model import Event, Receipt
from app.governance_ledger.repeating import same_or_conflict
from app.postgres import Transaction

Outcome: TypeAlias = Receipt | Fault

RACES = 5


class BatchRefused(Invalid):
    """A batch that was to be taken whole or not at all has lines that are refused; `data` names each."""

    def __init__(self, message: str, data: dict[str, object]) -> None:
        super().__init__(message)
        self.data = data


async def append_batch(tx: Transaction, given: Sequence[tuple[Event, UUID | None]]) -> list[Outcome]:
    """Record what can be recorded, in the order given, in one statement; an outcome for each.

    An id makes its event idempotent: one that stands already, or earlier in the batch, gets the first one's receipt,
    and `Conflict` where that was another event. Nothing is recorded for an event that is refused.
    """
    outcomes: list[Outcome | None] = [None] * len(given)
    rows = await _rows(given, outcomes)
    first = {row.event_id: place for place, row in reversed(rows.items())}
    receipts = await _insert(tx, [(rows[place], given[place][0]) for place in sorted(first.values())])
    for place, row in rows.items():
        outcome = receipts[row.event_id]
        if place != first[row.event_id] and isinstance(outcome, Receipt):
            outcome = same_or_conflict(outcome, given[first[row.event_id]][0], given[place][0])
        outcomes[place] = outcome
    return [outcome for outcome in outcomes if outcome is not None]


async def give_way(place: int) -> None:
    """Let other requests of this process run, now and then in a long loop."""
    if place % 50 == 0:
        await asyncio.sleep(0)


async def _rows(given: Sequence[tuple[Event, UUID | None]], outcomes: list[Outcome | None]) -> dict[int, Row]:
    """The rows of the events that can be recorded, by place; the others' faults go to `outcomes`."""
    rows = {}
    for place, (event, event_id) in enumerate(given):
        await give_way(place)
        try:
            rows[place] = row_of(event, event_id or new_id())
        except Invalid as fault:
            outcomes[place] = fault
    return rows


async def _insert(tx: Transaction, wanted: Sequence[tuple[Row, Event]]) -> dict[UUID, Outcome]:
    """Insert those whose id is free. Another transaction may take ids meanwhile: then they are read and left out."""
    for _ in range(RACES):
        found = await _standing(tx, wanted)
        rows = [row for row, _ in wanted if row.event_id not in found]
        try:
            async with tx.savepoint():
                new = await store.insert_events(tx, rows) if rows else ()
        except (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError):
            # A batch with the same keys in another order waits for this one, and this one for it.
            continue
        return found | {receipt.event_id: receipt for receipt in new}
    raise RuntimeError("ids of the batch are taken again and again")


async def _standing(tx: Transaction, wanted: Iterable[tuple[Row, Event]]) -> dict[UUID, Outcome]:
    events = {row.event_id: event for row, event in wanted}
    return {
        stored.event_id: same_or_conflict(
            Receipt(stored.event_id, stored.leaf, stored.xid, stored.recorded_at), stored, events[stored.event_id]
        )
        for stored in await store.fetch_events_of(tx, list(events))
    }
