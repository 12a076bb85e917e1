"""The ledger as a founder looks through it: by kind, worker, ticket, time and words."""

from datetime import datetime, time, timedelta
from urllib.parse import urlencode
from uuid import UUID

import msgspec

from app.canon.vocabulary import on_calendar
from app.founder_console.cards.story import with_acts
from app.founder_console.formats import Formats
from app.founder_console.naming import Line, Naming
from app.governance_ledger import EventFilter, RecordedEvent, read_events
from app.postgres import Transaction

LIST = 50
PAGE = 250
MOST_READ = 5_000
KINDS = (
    "approval.",
    "tool.",
    "model.",
    "run.",
    "ticket.",
    "role.",
    "budget.",
    "money.",
    "revenue.",
    "founder.",
    "party.",
)


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for, as it stands in the address. `since` and `until` are days, both inclusive."""

    kind: str = ""
    worker: UUID | None = None
    ticket: UUID | None = None
    since: str = ""
    until: str = ""
    words: str = ""

    @property
    def any(self) -> bool:
        return self != Look()

    def query(self, **more: str) -> str:
        """The address's query; empty for nothing."""
        named = {"kind": self.kind, "worker": self.worker, "ticket": self.ticket}
        given = {**named, "since": self.since, "until": self.until, "q": self.words, **more}
        return urlencode({name: str(value) for name, value in given.items() if value})


class Found(msgspec.Struct, frozen=True):
    """One page of lines, newest first, and the cursor of the next. `read` events were looked at for `words`."""

    lines: tuple[Line, ...]
    next_cursor: str | None
    read: int


def day_of(text: str, formats: Formats) -> datetime | None:
    """The beginning of a day in the company's zone; None for what is no day."""
    try:
        begin = datetime.combine(datetime.fromisoformat(text).date(), time(), formats.zone)
    except ValueError:
        return None
    return begin if on_calendar(begin) else None


async def look(tx: Transaction, what: Look, naming: Naming, *, after: str | None = None) -> Found:
    """The newest events that fit. With words, as many are read as it takes, up to `MOST_READ` at a time."""
    until = day_of(what.until, naming.formats)
    where = EventFilter(
        type=what.kind or None,
        actor=f"worker:{what.worker}" if what.worker else None,
        ticket_id=what.ticket,
        since=day_of(what.since, naming.formats),
        until=until + timedelta(days=1) if until else None,
    )
    wanted = what.words.casefold().split()
    if not wanted:
        page = await read_events(tx, where, after=after, limit=LIST)
        named = await with_acts(tx, naming, page.items)
        return Found(tuple(map(named.line, page.items)), page.next_cursor, len(page.items))
    lines: list[Line] = []
    read = 0
    while len(lines) < LIST and read < MOST_READ:
        page = await read_events(tx, where, after=after, limit=PAGE)
        named = await with_acts(tx, naming, page.items)
        lines += [line for event in page.items if _says(event, line := named.line(event), wanted)]
        read, after = read + len(page.items), page.next_cursor
        if after is None:
            break
    return Found(tuple(lines), after, read)


def _says(event: RecordedEvent, line: Line, wanted: list[str]) -> bool:
    """Whether every word stands in what is shown, in the type or in the event's own data."""
    said = " ".join((line.text, line.who, line.detail, event.type, msgspec.json.encode(event.data).decode())).casefold()
    return all(word in said for word in wanted)
