"""Reading events back."""

import base64
import binascii
from collections.abc import Sequence
from uuid import UUID

from app.canon.errors import Invalid
from app.governance_ledger import store
from app.governance_ledger.errors import EventUnknown
from app.governance_ledger.model import EventFilter, Page, RecordedEvent
from app.postgres import Transaction

MAX_LIMIT = 500


class CursorUnknown(Invalid):
    """The cursor is not one that a page of events gave."""

    code = "list.cursor"


async def read_event(tx: Transaction, event_id: UUID) -> RecordedEvent:
    """One event of the tenant. Raises `EventUnknown`."""
    event = await store.fetch_event(tx, event_id)
    if event is None:
        raise EventUnknown(f"there is no event {event_id}")
    return event


async def read_these(tx: Transaction, event_ids: Sequence[UUID]) -> dict[UUID, RecordedEvent]:
    """Those of `event_ids` that stand in the tenant's ledger, without their place in the chain."""
    return {event.event_id: event for event in await store.fetch_events_of(tx, event_ids)} if event_ids else {}


async def read_document(tx: Transaction, event_id: UUID) -> bytes:
    """The event's canonical document, exactly as it was hashed. Raises `EventUnknown`."""
    document = await store.fetch_document(tx, event_id)
    if document is None:
        raise EventUnknown(f"there is no event {event_id}")
    return document.encode()


async def latest_seq(tx: Transaction) -> int:
    """How far the tenant's chain is linked; 0 before its first event."""
    return await store.fetch_head(tx)


async def read_events(
    tx: Transaction,
    where: EventFilter,
    *,
    after: str | None = None,
    limit: int = 50,
    newest_first: bool = True,
) -> Page[RecordedEvent]:
    """A page of the tenant's events in the order in which they were written, `limit` of 1 to 500.

    A transaction that commits late takes its earlier place, so a reader who must miss nothing follows `seq`. Raises
    `CursorUnknown`.
    """
    limit = max(1, min(limit, MAX_LIMIT))
    place = None if after is None else _place(after)
    events = await store.fetch_events(tx, where, after=place, limit=limit + 1, newest_first=newest_first)
    more = len(events) > limit
    items = tuple(events[:limit])
    return Page(items, _cursor(items[-1].n) if more else None)


def _cursor(n: int) -> str:
    return base64.urlsafe_b64encode(f"n{n}".encode()).rstrip(b"=").decode()


def _place(cursor: str) -> int:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        if not text.startswith("n"):
            raise ValueError(cursor)
        return int(text[1:])
    except (ValueError, binascii.Error) as error:
        raise CursorUnknown("the cursor is not one of ours: start without it") from error
