"""A month of money: its facts, what the founder set for it, and each worker's part."""

from datetime import timedelta
from uuid import UUID

import msgspec

from app.founder_console.counts import Figures
from app.founder_console.money.figures import Facts, Result, read_facts, result_of
from app.founder_console.money.scorecard import Month, month_of, months_back
from app.founder_console.money.settings import MoneySettings, money_settings
from app.founder_console.naming import Naming
from app.founder_console.visits import Visit
from app.postgres import Transaction

NOBODY = "none"
"""The key of what is no worker's."""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a page of money is made of."""

    month: Month
    facts: Facts
    settings: MoneySettings
    result: Result


class WorkerLine(msgspec.Struct, frozen=True, kw_only=True):
    """A worker's part of the month, in the company's currency."""

    key: str
    name: str
    result: Result


async def read_month(tx: Transaction, figures: Figures, naming: Naming, currency: str, key: str) -> Reading:
    """The facts of a month and what the founder set for it."""
    month = month_of(naming.formats, key)
    facts = await read_facts(figures, month.since, month.until)
    settings = await money_settings(tx, currency)
    day = (month.until - timedelta(days=1)).date()
    return Reading(month=month, facts=facts, settings=settings, result=result_of(facts.sums, settings, day))


def worker_lines(reading: Reading, naming: Naming) -> tuple[WorkerLine, ...]:
    """Everybody who brought or cost something, the best first."""
    day = (reading.month.until - timedelta(days=1)).date()
    found = [
        WorkerLine(
            key=str(role_id) if role_id else NOBODY,
            name=name_of(role_id, naming),
            result=result_of(reading.facts.worker(role_id), reading.settings, day),
        )
        for role_id in reading.facts.workers
    ]
    return tuple(sorted(found, key=lambda line: (-(line.result.margin or 0), line.name)))


def name_of(role_id: UUID | None, naming: Naming) -> str:
    """Whose a part is."""
    return naming.worker(role_id) or naming.words("money.nobody")


def around(visit: Visit, month: Month) -> list[Month]:
    """The month, the two before it, and the one after, unless that is still to come."""
    found = [*months_back(visit.formats, month, 3)]
    if month.until <= visit.formats.now:
        after = month.until
        found = [*found[1:], month_of(visit.formats, f"{after.year}-{after.month:02}")]
    return found
