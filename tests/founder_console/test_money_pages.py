"""Money at the console: every figure opens exactly the events that make it, in pages and in files."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

from app.governance_ledger import Event, EventFilter, append, read_events
from tests.founder_console.test_http import OWN, PAGE, Desk, desk

__all__ = ["desk"]


async def earn(desk: Desk, minor: int, currency: str = "IDR", at: datetime | None = None, **said: Any) -> None:
    data: dict[str, object] = {"amount_minor": str(minor), "currency": currency, "source": "toko", "description": ""}
    data |= {"role_id": None, "ticket_id": None, **said}
    async with desk.database.transaction(desk.tenant) as tx:
        await append(tx, Event(type="revenue.recorded", actor=desk.by.actor, data=data, occurred_at=at))


async def page(desk: Desk, path: str) -> str:
    answer = await desk.client.get(path, headers=PAGE)
    assert answer.status_code == 200, answer.text
    return answer.text


async def keep(desk: Desk, **form: str) -> int:
    answer = await desk.client.post("/money/settings", data=form, headers=OWN | PAGE, follow_redirects=False)
    return answer.status_code


async def test_a_figure_opens_exactly_its_events(desk: Desk) -> None:
    for minor in (250_000, 40_000, -15_000):
        await earn(desk, minor)
    await earn(desk, 1_999, "USD")
    assert "Rp275.000" in await page(desk, "/money")
    shown = await page(desk, "/money/evidence?figure=revenue&currency=IDR")
    assert shown.count('href="/ledger/') == 3
    assert "Rp275.000" in shown
    assert "19,99" not in shown


async def test_a_month_is_opened_by_its_name(desk: Desk) -> None:
    now = datetime.now(UTC)
    before = (now.replace(day=1) - timedelta(days=2)).replace(hour=5)
    await earn(desk, 123_000, at=before)
    assert "Rp123.000" not in (await page(desk, "/money")).split("h-year")[0]
    assert "Rp123.000" in await page(desk, f"/money?month={before:%Y-%m}")
    assert await page(desk, "/money?month=nonsense")
    assert "Rp123.000" in await page(desk, "/money/evidence?month=" + f"{before:%Y-%m}")


async def test_a_chart_has_a_title_a_description_and_its_table(desk: Desk) -> None:
    await earn(desk, 90_000)
    shown = await page(desk, "/money")
    assert 'role="img" aria-labelledby="days-IDR-t" aria-describedby="days-IDR-d"' in shown
    assert '<title id="days-IDR-t">' in shown
    assert '<desc id="days-IDR-d">' in shown
    assert shown.count("<table>") == 2


async def test_a_rate_a_target_and_an_hour_are_recorded_and_used(desk: Desk) -> None:
    await earn(desk, 10_000, "USD")
    assert "Belum ada kurs USD" in await page(desk, "/money")
    today = datetime.now(UTC).date().isoformat()
    assert await keep(desk, what="rate", currency="usd", rate="16.250", on=today) == 303
    assert await keep(desk, what="target", month=today[:7], amount="5.000.000") == 303
    assert await keep(desk, what="hour", amount="150000") == 303
    shown = await page(desk, "/money")
    assert "Rp1.625.000" in shown
    assert "1 USD = 16.250 IDR" in shown
    async with desk.database.transaction(desk.tenant) as tx:
        said = (await read_events(tx, EventFilter(type="money."))).items
    assert [event.type for event in said] == ["money.hour_set", "money.target_set", "money.rate_set"]


async def test_what_cannot_be_read_sets_nothing(desk: Desk) -> None:
    today = datetime.now(UTC).date().isoformat()
    assert await keep(desk, what="rate", currency="IDR", rate="1", on=today) == 422
    assert await keep(desk, what="rate", currency="USD", rate="banyak", on=today) == 422
    assert await keep(desk, what="target", month="kapan", amount="1") == 422
    assert await keep(desk, what="hour", amount="-5") == 422
    async with desk.database.transaction(desk.tenant) as tx:
        assert (await read_events(tx, EventFilter(type="money."))).items == ()


async def test_files_say_what_is_recorded_and_run_nothing(desk: Desk) -> None:
    await earn(desk, 125_050, "USD", source="=HYPERLINK(1)", description="-2+3")
    await earn(desk, 240_000)
    answer = await desk.client.get("/money/entries.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert {(row["amount"], row["unit"], row["basis"]) for row in rows} == {
        ("1250.50", "USD", "recorded"),
        ("240000", "IDR", "recorded"),
    }
    assert {row["source"] for row in rows} == {"'=HYPERLINK(1)", "toko"}
    assert "'-2+3" in {row["description"] for row in rows}
    figures = list(csv.DictReader(io.StringIO((await desk.client.get("/money/scorecard.csv")).text)))
    assert {row["figure"] for row in figures if row["who"] == "Kopi Senja"} == {"payments", "models"}


async def test_a_program_reads_the_same_figures(desk: Desk) -> None:
    await earn(desk, 10_000, "USD")
    await earn(desk, 240_000)
    told = (await desk.client.get("/api/v1/console/scorecard")).json()
    assert told["revenue"] == [{"minor": 240_000, "currency": "IDR"}, {"minor": 10_000, "currency": "USD"}]
    assert (told["in_own_currency"]["revenue"], told["in_own_currency"]["missing"]) == (None, ["USD"])
    today = datetime.now(UTC).date().isoformat()
    await keep(desk, what="rate", currency="USD", rate="16250", on=today)
    told = (await desk.client.get("/api/v1/console/scorecard")).json()["in_own_currency"]
    assert (told["margin"], told["converted"]) == (1_865_000, ["revenue"])
    assert [rate["rate"] for rate in told["rates"]] == ["16250"]
    assert (await desk.client.get("/api/v1/console/scorecard?month=kapan")).status_code == 422


async def test_nobody_elses_money_is_shown(desk: Desk) -> None:
    await earn(desk, 777_000)
    stranger = Desk(desk.app, desk.client, desk.database, desk.settings)
    desk.client.cookies.clear()
    await stranger.found()
    assert "777.000" not in await page(desk, "/money")
    assert "777000" not in (await desk.client.get("/money/entries.csv")).text
