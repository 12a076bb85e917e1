"""Writing events, in the caller's transaction."""

from collections.abc import Sequence
from uuid import UUID

from app.canon.vocabulary import new_id
from app.governance_ledger import store
from app.governance_ledger.document import row_of
from app.governance_ledger.model import Event, Receipt
from app.postgres import Transaction


async def append(tx: Transaction, event: Event, *, event_id: UUID | None = None) -> Receipt:
    """Record `event` in the caller's open transaction: it stands if and only if that transaction commits.

    In the digest form an event accounts for changes made before it in the same transaction, so append it after them;
    in the presence form order does not matter. Takes no chain lock: the sealer links the event afterwards. Raises
    `EventRefused`, `NotCanonical`, and `asyncpg.UniqueViolationError` for an `event_id` that is taken; a wrong
    `expect` is refused by the database (SQLSTATE GL005).
    """
    return await store.insert_event(tx, row_of(event, event_id or new_id()))


async def append_many(tx: Transaction, events: Sequence[Event]) -> tuple[Receipt, ...]:
    """Record all of `events` in their order, in one statement. Otherwise like `append`."""
    if not events:
        return ()
    return await store.insert_events(tx, [row_of(event, new_id()) for event in events])
