"""Payment providers at the console: setting one up, the log of what it told, and the door that it tells at."""

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath
from litestar.response import Redirect

from app.canon.errors import Invalid
from app.founder_console.money.gateways import MODES, PROVIDERS
from app.founder_console.money.payments import (
    Heard,
    add_source,
    hear,
    list_deliveries,
    list_sources,
    path_of,
    remove_source,
)
from app.founder_console.visits import Caller, Visit, enter, go
from app.postgres import Transaction
from app.role_registry import vault_keys

Page = Response[bytes]
Form = Annotated[dict[str, Any], Body(media_type=RequestEncodingType.URL_ENCODED)]
Anybody = Request[Any, Any, State]
MOST_BYTES = 256 * 1024
TONES = {"recorded": "good", "refused": "bad", "test": "wait"}


class Choice(msgspec.Struct, frozen=True):
    """What was chosen, shown again when it cannot be kept. The secret never is."""

    provider: str = "stripe"
    mode: str = "live"


async def _page(visit: Visit, choice: Choice, problem: str = "") -> Page:
    origin = visit.request.app.state.settings.origin
    sources = await list_sources(visit.tx)
    told = await list_deliveries(visit.tx)
    return visit.page(
        "payments.html",
        tab="money",
        status=422 if problem else 200,
        title=visit.words("payments"),
        problem=problem,
        choice=choice,
        providers=PROVIDERS,
        modes=MODES,
        sources=[{"source": one, "url": origin + path_of(visit.by.tid, one.id)} for one in sources],
        reachable=origin.startswith("https:"),
        told=[{"told": one, "tone": TONES.get(one.outcome, "")} for one in told],
        refused=sum(one.outcome == "refused" for one in told),
    )


@get("/settings/payments", include_in_schema=False)
async def payments(request: Caller, tx: NamedDependency[Transaction]) -> Page:
    """Who may tell of payments, with the address to paste, and what was told."""
    return await _page(await enter(request, tx), Choice())


@post("/settings/payments", status_code=303, include_in_schema=False)
async def add(request: Caller, tx: NamedDependency[Transaction], data: Form) -> Page | Redirect:
    visit = await enter(request, tx)
    choice = Choice(str(data.get("provider") or ""), str(data.get("mode") or ""))
    secret = str(data.get("secret") or "").strip()
    try:
        keys = vault_keys(request.app.state.settings.keys)
        added = await add_source(tx, keys, provider=choice.provider, mode=choice.mode, secret=secret, by=visit.by)
    except Invalid as refusal:
        return await _page(visit, choice, visit.refused(refusal))
    return go(f"/settings/payments#s-{added}")


@post("/settings/payments/{source_id:uuid}/remove", status_code=303, include_in_schema=False)
async def remove(request: Caller, tx: NamedDependency[Transaction], source_id: FromPath[UUID]) -> Redirect:
    visit = await enter(request, tx)
    await remove_source(tx, source_id, visit.by)
    return go("/settings/payments")


@post(
    "/hooks/payments/{tenant:uuid}/{source_id:uuid}",
    status_code=HTTPStatus.OK,
    exclude_from_auth=True,
    include_in_schema=False,
    request_max_body_size=MOST_BYTES,
)
async def hook(request: Anybody, tenant: FromPath[UUID], source_id: FromPath[UUID]) -> Response[Heard]:
    """A provider's delivery. 200 for all that it need not tell again; 400 where its signature does not hold."""
    body = await request.body()
    headers = {name.lower(): value for name, value in request.headers.items()}
    async with request.app.state.database.transaction(tenant) as tx:
        heard = await hear(tx, vault_keys(request.app.state.settings.keys), source_id, headers, body)
    return Response(heard, status_code=HTTPStatus.BAD_REQUEST if heard.outcome == "refused" else HTTPStatus.OK)


ROUTES = (payments, add, remove, hook)
