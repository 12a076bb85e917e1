"""Tools from outside at the console: which servers are attached, attaching one, and taking its tools away."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath
from litestar.response import Redirect

from app.auth import require
from app.canon.errors import Coded, Invalid, NotFound
from app.canon.tool import ToolFailed
from app.canon.tool_server import Listed, ServerTool, ToolServer
from app.canon.vocabulary import Risk, Rol
from app.founder_console.identity.sessions import signed_in_lately
from app.founder_console.options.server_forms import TypedOnce, Wanted, wanted_of
from app.founder_console.visits import Caller, Visit, enter, go
from app.postgres import Transaction
from app.role_registry import check_place, list_secrets, propose_server, remove_server, secrets_of, tool_servers

Page = Response[bytes]
Form = Annotated[dict[str, Any], Body(media_type=RequestEncodingType.URL_ENCODED)]
HERE = "/settings/servers"
ASK_SECONDS = 120
RISKS = tuple(Risk)
NOT_TAKEN = "none"


@get(HERE, include_in_schema=False)
async def servers(request: Caller, tx: NamedDependency[Transaction]) -> Page:
    """What is attached, as it was signed."""
    return await _servers(await enter(request, tx), Wanted())


async def _servers(visit: Visit, wanted: Wanted, problem: str = "", *, again: bool = False) -> Page:
    return visit.page(
        "settings_servers.html",
        status=422 if problem else 200,
        title=visit.words("servers"),
        servers=await tool_servers(visit.tx),
        waiting=[card for card in visit.cards if card.kind == "tool_server"],
        secrets_of=secrets_of,
        person=visit.naming.person,
        founder=visit.founder.rol is Rol.FOUNDER,
        known_secrets=[secret.name for secret in await list_secrets(visit.tx)],
        form=wanted,
        problem=problem,
        again=again,
    )


@post(f"{HERE}/ask", status_code=200, include_in_schema=False)
async def ask(request: Caller, data: Form) -> Page:
    """Ask a server for its tools, in no transaction, and let the founder say what each may do. A program is started
    for who has signed in lately: nobody has signed for it yet."""
    require(request.auth, Rol.FOUNDER)
    wanted, state = wanted_of(data), request.app.state
    async with state.database.transaction(request.auth.tid) as tx:
        if not wanted.outside and not await signed_in_lately(request, tx):
            visit = await enter(request, tx)
            return await _servers(visit, wanted, visit.words("servers.again"), again=True)
    listed: Sequence[Listed] = ()
    refused: Coded = NotFound("the server has no tools", code="server.no_tools")
    once = TypedOnce(wanted, data)
    try:
        check_place(wanted.place)
        once.check(wanted)
        listed = await state.list_tools(wanted.name, wanted.place, once, state.settings.home, ASK_SECONDS)
    except (Invalid, ToolFailed) as error:
        refused = error
    async with state.database.transaction(request.auth.tid) as tx:
        visit = await enter(request, tx)
        if not listed:
            return await _servers(visit, wanted, visit.refused(refused))
        return visit.page(
            "settings_server_new.html",
            title=visit.words("servers.choose"),
            form=wanted,
            listed=[(one, msgspec.json.encode(one).decode()) for one in listed],
            risks=RISKS,
            not_taken=NOT_TAKEN,
        )


@post(HERE, status_code=303, include_in_schema=False)
async def propose(request: Caller, tx: NamedDependency[Transaction], data: Form) -> Page | Redirect:
    """Raises the approval that the founder signs with a key."""
    visit = await enter(request, tx)
    wanted = wanted_of(data)
    try:
        server = ToolServer(name=wanted.name, at=wanted.place, tools=_tools(data))
        undo_seconds = request.app.state.settings.undo_seconds
        approval = await propose_server(tx, server, by=visit.by, undo_seconds=undo_seconds)
    except Invalid as error:
        return await _servers(visit, wanted, visit.refused(error))
    except (msgspec.ValidationError, msgspec.DecodeError):
        return await _servers(visit, wanted, visit.words("servers.problem"))
    return go(f"/approvals/{approval.id}")


def _tools(data: Mapping[str, Any]) -> tuple[ServerTool, ...]:
    """The tools that are taken, as they were listed. Raises `msgspec.ValidationError`."""
    texts = data.get("listed") or ()
    taken = []
    for text in [texts] if isinstance(texts, str) else texts:
        listed = msgspec.json.decode(str(text), type=Listed)
        said = str(data.get(f"risk-{listed.name}") or NOT_TAKEN)
        if said == NOT_TAKEN:
            continue
        risk = msgspec.convert(said, Risk)
        taken.append(
            ServerTool(
                name=listed.name,
                description=listed.description,
                parameters=dict(listed.parameters),
                risk=risk,
                effect="read" if risk is Risk.READ else "external",
            )
        )
    return tuple(taken)


@post(f"{HERE}/{{name:str}}/remove", status_code=303, include_in_schema=False)
async def remove(request: Caller, tx: NamedDependency[Transaction], name: FromPath[str]) -> Redirect:
    visit = await enter(request, tx)
    await remove_server(tx, name, visit.by)
    return go(HERE)


ROUTES = (servers, ask, propose, remove)
