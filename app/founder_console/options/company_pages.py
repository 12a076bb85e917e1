"""The company itself: its name, and the zone in which its days and months begin."""

from typing import Annotated, Any
from zoneinfo import available_timezones

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromQuery
from litestar.response import Redirect

from app.canon.errors import Invalid
from app.canon.vocabulary import Rol
from app.founder_console.channels.channel_store import reckon_briefs_anew
from app.founder_console.formats import ZONES
from app.founder_console.visits import Caller, Visit, enter, go
from app.postgres import Transaction
from app.role_registry import CompanyPatch, change_company

Page = Response[bytes]
Form = Annotated[dict[str, Any], Body(media_type=RequestEncodingType.URL_ENCODED)]
HERE = "/settings/company"
NEAR = ("Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura")
LONGEST_NAME = 120


@get(HERE, include_in_schema=False)
async def company_settings(request: Caller, tx: NamedDependency[Transaction], done: FromQuery[str] = "") -> Page:
    visit = await enter(request, tx)
    return _page(visit, name=visit.company.name, zone=visit.company.time_zone, done=bool(done))


def _page(visit: Visit, *, name: str, zone: str, problem: str = "", done: bool = False) -> Page:
    return visit.page(
        "settings_company.html",
        status=422 if problem else 200,
        title=visit.words("company"),
        founder=visit.founder.rol is Rol.FOUNDER,
        name=name,
        zone=zone,
        near=[(one, ZONES[one]) for one in NEAR],
        every=sorted(available_timezones()),
        problem=problem,
        done=done,
    )


@post(HERE, status_code=303, include_in_schema=False)
async def change(request: Caller, tx: NamedDependency[Transaction], data: Form) -> Page | Redirect:
    """Event `company.changed`; everybody's next brief is reckoned in the new zone."""
    visit = await enter(request, tx)
    name = " ".join(str(data.get("name") or "").split())
    near, other = str(data.get("near") or ""), str(data.get("zone") or "").strip().replace(" ", "_")
    zone = near if near in NEAR else other
    problem = _problem(visit, name, zone)
    if problem:
        return _page(visit, name=name, zone=zone, problem=problem)
    try:
        async with tx.savepoint():
            await change_company(tx, CompanyPatch(name=name, time_zone=zone), visit.by)
            await reckon_briefs_anew(tx)
    except Invalid as refusal:
        return _page(visit, name=name, zone=zone, problem=visit.refused(refusal))
    return go(f"{HERE}?done=saved")


def _problem(visit: Visit, name: str, zone: str) -> str:
    if not name or len(name) > LONGEST_NAME:
        return visit.words("company.problem.name", n=LONGEST_NAME)
    return "" if zone in available_timezones() else visit.words("company.problem.zone", zone=zone or "–")


ROUTES = (company_settings, change)
