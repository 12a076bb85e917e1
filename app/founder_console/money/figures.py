"""The figures of a month, each with the events behind it: what came in, what went out, what the workers cost.

Four kinds: `revenue` and `paid` in minor units of a currency, `models` in USD micros, `time` in the founder's seconds.
What is recorded, what is converted at the founder's rate, and what is an estimate stay apart.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, TypeAlias
from uuid import UUID

import msgspec

from app.canon.vocabulary import Money
from app.canon.written import minor_digits
from app.founder_console.money.settings import MoneySettings, Rate, convert
from app.founder_console.naming import money_of, revenue_of, whole
from app.founder_console.readings import read_family
from app.governance_ledger import RecordedEvent
from app.postgres import Transaction

Figure: TypeAlias = Literal["revenue", "paid", "models", "time"]
FIGURES: tuple[Figure, ...] = ("revenue", "paid", "models", "time")
MOST_EVENTS = 50_000
LONGEST_LOOK_SECONDS = 900
MICROS = Decimal(1_000_000)


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One event's part of a figure. `value` is never negative but for revenue that went back."""

    figure: Figure
    event: RecordedEvent
    role_id: UUID | None
    currency: str
    value: int


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """A month. `unmeasured` decisions say no time; `partial`: there was more than could be read."""

    items: tuple[Item, ...]
    unmeasured: int
    partial: bool

    def of(self, figure: Figure, currency: str | None = None) -> tuple[Item, ...]:
        return tuple(
            one for one in self.items if one.figure == figure and (currency is None or one.currency == currency)
        )

    def worker(self, role_id: UUID | None) -> tuple[Item, ...]:
        return tuple(one for one in self.items if one.role_id == role_id)

    @property
    def currencies(self) -> tuple[str, ...]:
        return tuple(sorted({one.currency for one in self.items if one.figure in ("revenue", "paid")}))

    @property
    def workers(self) -> tuple[UUID | None, ...]:
        """Everybody who has a part in a figure; None: nobody's."""
        return tuple({one.role_id: None for one in self.items})


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """Sums in the company's currency. A sum is None while a rate is `missing`; `time` is None without an hour's worth.

    `margin` is recorded, or converted where `converted` names a figure; `after_time` is an estimate, beside it.
    """

    revenue: int | None
    paid: int | None
    models: int | None
    margin: int | None
    time: int | None
    after_time: int | None
    seconds: int
    usd_micros: int
    used: tuple[Rate, ...]
    missing: tuple[str, ...]
    converted: frozenset[Figure]


def total(items: Iterable[Item]) -> int:
    return sum(one.value for one in items)


async def read_facts(tx: Transaction, since: datetime, until: datetime) -> Facts:
    """All that the ledger says of money between the two."""
    revenue, done, models, decided = [
        await read_family(tx, family, since=since, until=until, most=MOST_EVENTS)
        for family in ("revenue.recorded", "tool.done", "model.done", "approval.decided")
    ]
    found = [*_moved("revenue", revenue), *_moved("paid", done), *_models(models), *_looked(decided)]
    return Facts(
        items=tuple(found),
        unmeasured=sum(event.data.get("seconds_open") is None for event in decided),
        partial=any(len(events) == MOST_EVENTS for events in (revenue, done, models, decided)),
    )


def _moved(figure: Literal["revenue", "paid"], events: Sequence[RecordedEvent]) -> Iterable[Item]:
    read = revenue_of if figure == "revenue" else money_of
    for event in events:
        amount = read(event)
        if amount is not None and amount.minor:
            yield _item(figure, event, amount.currency, amount.minor)


def _models(events: Sequence[RecordedEvent]) -> Iterable[Item]:
    for event in events:
        if cost := whole(event.data.get("cost_usd_micros")):
            yield _item("models", event, "USD", cost)


def _looked(events: Sequence[RecordedEvent]) -> Iterable[Item]:
    """From the card's opening to the answer; a phone left lying counts for a quarter of an hour at most."""
    for event in events:
        if seconds := min(max(whole(event.data.get("seconds_open")), 0), LONGEST_LOOK_SECONDS):
            yield _item("time", event, "", seconds)


def _item(figure: Figure, event: RecordedEvent, currency: str, value: int) -> Item:
    role = event.data.get("role_id")
    return Item(figure=figure, event=event, role_id=UUID(str(role)) if role else None, currency=currency, value=value)


def result_of(items: Sequence[Item], settings: MoneySettings, until: date) -> Result:
    """Everything in the company's currency, at the founder's rates up to that day. Pure."""
    to, used, missing, converted = settings.currency, dict[str, Rate](), set[str](), set[Figure]()

    def minor(figure: Figure) -> int | None:
        found: int | None = 0
        for currency in sorted({one.currency for one in items if one.figure == figure}):
            value = total(one for one in items if one.figure == figure and one.currency == currency)
            places = 6 if figure == "models" else minor_digits(currency)
            part = _into(Decimal(value).scaleb(-places), currency)
            if currency != to:
                converted.add(figure)
            found = None if found is None or part is None else found + part
        return found

    def _into(amount: Decimal, currency: str) -> int | None:
        if currency == to:
            return convert(amount, Decimal(1), to)
        rate = settings.rate(currency, until) if amount else None
        if rate is None and amount:
            missing.add(currency)
            return None
        if rate is not None:
            used[currency] = rate
        return convert(amount, rate.rate, to) if rate is not None else 0

    revenue, paid, models = minor("revenue"), minor("paid"), minor("models")
    seconds = total(one for one in items if one.figure == "time")
    margin = None if revenue is None or paid is None or models is None else revenue - paid - models
    time = None
    if settings.hour is not None and settings.hour.currency == to:
        time = round(settings.hour.minor * seconds / 3600)
    return Result(
        revenue=revenue,
        paid=paid,
        models=models,
        margin=margin,
        time=time,
        after_time=None if margin is None or time is None else margin - time,
        seconds=seconds,
        usd_micros=total(one for one in items if one.figure == "models"),
        used=tuple(used[name] for name in sorted(used)),
        missing=tuple(sorted(missing)),
        converted=frozenset(converted),
    )


def as_money(item: Item) -> Money | None:
    """The item as an amount of money; None for time, and for models, whose micros no currency counts."""
    return Money(item.value, item.currency) if item.figure in ("revenue", "paid") else None
