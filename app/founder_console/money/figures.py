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
from app.founder_console.counts import Count, Figures
from app.founder_console.money.settings import MoneySettings, Rate, convert
from app.founder_console.naming import as_uuid, money_of, revenue_of, whole
from app.founder_console.tallies import LONGEST_LOOK_SECONDS
from app.governance_ledger import RecordedEvent

Figure: TypeAlias = Literal["revenue", "paid", "models", "time"]
FIGURES: tuple[Figure, ...] = ("revenue", "paid", "models", "time")
KINDS: dict[Figure, str] = {
    "revenue": "revenue.recorded",
    "paid": "tool.done",
    "models": "model.done",
    "time": "approval.decided",
}
UNITS: dict[str, tuple[Figure, str]] = {"usd_micros": ("models", "USD"), "seconds_open": ("time", "")}
MICROS = Decimal(1_000_000)


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a figure. `value` is never negative but for revenue that went back."""

    figure: Figure
    role_id: UUID | None
    currency: str
    value: int


class Item(Part, frozen=True, kw_only=True):
    """One event's part."""

    event: RecordedEvent


class Sum(Part, frozen=True, kw_only=True):
    """The part of `n` events of one day, which begins at `at`."""

    at: datetime
    n: int


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """A month. `unmeasured` decisions say no time."""

    sums: tuple[Sum, ...]
    unmeasured: int

    def of(self, figure: Figure, currency: str | None = None) -> tuple[Sum, ...]:
        return tuple(
            one for one in self.sums if one.figure == figure and (currency is None or one.currency == currency)
        )

    def worker(self, role_id: UUID | None) -> tuple[Sum, ...]:
        return tuple(one for one in self.sums if one.role_id == role_id)

    @property
    def currencies(self) -> tuple[str, ...]:
        return tuple(sorted({one.currency for one in self.sums if one.figure in ("revenue", "paid")}))

    @property
    def workers(self) -> tuple[UUID | None, ...]:
        """Everybody who has a part in a figure; None: nobody's."""
        return tuple({one.role_id: None for one in self.sums})


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


def total(parts: Iterable[Part]) -> int:
    return sum(one.value for one in parts)


async def read_facts(figures: Figures, since: datetime, until: datetime) -> Facts:
    """All that the ledger says of money between the two, by the day."""
    counts = await figures.count(*KINDS.values(), since=since, until=until, step="day")
    decided = sum(one.n for one in counts if one.unit == "seconds_pending")
    measured = sum(one.n for one in counts if one.unit == "seconds_open")
    return Facts(sums=tuple(one for count in counts if (one := _sum(count))), unmeasured=decided - measured)


def _sum(one: Count) -> Sum | None:
    """None for what says nothing of money or time."""
    moved: Figure = "revenue" if one.type == "revenue.recorded" else "paid"
    figure, currency = UNITS.get(one.unit, (moved, one.unit))
    says = one.type == KINDS[figure] and (currency or figure == "time") and one.amount
    if not says or one.at is None:
        return None
    return Sum(
        figure=figure,
        role_id=one.role_id,
        currency=currency,
        value=one.amount,
        at=one.at,
        n=one.n,
    )


def item_of(figure: Figure, event: RecordedEvent) -> Item | None:
    """The event's part of the figure; None where it has none."""
    currency, value = _value(figure, event)
    if not value:
        return None
    role_id = as_uuid(str(event.data.get("role_id")))
    return Item(figure=figure, event=event, role_id=role_id, currency=currency, value=value)


def _value(figure: Figure, event: RecordedEvent) -> tuple[str, int]:
    """A phone that was left lying with a card open counts for a quarter of an hour at most."""
    if figure == "models":
        return "USD", whole(event.data.get("cost_usd_micros"))
    if figure == "time":
        return "", min(max(whole(event.data.get("seconds_open")), 0), LONGEST_LOOK_SECONDS)
    amount = revenue_of(event) if figure == "revenue" else money_of(event)
    return (amount.currency, amount.minor) if amount else ("", 0)


def result_of(items: Sequence[Part], settings: MoneySettings, until: date) -> Result:
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
