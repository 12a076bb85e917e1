"""The ledger's screen: filters of every kind, words, pages, and the exact bytes behind an event."""

import hashlib
from uuid import UUID

import pytest

from app.governance_ledger import EventFilter, read_events
from app.work_queue import NewTicket, open_ticket
from tests.builders import a_ticket
from tests.founder_console.test_http import PAGE, Desk, desk

__all__ = ["desk"]


async def _tickets(desk: Desk) -> tuple[UUID, UUID]:
    async with desk.database.transaction(desk.tenant) as tx:
        one = await a_ticket(tx, desk.by, title="Bayar faktur INV-118")
        other = await open_ticket(
            tx, NewTicket("Ringkas mutasi", "Semua."), actor=f"worker:{UUID(int=9)}", founder_wrote=False
        )
    return one.id, other.id


async def read(desk: Desk, query: str) -> str:
    answer = await desk.client.get(f"/ledger?{query}", headers=PAGE)
    assert answer.status_code == 200
    return answer.text


async def test_words_find_what_is_shown_and_what_stands_in_the_data(desk: Desk) -> None:
    _one, other = await _tickets(desk)
    page = await read(desk, "q=inv-118")
    assert "Bayar faktur INV-118" in page
    assert "Ringkas mutasi" not in page
    assert str(other) not in page
    assert "Tidak ada yang cocok" in await read(desk, "q=inv-118+mutasi")
    assert "catatan dibaca" in page


async def test_kind_worker_ticket_and_days_narrow_the_list(desk: Desk) -> None:
    one, _other = await _tickets(desk)
    both = ("Bayar faktur", "Ringkas mutasi")
    assert [name in await read(desk, "kind=ticket.") for name in both] == [True, True]
    assert [name in await read(desk, "kind=approval.") for name in both] == [False, False]
    assert [name in await read(desk, f"worker={UUID(int=9)}") for name in both] == [False, True]
    page = await read(desk, f"ticket={one}")
    assert "Tiket: Bayar faktur" in page
    assert "Ringkas" not in page
    assert f"/api/v1/ledger/cases/{one}" in page
    assert [name in await read(desk, "until=2020-01-01") for name in both] == [False, False]
    assert [name in await read(desk, "since=2020-01-01") for name in both] == [True, True]


@pytest.mark.parametrize("query", ["since=yesterday", "worker=raka", "kind=no.such", "q=%00%22%3E", "until="])
async def test_what_cannot_be_read_does_not_break_the_page(desk: Desk, query: str) -> None:
    await read(desk, query)


async def test_pages_follow_each_other_without_a_gap_under_the_same_filter(desk: Desk) -> None:
    async with desk.database.transaction(desk.tenant) as tx:
        for number in range(60):
            await a_ticket(tx, desk.by, title=f"Nomor {number:02}")
    first = await read(desk, "kind=ticket.")
    cursor = first.split("after=")[1].split('"')[0]
    second = await read(desk, f"kind=ticket.&after={cursor}")
    seen = [number for number in range(60) if f"Nomor {number:02}" in first + second]
    assert seen == list(range(60))
    assert "kind=ticket." in first.split('class="more" href="')[1].split('"')[0]


async def test_the_documents_bytes_hash_to_the_leaf(desk: Desk) -> None:
    await _tickets(desk)
    async with desk.database.transaction(desk.tenant) as tx:
        [event] = (await read_events(tx, EventFilter(type="ticket.opened"), limit=1)).items
    answer = await desk.client.get(f"/ledger/{event.event_id}/document")
    assert hashlib.sha256(b"\0" + answer.content).hexdigest() == event.leaf
    assert (await desk.client.get(f"/ledger/{UUID(int=1)}/document", headers=PAGE)).status_code == 404
