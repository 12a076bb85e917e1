"""Writing events, in the caller's transaction."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from app.canon.tool import EvidenceItem
from app.canon.vocabulary import new_id
from app.governance_ledger import store
from app.governance_ledger.document import row_of
from app.governance_ledger.model import Event, Receipt
from app.governance_ledger.refs import check_size, ref_of
from app.postgres import Transaction


async def append(
    tx: Transaction, event: Event, *, event_id: UUID | None = None, keep: EvidenceItem | None = None
) -> Receipt:
    """Record `event` in the caller's open transaction: it stands if and only if that transaction commits.

    In the digest form an event accounts for changes made before it in the same transaction, so append it after them;
    in the presence form order does not matter. Takes no chain lock: the sealer links the event afterwards. `keep` is
    kept as by `keep_evidence`, in the same statement, and named first among the event's evidence. Raises
    `EventRefused`, `NotCanonical`, `EvidenceTooLarge`, and `asyncpg.UniqueViolationError` for an `event_id` that is
    taken; a wrong `expect` is refused by the database (SQLSTATE GL005).
    """
    if keep is None:
        return await store.insert_event(tx, row_of(event, event_id or new_id()))
    check_size(keep.content, keep.name)
    ref = ref_of(keep.content, media_type=keep.media_type, name=keep.name)
    event = msgspec.structs.replace(event, evidence=(ref, *event.evidence))
    return await store.insert_event_keeping(tx, row_of(event, event_id or new_id()), ref, keep.content)


async def append_many(tx: Transaction, events: Sequence[Event]) -> tuple[Receipt, ...]:
    """Record all of `events` in their order, in one statement. Otherwise like `append`."""
    if not events:
        return ()
    return await store.insert_events(tx, [row_of(event, new_id()) for event in events])
