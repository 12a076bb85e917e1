"""Figures of a month: recorded, converted and estimated stay apart, and each sum is the sum of its events."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.canon.errors import Forbidden, Invalid
from app.canon.vocabulary import Money, Rol
from app.founder_console.counts import Figures
from app.founder_console.money.entries import read_items
from app.founder_console.money.figures import Item, read_facts, result_of, total
from app.founder_console.money.settings import (
    MoneySettings,
    Rate,
    money_settings,
    rate_of,
    set_hour,
    set_rate,
    set_target,
)
from app.founder_console.screens.charts import Point, bars
from app.governance_ledger import Event, append
from app.postgres import Database
from tests.builders import a_company, principal
from tests.founder_console.test_brief import event

DAY = date(2026, 11, 30)
SINCE, UNTIL = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)


def settings(*rates: Rate, hour: Money | None = None) -> MoneySettings:
    return MoneySettings(currency="IDR", rates=rates, hour=hour, targets={})


def usd(rate: str, on: date = DAY) -> Rate:
    return Rate(currency="USD", to="IDR", rate=Decimal(rate), on=on, event=event("money.rate_set"))


def item(figure: Any, value: int, currency: str = "IDR", role_id: UUID | None = None) -> Item:
    return Item(figure=figure, event=event("x.any"), role_id=role_id, currency=currency, value=value)


def test_without_foreign_money_nothing_is_converted() -> None:
    result = result_of([item("revenue", 500_000), item("paid", 120_000)], settings(), DAY)
    assert (result.margin, result.used, result.missing) == (380_000, (), ())


def test_a_sum_without_its_rate_stays_open_and_names_the_currency() -> None:
    result = result_of([item("revenue", 500_000), item("revenue", 1_999, "USD")], settings(), DAY)
    assert (result.revenue, result.margin, result.missing) == (None, None, ("USD",))
    assert result.paid == 0


def test_model_micros_are_converted_at_the_founders_rate() -> None:
    result = result_of([item("revenue", 100_000), item("models", 1_234_567, "USD")], settings(usd("16250")), DAY)
    assert result.models == 20_062
    assert result.margin == 79_938
    assert [rate.rate for rate in result.used] == [Decimal(16250)]


def test_the_estimate_of_the_founders_time_never_enters_the_margin() -> None:
    items = [item("revenue", 100_000), item("time", 1_800, "")]
    result = result_of(items, settings(hour=Money(60_000)), DAY)
    assert (result.margin, result.time, result.after_time) == (100_000, 30_000, 70_000)
    assert result_of(items, settings(), DAY).after_time is None


def test_the_last_rate_up_to_the_months_end_holds() -> None:
    known = settings(usd("17000", date(2026, 12, 5)), usd("16250", date(2026, 11, 3)), usd("15900", date(2026, 9, 1)))
    assert [known.rate("USD", day) and known.rate("USD", day).rate for day in (DAY, date(2026, 10, 1))] == [  # type: ignore[union-attr]
        Decimal(16250),
        Decimal(15900),
    ]
    first = known.rate("USD", date(2026, 1, 1))
    assert first is not None
    assert first.on == date(2026, 9, 1)
    assert known.rate("EUR", DAY) is None


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(-(10**9), 10**9)), max_size=20))
def test_the_workers_parts_make_the_whole(parts: list[tuple[str, int]]) -> None:
    names = {name: uuid4() for name in "abc"}
    items = [item("revenue", value, role_id=names[name]) for name, value in parts]
    whole = result_of(items, settings(), DAY).margin
    each = [result_of([one for one in items if one.role_id == role], settings(), DAY).margin for role in names.values()]
    assert whole == sum(part or 0 for part in each) == total(items)


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("16250", "16250"),
        ("16.250", "16250"),
        ("16,250.5", "16250.5"),
        ("16.250,75", "16250.75"),
        ("1,09", "1.09"),
        ("0", None),
        ("-1", None),
        ("banyak", None),
        ("", None),
        ("1e9", None),
    ],
)
def test_a_rate_is_read_as_people_write_it(text: str, rate: str | None) -> None:
    assert rate_of(text) == (None if rate is None else Decimal(rate))


async def test_the_month_is_read_from_the_ledger_alone(database: Database) -> None:
    async with database.transaction(uuid4()) as tx:
        await a_company(tx)
        role = str(uuid4())
        for at, minor in ((SINCE, "100"), (UNTIL - timedelta(seconds=1), "-30"), (UNTIL, "7")):
            data: dict[str, object] = {"amount_minor": minor, "currency": "IDR", "source": "toko", "description": ""}
            data |= {"role_id": role, "ticket_id": None}
            await append(tx, Event(type="revenue.recorded", actor="founder:x", data=data, occurred_at=at))
        facts = await read_facts(Figures(tx, ZoneInfo("UTC"), 0), SINCE, UNTIL)
        items = (await read_items(tx, "revenue", SINCE, UNTIL)).items
    assert sorted((one.value, one.at.day) for one in facts.of("revenue", "IDR")) == [(-30, 30), (100, 1)]
    assert {one.role_id for one in facts.sums} == {UUID(role)}
    assert [one.value for one in items] == [-30, 100]


async def test_what_the_founder_sets_is_an_event_and_the_newest_holds(database: Database) -> None:
    async with database.transaction(uuid4()) as tx:
        founder = await a_company(tx)
        await set_target(tx, "2026-11", Money(50_000_000), founder)
        await set_target(tx, "2026-11", Money(60_000_000), founder)
        await set_target(tx, "2026-12", Money(1), founder)
        await set_target(tx, "2026-12", Money(0), founder)
        await set_hour(tx, Money(150_000), founder)
        await set_rate(tx, currency="USD", to="IDR", rate=Decimal("16250.5"), on=DAY, by=founder)
        known = await money_settings(tx, "IDR")
        assert known.targets == {"2026-11": Money(60_000_000)}
        assert known.hour == Money(150_000)
        assert [rate.rate for rate in known.rates] == [Decimal("16250.5")]
        with pytest.raises(Invalid):
            await set_rate(tx, currency="IDR", to="IDR", rate=Decimal(1), on=DAY, by=founder)
        with pytest.raises(Forbidden):
            await set_hour(tx, Money(1), principal(tx.tenant, Rol.DEPUTY))


def test_a_chart_of_nothing_is_none_and_a_loss_hangs_below_the_line() -> None:
    assert bars("x", "t", "d", [Point("Jan", 0, "0")]) is None
    chart = bars("x", "t", "d", [Point("Jan", 10, "10"), Point("Feb", -10, "-10")], target=20)
    assert chart is not None
    gain, loss = chart.bars
    assert gain.y + gain.height == pytest.approx(chart.zero, abs=0.2)
    assert loss.y == chart.zero
    assert loss.tone == "minus"
    assert chart.mark is not None
    assert chart.mark < gain.y
