"""The founder's own settings of money: a month's target, an hour's worth, exchange rates."""

from collections.abc import Sequence
from typing import Annotated, Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromQuery
from litestar.response import Redirect

from app.canon.errors import Invalid
from app.canon.vocabulary import Money
from app.founder_console.amounts import amount_of
from app.founder_console.money.revenue_entries import day_of
from app.founder_console.money.scorecard import month_of
from app.founder_console.money.settings import (
    CURRENCY,
    Rate,
    money_settings,
    rate_of,
    set_hour,
    set_rate,
    set_target,
)
from app.founder_console.visits import Caller, Visit, enter, go
from app.postgres import Transaction

Page = Response[bytes]
Form = Annotated[dict[str, Any], Body(media_type=RequestEncodingType.URL_ENCODED)]
MOST_TARGETS = 12
MOST_RATES = 20


def shown_rates(rates: Sequence[Rate]) -> list[dict[str, Any]]:
    """As a template shows them."""
    return [{"rate": rate, "text": format(rate.rate, "f")} for rate in rates]


@get("/money/settings", include_in_schema=False)
async def settings(request: Caller, tx: NamedDependency[Transaction], month: FromQuery[str] = "") -> Page:
    """Target, rates and an hour's worth."""
    return await _settings(await enter(request, tx), month)


async def _settings(visit: Visit, month: str, problem: str = "") -> Page:
    known = await money_settings(visit.tx, visit.company.currency)
    chosen = month_of(visit.formats, month)
    shown = [chosen, month_of(visit.formats, f"{chosen.until.year}-{chosen.until.month:02}")]
    return visit.page(
        "money_settings.html",
        tab="money",
        status=422 if problem else 200,
        title=visit.words("money.settings"),
        problem=problem,
        m=chosen,
        months=shown,
        target=known.targets.get(chosen.key),
        targets=[
            (key, month_of(visit.formats, key).label, known.targets[key])
            for key in sorted(known.targets, reverse=True)[:MOST_TARGETS]
        ],
        hour=known.hour,
        rates=shown_rates(known.rates[:MOST_RATES]),
        currency=visit.company.currency,
        today=visit.formats.now.date().isoformat(),
    )


@post("/money/settings", status_code=303, include_in_schema=False)
async def save_settings(request: Caller, tx: NamedDependency[Transaction], data: Form) -> Page | Redirect:
    """Record one setting: `what` is target, hour or rate."""
    visit = await enter(request, tx)
    given = {name: str(data.get(name) or "").strip() for name in ("what", "month", "amount", "currency", "rate", "on")}
    try:
        await _keep(visit, given)
    except Invalid as refusal:
        return await _settings(visit, given["month"], visit.refused(refusal))
    return go(f"/money/settings?month={given['month']}" if given["month"] else "/money/settings")


async def _keep(visit: Visit, given: dict[str, str]) -> None:
    own, words = visit.company.currency, visit.words
    if given["what"] == "rate":
        rate, on = rate_of(given["rate"]), day_of(given["on"])
        code = given["currency"].upper()
        if rate is None or on is None or not CURRENCY.fullmatch(code) or code == own:
            raise Invalid(words("money.problem.rate"))
        await set_rate(visit.tx, currency=code, to=own, rate=rate, on=on, by=visit.by)
        return
    minor = amount_of(given["amount"] or "0", own)
    if minor is None or minor < 0:
        raise Invalid(words("revenue.problem.amount", value=given["amount"]))
    if given["what"] == "hour":
        await set_hour(visit.tx, Money(minor, own), visit.by)
    else:
        await set_target(visit.tx, given["month"], Money(minor, own), visit.by)


ROUTES = (settings, save_settings)
