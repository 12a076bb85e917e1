"""The scorecard for a program: what is recorded, what that makes in the company's currency, and what is an estimate."""

from datetime import date
from http import HTTPStatus
from typing import Any
from uuid import UUID

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromQuery

from app.canon.errors import Invalid
from app.canon.vocabulary import Money
from app.founder_console.money.figures import Facts, Figure, Result, total
from app.founder_console.money.months import NOBODY, read_month, worker_lines
from app.founder_console.money.settings import MONTH
from app.founder_console.readers import read_for
from app.founder_console.visits import Caller
from app.postgres import Transaction
from app.problems import documented
from app.role_registry import company


class UsedRate(msgspec.Struct, frozen=True):
    """One unit of `currency` in the company's; a decimal in a string. `event_id` is where the founder said so."""

    currency: str
    rate: str
    on: date
    event_id: UUID


class Converted(msgspec.Struct, frozen=True, kw_only=True):
    """Minor units of the company's currency. A sum is null while a rate is `missing`. `margin` is revenue less payments
    less models; `founder_time` and `after_founder_time` are estimates and stand in none of the others."""

    revenue: int | None
    payments: int | None
    models: int | None
    margin: int | None
    converted: tuple[Figure, ...]
    rates: tuple[UsedRate, ...]
    missing: tuple[str, ...]
    founder_seconds: int
    founder_time: int | None
    after_founder_time: int | None


class WorkerScore(msgspec.Struct, frozen=True, kw_only=True):
    """`role_id` is null for what no worker brought or cost."""

    role_id: UUID | None
    name: str
    in_own_currency: Converted


class Scorecard(msgspec.Struct, frozen=True, kw_only=True):
    """A month. `revenue` and `payments` are recorded, one amount a currency."""

    month: str
    currency: str
    revenue: tuple[Money, ...]
    payments: tuple[Money, ...]
    models_usd_micros: int
    target: Money | None
    in_own_currency: Converted
    workers: tuple[WorkerScore, ...]


@get(
    "/scorecard",
    tags=["console"],
    summary="The scorecard of a month",
    description="Without `month` (`2026-11`): the present one, in the company's zone.",
    responses=documented(HTTPStatus.FORBIDDEN),
)
async def scorecard(
    request: Caller, tx: NamedDependency[Transaction], month: FromQuery[str | None] = None
) -> Scorecard:
    reading, its_company = await read_for(request, tx), await company(tx)
    if month is not None and not MONTH.fullmatch(month):
        raise Invalid(f"{month!r} is no month such as 2026-11")
    naming = reading.namings["en"]
    found = await read_month(tx, reading.figures, naming, its_company.currency, month or "")
    return Scorecard(
        month=found.month.key,
        currency=its_company.currency,
        revenue=_sums(found.facts, "revenue"),
        payments=_sums(found.facts, "paid"),
        models_usd_micros=found.result.usd_micros,
        target=found.settings.targets.get(found.month.key),
        in_own_currency=_converted(found.result),
        workers=tuple(
            WorkerScore(
                role_id=None if line.key == NOBODY else UUID(line.key),
                name=line.name,
                in_own_currency=_converted(line.result),
            )
            for line in worker_lines(found, naming)
        ),
    )


def _sums(facts: Facts, figure: Figure) -> tuple[Money, ...]:
    currencies = sorted({one.currency for one in facts.of(figure)})
    return tuple(Money(total(facts.of(figure, currency)), currency) for currency in currencies)


def _converted(result: Result) -> Converted:
    return Converted(
        revenue=result.revenue,
        payments=result.paid,
        models=result.models,
        margin=result.margin,
        converted=tuple(sorted(result.converted)),
        rates=tuple(UsedRate(one.currency, f"{one.rate:f}", one.on, one.event.event_id) for one in result.used),
        missing=result.missing,
        founder_seconds=result.seconds,
        founder_time=result.time,
        after_founder_time=result.after_time,
    )


API: tuple[Any, ...] = (scorecard,)
