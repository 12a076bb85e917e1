"""What the founder says of money: rates between currencies, an hour's worth, a month's target. Each is a ledger event.

The newest of a kind holds; nothing is ever overwritten, so that a figure of last year can be told as it was.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

import msgspec

from app.auth import require
from app.canon.errors import Invalid
from app.canon.vocabulary import Money, Principal, Rol
from app.canon.written import minor_digits
from app.founder_console.naming import whole
from app.founder_console.readings import read_family
from app.governance_ledger import Event, RecordedEvent, append
from app.postgres import Transaction

ALWAYS = datetime(2000, 1, 1, tzinfo=UTC)
LARGEST_RATE = Decimal(10**9)
MONTH = re.compile("20[0-9]{2}-(0[1-9]|1[0-2])")
CURRENCY = re.compile("[A-Z]{3}")


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """One unit of `currency` was worth `rate` units of `to` on that day, as the founder says."""

    currency: str
    to: str
    rate: Decimal
    on: date
    event: RecordedEvent


class MoneySettings(msgspec.Struct, frozen=True, kw_only=True):
    """What holds now. `rates` are newest first; `targets` by month; a figure that is not set is None."""

    currency: str
    rates: tuple[Rate, ...]
    hour: Money | None
    targets: Mapping[str, Money]

    def rate(self, currency: str, until: date) -> Rate | None:
        """The last rate of `currency` up to that day; before the first one, the first."""
        known = [rate for rate in self.rates if (rate.currency, rate.to) == (currency, self.currency)]
        past = [rate for rate in known if rate.on <= until]
        # `rates` are newest first by the time of writing, and `max` keeps the first of equals.
        return max(past, key=lambda rate: rate.on) if past else min(known, key=lambda rate: rate.on, default=None)


async def money_settings(tx: Transaction, currency: str) -> MoneySettings:
    """What the founder has set, for a company of that currency."""
    rates = [_rate(event) for event in await read_family(tx, "money.rate_set", since=ALWAYS)]
    hours = await read_family(tx, "money.hour_set", since=ALWAYS, most=1)
    targets: dict[str, Money] = {}
    for event in await read_family(tx, "money.target_set", since=ALWAYS):
        targets.setdefault(str(event.data["month"]), _money(event))
    return MoneySettings(
        currency=currency,
        rates=tuple(rates),
        hour=next((money for event in hours if (money := _money(event)).minor), None),
        targets={month: money for month, money in targets.items() if money.minor and money.currency == currency},
    )


def _money(event: RecordedEvent) -> Money:
    return Money(whole(event.data.get("amount_minor")), str(event.data.get("currency")))


def _rate(event: RecordedEvent) -> Rate:
    data = event.data
    return Rate(
        currency=str(data["currency"]),
        to=str(data["to"]),
        rate=Decimal(str(data["rate"])),
        on=date.fromisoformat(str(data["on"])),
        event=event,
    )


def rate_of(text: str) -> Decimal | None:
    """`16.250`, `16,250.5` or `1,09` as people write a rate; None for what is none."""
    bare = text.strip().replace(" ", "")
    if re.fullmatch(r"[1-9][0-9]{0,2}([.,])[0-9]{3}(\1[0-9]{3})*", bare):
        bare = re.sub("[.,]", "", bare)
    elif "." in bare and "," in bare:
        point = max(bare.rfind("."), bare.rfind(","))
        bare = f"{re.sub('[.,]', '', bare[:point])}.{bare[point + 1 :]}"
    try:
        found = Decimal(bare.replace(",", ".")) if re.fullmatch(r"[0-9]+([.,][0-9]{1,8})?", bare) else None
    except InvalidOperation:
        return None
    return found if found is not None and 0 < found < LARGEST_RATE else None


async def set_rate(tx: Transaction, *, currency: str, to: str, rate: Decimal, on: date, by: Principal) -> None:
    """The founder's own rate. Event `money.rate_set`. Raises `Invalid`."""
    require(by, Rol.FOUNDER)
    if not CURRENCY.fullmatch(currency) or currency == to:
        raise Invalid(f"{currency!r} is no currency that needs a rate", code="money.currency", currency=currency)
    data: dict[str, object] = {"currency": currency, "to": to, "rate": format(rate, "f"), "on": on.isoformat()}
    await append(tx, Event(type="money.rate_set", actor=by.actor, data=data))


async def set_hour(tx: Transaction, amount: Money, by: Principal) -> None:
    """What an hour of the founder is worth; zero: not set. Event `money.hour_set`."""
    require(by, Rol.FOUNDER)
    await append(tx, Event(type="money.hour_set", actor=by.actor, data=_said(amount)))


async def set_target(tx: Transaction, month: str, amount: Money, by: Principal) -> None:
    """The revenue that a month should bring; zero: none. Event `money.target_set`. Raises `Invalid`."""
    require(by, Rol.FOUNDER)
    if not MONTH.fullmatch(month):
        raise Invalid(f"{month!r} is no month such as 2026-11", code="money.month", month=month)
    await append(tx, Event(type="money.target_set", actor=by.actor, data={"month": month, **_said(amount)}))


def _said(amount: Money) -> dict[str, object]:
    if amount.minor < 0:
        raise Invalid("an amount below zero cannot be set", code="money.negative")
    return {"amount_minor": str(amount.minor), "currency": amount.currency}


def convert(amount: Decimal, rate: Decimal, to: str) -> int:
    """`amount` in major units at `rate`, in minor units of `to`, rounded half to even."""
    return int((amount * rate).scaleb(minor_digits(to)).to_integral_value(ROUND_HALF_EVEN))
