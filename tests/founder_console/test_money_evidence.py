"""Behind a figure stand its events: found by worker and month, in pages, however many others there are."""

import csv
import io
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from app.canon.vocabulary import new_id
from app.governance_ledger import Event, append_many
from tests.founder_console.test_http import PAGE, Desk, desk

__all__ = ["desk"]

MANY = 10_000


def sale(minor: int, role_id: UUID | None, *, at: datetime | None = None, currency: str = "IDR") -> Event:
    data: dict[str, object] = {"amount_minor": str(minor), "currency": currency, "source": "toko", "description": ""}
    data |= {"role_id": str(role_id) if role_id else None, "ticket_id": None}
    return Event(type="revenue.recorded", actor="founder:1", data=data, occurred_at=at)


async def record(desk: Desk, *events: Event) -> None:
    async with desk.database.transaction(desk.tenant) as tx:
        await append_many(tx, events)


async def page(desk: Desk, path: str) -> str:
    answer = await desk.client.get(path, headers=PAGE)
    assert answer.status_code == 200, answer.text
    return answer.text


def shown(text: str) -> list[str]:
    return re.findall(r'href="/ledger/([0-9a-f-]{36})"', text)


@asynccontextmanager
async def asked(desk: Desk) -> AsyncIterator[list[str]]:
    """What the database is asked meanwhile."""
    said: list[str] = []
    note = lambda record: said.append(record.query)
    async with desk.database.pool.acquire() as connection:
        connection.add_query_logger(note)
    yield said
    async with desk.database.pool.acquire() as connection:
        connection.remove_query_logger(note)


async def count_statements(desk: Desk, path: str) -> int:
    async with asked(desk) as said:
        await page(desk, path)
    assert said
    return len(said)


@pytest.mark.timeout(300)
async def test_a_rare_workers_evidence_costs_as_many_statements_among_ten_thousand_events_as_among_ten(
    desk: Desk,
) -> None:
    rare, busy = new_id(), new_id()
    await record(desk, sale(100, rare), *(sale(5, busy) for _ in range(8)), sale(7, rare))
    paths = [f"/money/evidence?worker={rare}", f"/money/evidence?worker={rare}&figure=revenue&currency=IDR"]
    for path in paths:
        await page(desk, path)
    before = [await count_statements(desk, path) for path in paths]
    for _ in range(10):
        await record(desk, *(sale(5, busy) for _ in range(MANY // 10)))
    for path in paths:
        text = await page(desk, path)
        assert len(shown(text)) == 2
        assert "Rp107" in text
    assert [await count_statements(desk, path) for path in paths] == before


async def test_the_evidence_of_one_figure_is_read_in_pages_that_join_without_loss(desk: Desk) -> None:
    role = new_id()
    await record(desk, *(sale(1 + n, role) for n in range(230)), *(sale(1, None) for _ in range(9)))
    path, seen = f"/money/evidence?figure=revenue&currency=IDR&worker={role}", list[str]()
    sizes = []
    while path:
        text = await page(desk, path)
        sizes.append(len(shown(text)))
        seen += shown(text)
        assert "Rp26.565" in text, "every page names the whole sum"
        more = re.search(r'class="more" href="(/money/evidence[^"]*after=[^"]*)"', text)
        path = more[1].replace("&amp;", "&") if more else ""
    assert sizes == [100, 100, 30]
    assert len(set(seen)) == 230


async def test_an_overview_shows_a_few_of_each_figure_and_leads_to_the_rest(desk: Desk) -> None:
    await record(desk, *(sale(3, None) for _ in range(30)), *(sale(2, None, currency="USD") for _ in range(4)))
    text = await page(desk, "/money/evidence")
    assert len(shown(text)) == 24
    rest = re.findall(r'class="more" href="([^"]*figure=[^"]*)"', text)
    assert len(rest) == 1
    assert len(shown(await page(desk, rest[0].replace("&amp;", "&")))) == 30


async def test_what_is_nobodys_is_read_as_well_and_what_is_worth_nothing_is_left_out(desk: Desk) -> None:
    await record(desk, sale(40, None), sale(0, None), sale(9, new_id()))
    text = await page(desk, "/money/evidence?worker=none")
    assert len(shown(text)) == 1
    assert "Rp40" in text


async def test_another_month_of_the_same_worker_is_one_tap_away(desk: Desk) -> None:
    role = new_id()
    before = (datetime.now(UTC).replace(day=1) - timedelta(days=2)).replace(hour=5)
    await record(desk, sale(11, role), sale(22, role, at=before))
    text = await page(desk, f"/money/evidence?worker={role}&figure=revenue")
    assert "Rp22" not in text
    there = re.search(rf'href="(/money/evidence\?month={before:%Y-%m}[^"]*)"', text)
    assert there is not None
    assert "Rp22" in await page(desk, there[1].replace("&amp;", "&"))


async def test_a_place_that_no_page_gave_is_refused(desk: Desk) -> None:
    await record(desk, sale(40, None))
    answer = await desk.client.get("/money/evidence?figure=revenue&after=nowhere", headers=PAGE)
    assert answer.status_code in (400, 422)


async def test_the_file_of_a_month_is_sent_as_it_is_read_and_misses_nothing(desk: Desk) -> None:
    role = new_id()
    await record(desk, *(sale(1 + n, role) for n in range(1_200)))
    async with asked(desk) as said, desk.client.stream("GET", "/money/entries.csv") as answer:
        assert "content-length" not in answer.headers
        blocks = [block async for block in answer.aiter_text()]
    rows = list(csv.DictReader(io.StringIO("".join(blocks))))
    assert len({row["event_id"] for row in rows}) == 1_200
    assert sum(int(row["amount"]) for row in rows) == 1_200 * 1_201 // 2
    assert len([one for one in said if "LIMIT" in one and "governance_events" in one]) >= 3
