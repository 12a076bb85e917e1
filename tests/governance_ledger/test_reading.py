"""Events are found by what they say, page by page."""

from datetime import UTC, datetime, timedelta

import pytest

from app.canon.vocabulary import new_id
from app.governance_ledger import Event, EventFilter, append_many, read_event, read_events
from app.governance_ledger.errors import EventUnknown
from app.governance_ledger.reading import CursorUnknown
from app.postgres import Database, Transaction
from tests.governance_ledger.ledgers import OTHER, TENANT, record

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
TICKET, RUN, ROLE = new_id(), new_id(), new_id()


async def numbers(tx: Transaction, where: EventFilter) -> list[object]:
    page = await read_events(tx, where, newest_first=False)
    return [event.data["number"] for event in page.items]


@pytest.fixture
async def mixed(database: Database) -> None:
    day = timedelta(days=1)
    worker, founder = "worker:1", "founder:1"
    paid: dict[str, object] = {"number": 0, "money": {"minor": "500", "currency": "IDR"}, "of": None}
    events = [
        Event(type="tool.done", actor=worker, ticket_id=TICKET, run_id=RUN, occurred_at=MARCH, data=paid),
        Event(type="tool.refused", actor=worker, ticket_id=TICKET, occurred_at=MARCH + day, data={"number": 1}),
        Event(type="toolbox.opened", actor=founder, occurred_at=MARCH + 2 * day, data={"number": 2}),
        Event(type="x.mine", actor=founder, occurred_at=MARCH + 3 * day, data={"number": 3, "of": str(ROLE)}),
    ]
    async with database.transaction(TENANT) as tx:
        await append_many(tx, events)


@pytest.mark.usefixtures("mixed")
@pytest.mark.parametrize(
    ("where", "found"),
    [
        (EventFilter(), [0, 1, 2, 3]),
        (EventFilter(type="tool.done"), [0]),
        (EventFilter(type="tool."), [0, 1]),
        (EventFilter(type="tool*"), [0, 1, 2]),
        (EventFilter(type="tool"), []),
        (EventFilter(actor="founder:1"), [2, 3]),
        (EventFilter(since=MARCH + timedelta(days=1)), [1, 2, 3]),
        (EventFilter(until=MARCH + timedelta(days=1)), [0]),
        (EventFilter(ticket_id=TICKET), [0, 1]),
        (EventFilter(run_id=RUN), [0]),
        (EventFilter(ticket_id=TICKET, type="tool.refused", actor="worker:1"), [1]),
        (EventFilter(ticket_id=RUN), []),
        (EventFilter(ticket_ids=(RUN, TICKET)), [0, 1]),
        (EventFilter(ticket_ids=(RUN,)), []),
        (EventFilter(names=ROLE), [3]),
        (EventFilter(names=TICKET, type="tool.done"), [0]),
        (EventFilter(names=new_id()), []),
        (EventFilter(types=("tool.done", "x.mine")), [0, 3]),
        (EventFilter(types=()), []),
        (EventFilter(says={"of": (str(ROLE),)}), [3]),
        (EventFilter(says={"of": ("",)}), [0, 1, 2]),
        (EventFilter(says={"of": ("", str(ROLE))}, never={"number": ("1", "2")}), [0, 3]),
        (EventFilter(says={"money.currency": ("IDR",)}, never={"money.minor": ("", "0")}), [0]),
        (EventFilter(says={"money.currency": ("USD",)}), []),
        (EventFilter(never={"money.currency": ("",)}), [0]),
    ],
)
async def test_a_filter_finds_what_it_says(database: Database, where: EventFilter, found: list[int]) -> None:
    async with database.transaction(TENANT) as tx:
        assert await numbers(tx, where) == found


@pytest.mark.parametrize("newest_first", [True, False])
async def test_pages_join_without_loss_or_repetition(database: Database, newest_first: bool) -> None:
    await record(database, 23)
    seen, cursor = [], None
    async with database.transaction(TENANT) as tx:
        while True:
            page = await read_events(tx, EventFilter(), after=cursor, limit=5, newest_first=newest_first)
            seen += [event.data["number"] for event in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
    assert seen == (list(range(22, -1, -1)) if newest_first else list(range(23)))


async def test_events_written_meanwhile_do_not_shift_a_page(database: Database) -> None:
    await record(database, 4)
    async with database.transaction(TENANT) as tx:
        first = await read_events(tx, EventFilter(), limit=2)
    await record(database, 3)
    async with database.transaction(TENANT) as tx:
        second = await read_events(tx, EventFilter(), after=first.next_cursor, limit=2)
    assert [event.data["number"] for event in (*first.items, *second.items)] == [3, 2, 1, 0]
    assert second.next_cursor is None


@pytest.mark.parametrize("cursor", ["", "x", "bjE", "ää", "bjE=", "MTI"])
async def test_a_cursor_of_no_page_is_refused_or_harmless(database: Database, cursor: str) -> None:
    async with database.transaction(TENANT) as tx:
        if cursor in ("bjE", "bjE="):
            assert (await read_events(tx, EventFilter(), after=cursor)).items == ()
            return
        with pytest.raises(CursorUnknown):
            await read_events(tx, EventFilter(), after=cursor)


async def test_another_tenants_event_is_unknown(database: Database) -> None:
    receipt = (await record(database, 1))[0]
    async with database.transaction(OTHER) as tx:
        with pytest.raises(EventUnknown):
            await read_event(tx, receipt.event_id)
        assert (await read_events(tx, EventFilter())).items == ()
