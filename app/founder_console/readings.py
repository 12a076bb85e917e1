"""Reading the ledger for a page: bounded, by family and time."""

from datetime import datetime, timedelta

from app.founder_console.formats import Formats
from app.governance_ledger import EventFilter, RecordedEvent, read_events
from app.postgres import Transaction

PAGE = 500
MOST = 5_000


async def read_family(
    tx: Transaction, family: str, *, since: datetime, until: datetime | None = None, most: int = MOST
) -> tuple[RecordedEvent, ...]:
    """Events of a type, or of a family ending in a dot, newest first; at most `most` of them."""
    where = EventFilter(type=family, since=since, until=until)
    found: list[RecordedEvent] = []
    cursor = None
    while len(found) < most:
        page = await read_events(tx, where, after=cursor, limit=min(PAGE, most - len(found)))
        found += page.items
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
    return tuple(found)


def midnight(formats: Formats, days_ago: int = 0) -> datetime:
    """The beginning of the day in the company's zone."""
    there = (formats.now - timedelta(days=days_ago)).replace(hour=0, minute=0, second=0, microsecond=0)
    return there.replace(tzinfo=formats.zone)
