"""The events behind a figure, one by one: found by the same definition as they are counted, page by page."""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from uuid import UUID

import msgspec

from app.canon.vocabulary import Money
from app.founder_console.money.figures import KINDS, Figure, Item, Part, as_money, item_of
from app.founder_console.money.months import name_of
from app.founder_console.naming import Naming
from app.governance_ledger import EventFilter, Page, read_events
from app.postgres import Database, Transaction

AMOUNTS: dict[Figure, str] = {
    "revenue": "amount_minor",
    "paid": "money.minor",
    "models": "cost_usd_micros",
    "time": "seconds_open",
}
CURRENCIES: dict[Figure, str] = {"revenue": "currency", "paid": "money.currency"}
FIGURE_OF: dict[str, Figure] = {kind: figure for figure, kind in KINDS.items()}
NOTHING = ("", "0")
AT_ONCE = 500


class Worker(msgspec.Struct, frozen=True):
    """Whose entries; without an id: those that are nobody's."""

    role_id: UUID | None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One event's part of a figure, in words."""

    item: Item
    text: str
    source: str
    money: Money | None
    value: str


async def read_items(
    tx: Transaction,
    figure: Figure,
    since: datetime,
    until: datetime,
    *,
    currency: str | None = None,
    worker: Worker | None = None,
    after: str | None = None,
    limit: int = AT_ONCE,
) -> Page[Item]:
    """A page of the events behind a figure, newest first, in one statement: of one currency and one worker where they
    are given."""
    where = EventFilter(
        type=KINDS[figure],
        since=since,
        until=until,
        names=worker.role_id if worker else None,
        says=_says(figure, currency, worker),
        never={AMOUNTS[figure]: NOTHING},
    )
    page = await read_events(tx, where, after=after, limit=limit)
    return Page(tuple(one for event in page.items if (one := item_of(figure, event))), page.next_cursor)


def _says(figure: Figure, currency: str | None, worker: Worker | None) -> dict[str, tuple[str, ...]]:
    says: dict[str, tuple[str, ...]] = {}
    if worker is not None:
        says["role_id"] = (str(worker.role_id or ""),)
    if currency is not None and figure in CURRENCIES:
        says[CURRENCIES[figure]] = (currency,)
    return says


async def every_item(database: Database, tenant: UUID, since: datetime, until: datetime) -> AsyncIterator[Item]:
    """All that stands behind the figures of that time, newest first; a transaction for each page of them."""
    where, cursor = EventFilter(types=tuple(KINDS.values()), since=since, until=until), None
    while True:
        async with database.transaction(tenant) as tx:
            page = await read_events(tx, where, after=cursor, limit=AT_ONCE)
        for event in page.items:
            if item := item_of(FIGURE_OF[event.type], event):
                yield item
        cursor = page.next_cursor
        if cursor is None:
            return


def in_words(items: Iterable[Item], naming: Naming) -> list[Entry]:
    return [_entry(one, naming) for one in items]


def _entry(item: Item, naming: Naming) -> Entry:
    line, money = naming.line(item.event), as_money(item)
    source = name_of(item.role_id, naming)
    if item.figure == "revenue":
        described = str(item.event.data.get("description") or "")
        source = " · ".join(part for part in (described, naming.worker(item.role_id)) if part)
    if item.figure == "paid" and money is not None:
        money = Money(-money.minor, money.currency)
    text = str(item.event.data.get("source") or "") if item.figure == "revenue" else line.text
    return Entry(item=item, text=text, source=source, money=money, value=said(item, naming))


def said(part: Part, naming: Naming) -> str:
    """A part of a figure in the founder's own way of writing it."""
    if part.figure == "models":
        return naming.formats.usd(part.value)
    if part.figure == "time":
        return naming.formats.seconds(part.value)
    return naming.formats.money(Money(part.value, part.currency))
